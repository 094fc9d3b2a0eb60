#!/usr/bin/env bash
# Everything that must hold before a change lands: set-up, a build without a warning, the house's format, the tests, and
# 20,000 simulated clusters.
#
#   Scripts/test.sh [arguments of swift test, such as --filter NAME; the simulator then stays out]
set -euo pipefail
cd "$(dirname "$0")/.."

# run NAME COMMAND...: runs a stage and says how long it took.
run() {
    local name=$1 begin=$SECONDS
    shift
    printf '==> %s\n' "$name"
    "$@" || {
        printf '==> %s FAILED after %s s\n' "$name" "$((SECONDS - begin))"
        exit 1
    }
    printf '==> %s: %s s\n' "$name" "$((SECONDS - begin))"
}

build() {
    local log
    log=$(mktemp)
    # Our own targets turn warnings into errors; this finds those of the package itself and of the linker.
    swift build --build-tests --explicit-target-dependency-import-check error 2>&1 | tee "$log" || {
        rm -f "$log"
        return 1
    }
    if grep -E '(^|[ :])warning:' "$log" >/dev/null; then
        echo "the build prints warnings (above); a build must print none"
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# As workers do: llama.cpp's threads give way to other tests instead of spinning (see LlamaProcess).
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}

run "set-up" Scripts/setup.sh --tests
run "build" build
run "format" swift format lint --strict --recursive Sources Tests Package.swift
if [ $# -eq 0 ]; then
    run "tests" swift test --skip-build --skip ApusClusterTests
    # One after the other: what they kill, stop and measure must not wait for each other.
    run "tests with processes" swift test --skip-build --no-parallel --filter ApusClusterTests
    run "simulator" Scripts/simulate.sh ci
else
    run "tests" swift test --skip-build "$@"
fi
