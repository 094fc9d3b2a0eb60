#!/usr/bin/env bash
# The proof that nothing accepted is ever lost: real processes that are killed and stopped at random moments, every token checked.
#
#   Scripts/chaos.sh           500 rounds on the simulated engine, the disk faults, then 12 rounds on the real model: 15 minutes
#   Scripts/chaos.sh --short   25 rounds on the simulated engine: a minute
#
# Further options go to the rounds on the simulated engine: Scripts/chaos.sh --seed 7 --rounds 100 --json FILE; all of them:
# .build/release/apus-bench chaos --help. Exits with 1 where a promise was broken, and says then how to draw the same again.
set -euo pipefail
cd "$(dirname "$0")/.."

short=
case "${1:-}" in
--help | -h)
    sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'
    exit 0
    ;;
--short)
    short=1
    shift
    ;;
esac
# As workers do: llama.cpp's threads give way to other processes instead of spinning (see LlamaProcess).
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}

swift build -c release --product apus >&2
swift build -c release --product apus-bench >&2
bench=.build/release/apus-bench

if [ -n "$short" ]; then exec "$bench" chaos --rounds 25 --minutes 1 "$@"; fi

echo "==> 500 rounds on the simulated engine"
"$bench" chaos --rounds 500 --minutes 20 "$@"
echo "==> disk faults"
swift build --build-tests >&2
swift test --skip-build --filter DiskFaultTests
echo "==> 12 rounds on the real model"
"$bench" chaos --engine llama --workers 2 --lanes 4 --commands 2 --rounds 12 --minutes 10
