#!/usr/bin/env bash
# Makes Sources/ApusProtocol/Generated from Cluster/protocol/apus.proto: run it after a change of the schema and commit both.
# Needs protoc (Debian: protobuf-compiler); the Swift plugin is built from the swift-protobuf package, once.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v protoc >/dev/null || {
    echo "protoc is missing: apt-get install protobuf-compiler" >&2
    exit 1
}
swift package resolve >/dev/null
plugin=.build-protocol
echo "building protoc-gen-swift (once, about a minute) ..." >&2
swift build -c release --package-path .build/checkouts/swift-protobuf --scratch-path "$plugin" --product protoc-gen-swift >&2
mkdir -p Sources/ApusProtocol/Generated
protoc --plugin="$plugin/release/protoc-gen-swift" --proto_path=Cluster/protocol \
    --swift_opt=Visibility=Package --swift_opt=UseAccessLevelOnImports=true \
    --swift_out=Sources/ApusProtocol/Generated apus.proto
echo "wrote Sources/ApusProtocol/Generated/apus.pb.swift" >&2
