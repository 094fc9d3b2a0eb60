#!/usr/bin/env bash
# The coordinator's core in simulated clusters: faults, scale and policies, in virtual time.
#
#   Scripts/simulate.sh ci         20,000 fresh seeds, every planted bug, equal traces in two processes: what CI runs
#   Scripts/simulate.sh speed      seeds/s on one core, clusters of 5 workers and 50 streams
#   Scripts/simulate.sh scale      10 to 10,000 workers, half of them killed at once
#   Scripts/simulate.sh policies   round robin, least loaded and Apus's placement under the same load
#   Scripts/simulate.sh batching   cost and aimd choose one worker's batches, under the same load that changes
#   Scripts/simulate.sh ...        anything else goes to apus-sim as it is; --help lists it
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
'' | -h)
    sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'
    [ "${1:-}" = -h ] && exit 0
    exit 2
    ;;
esac

# Optimised across modules, which saves about a tenth of the time; in a place of its own, because other flags would make every
# other build begin anew.
swift build -c release --product apus-sim --scratch-path .build/simulate -Xswiftc -cross-module-optimization >&2
sim=.build/simulate/release/apus-sim

# digest_of FIRST THREADS: what 2,000 worlds did, in one number.
digest_of() {
    "$sim" --seeds 2000 --seed "$1" --threads "$2" | awk '$1 == "digest" { print $2 }'
}

case "$1" in
ci)
    "$sim" --seeds 20000
    "$sim" --planted
    first=$((RANDOM * 32768 + RANDOM + 1))
    one=$(digest_of "$first" 1)
    two=$(digest_of "$first" 2)
    if [ -z "$one" ] || [ "$one" != "$two" ]; then
        echo "2,000 seeds from $first: digest $one in one process, $two in another; a seed must be one execution" >&2
        exit 1
    fi
    echo "2,000 seeds from $first: digest $one in two processes"
    ;;
speed) exec "$sim" --seeds 5000 --threads 1 --workers 5 --streams 50 "${@:2}" ;;
scale) exec "$sim" --scale "${@:2}" ;;
batching) exec "$sim" --batching "${@:2}" ;;
policies) exec "$sim" --policies "${@:2}" ;;
*) exec "$sim" "$@" ;;
esac
