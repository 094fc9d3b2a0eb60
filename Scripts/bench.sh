#!/usr/bin/env bash
# The benchmarks: real processes on this machine, every figure measured in the run that prints it.
#
#   Scripts/bench.sh relay       [--json FILE]   tokens/s through one coordinator, beside a bare libzmq relay
#   Scripts/bench.sh failover    [--json FILE]   SIGKILL and SIGSTOP of a worker to the first new token, as a histogram
#   Scripts/bench.sh streams     [--json FILE]   10,000 streams beside each other, every token checked
#   Scripts/bench.sh pipeline    [--json FILE]   one real worker beside llama-batched-bench: generation, prompts, first token
#   Scripts/bench.sh stall       [--json FILE]   time between tokens while a 1,500-token prompt arrives, and without
#   Scripts/bench.sh speculation [--json FILE]   tokens/s with guessing ahead and without, the same tokens
#   Scripts/bench.sh prefix      [--json FILE]   first token of prompts with a shared beginning, cold and warm
#   Scripts/bench.sh memory      [--json FILE]   a worker's memory over 2,000 streams
#   Scripts/bench.sh journal     [--json FILE]   what durability costs: tokens/s, time a token, disk, recovery, memory
#   Scripts/bench.sh controllers [--json FILE]   the batch policies under a load that changes, on a fitted simulation
#
# Further options: Scripts/bench.sh NAME --help. Two have scripts of their own: Scripts/exactness.sh, Scripts/chaos.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
relay | failover | streams | pipeline | stall | speculation | prefix | memory | journal | controllers) ;;
*)
    sed -n '2,15p' "$0" | sed 's/^# \{0,1\}//'
    [ "${1:-}" = --help ] || [ "${1:-}" = -h ] && exit 0
    exit 2
    ;;
esac
swift build -c release --product apus >&2
swift build -c release --product apus-bench >&2
exec .build/release/apus-bench "$@"
