#!/usr/bin/env bash
# The benchmarks: real processes on this machine, every figure measured in the run that prints it.
#
#   Scripts/bench.sh relay    [--json FILE]   tokens/s through one coordinator, beside a bare libzmq relay
#   Scripts/bench.sh failover [--json FILE]   SIGKILL and SIGSTOP of a worker to the first new token, as a histogram
#   Scripts/bench.sh streams  [--json FILE]   10,000 streams beside each other, every token checked
#
# Further options: Scripts/bench.sh NAME --help
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
relay | failover | streams) ;;
*)
    sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'
    [ "${1:-}" = --help ] || [ "${1:-}" = -h ] && exit 0
    exit 2
    ;;
esac
swift build -c release --product apus >&2
swift build -c release --product apus-bench >&2
exec .build/release/apus-bench "$@"
