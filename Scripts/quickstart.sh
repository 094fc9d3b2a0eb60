#!/usr/bin/env bash
# From a fresh machine with Swift to a stream that outlives its worker: set-up, build, a cluster of two workers, a prompt, and
# one worker killed while its tokens come. May be run again at any time; what is done already is not done again.
#
#   Scripts/quickstart.sh [PROMPT]
set -euo pipefail
cd "$(dirname "$0")/.."

prompt=${1:-"Explain in simple words how birds manage to fly over whole oceans without landing."}
work=$(mktemp -d)
cluster=

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
fi

say() { printf '\n%s==> %s%s\n' "$bold" "$1" "$plain"; }
fail() {
    printf '\n%s\n' "$1" >&2
    exit 1
}
leave() {
    if [ -n "$cluster" ]; then
        kill -INT "$cluster" 2>/dev/null || true
        wait "$cluster" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

command -v swift >/dev/null || fail "Swift is missing: install it from https://www.swift.org/install and run this again"

say "1/3 Set-up: system packages, llama.cpp, the default model"
Scripts/setup.sh

say "2/3 Building Apus in release mode (some minutes the first time)"
swift build -c release --product apus || fail "the build failed; its output above says why"
apus=$(swift build -c release --show-bin-path)/apus

say "3/3 A cluster of two workers, a stream, and a worker that dies"
"$apus" up --data "$work/journal" --workers 2 --clients 'tcp://127.0.0.1:*' --workers-at 'tcp://127.0.0.1:*' --log-level warning \
    >"$work/ready" 2>"$work/log" &
cluster=$!
for _ in $(seq 300); do
    grep -q '^READY' "$work/ready" && break
    kill -0 "$cluster" 2>/dev/null || fail "the cluster did not start: $(cat "$work/log")"
    sleep 0.2
done
grep -q '^READY' "$work/ready" || fail "the cluster was not ready within a minute: $(cat "$work/log")"
APUS_COORDINATOR=$(sed -n 's/^READY .*clients=\([^ ]*\).*/\1/p' "$work/ready")
export APUS_COORDINATOR
unset APUS_MODEL
options=(--max-tokens 160 --temperature 0.7 --top-p 0.9 --seed 1)
printf '%s$ apus submit %s "%s"%s\n\n' "$dim" "${options[*]}" "$prompt" "$plain"

# The worker that runs the stream is the one that status shows as active; it dies once the stream has some tokens.
(
    for _ in $(seq 200); do
        "$apus" status --output json >"$work/status" 2>/dev/null || true
        victim=$(python3 - "$work/status" <<'PY'
import json, sys
try:
    status = json.load(open(sys.argv[1]))
except ValueError:
    sys.exit()
busy = [w for w in status["workers"] if w["active"] > 0]
if busy and status["tokens"] >= 40:
    print(busy[0]["pid"], busy[0]["name"])
PY
        )
        if [ -n "$victim" ]; then
            kill -9 "${victim%% *}" && touch "$work/killed"
            printf '\n%s[kill -9 %s: %s is dead, the stream goes on]%s\n' "$dim" "${victim%% *}" "${victim##* }" "$plain" >&2
            exit 0
        fi
        sleep 0.02
    done
) &
killer=$!
"$apus" submit "${options[@]}" "$prompt" || fail "the job failed: $(cat "$work/log")"
kill "$killer" 2>/dev/null || true
wait "$killer" 2>/dev/null || true

# What was seen above is believed only where the cluster counted it too.
[ -e "$work/killed" ] ||
    fail "the stream ended before a worker could be killed: run this again with a prompt that has a longer answer"
"$apus" status --output json >"$work/status"
"$apus" jobs --output json >"$work/jobs"
failovers=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["failovers"])' "$work/status")
continuity=$(python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["continuity"])' "$work/jobs")
[ "$failovers" -ge 1 ] ||
    fail "a worker was killed, but the stream had ended before: run this again with a prompt that has a longer answer"
[ "$continuity" = exact ] || fail "the stream outlived its worker, but its continuity is $continuity instead of exact"
printf '\n%s%s failover, continuity %s%s\n' "$bold" "$failovers" "$continuity" "$plain"

printf '\n%s$ apus status%s\n\n' "$dim" "$plain"
"$apus" status

say "Stopping the cluster"
kill -INT "$cluster"
wait "$cluster" || fail "the cluster did not stop cleanly: $(cat "$work/log")"
cluster=
printf '%sDone.%s Start your own with:\n\n  %s up --workers 2\n  %s submit "Why do swifts sleep on the wing?"\n' \
    "$bold" "$plain" "${apus#"$PWD"/}" "${apus#"$PWD"/}"
