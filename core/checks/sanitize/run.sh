#!/usr/bin/env bash
# run.sh TARGET: the core under the address, leak and thread sanitizers, built in TARGET. `make sanitize` calls it.
set -euo pipefail
cd "$(dirname "$0")"
target=$(realpath -m "${1:?where to build}")
checks=$(realpath ..) root=$(realpath ../../..)

fail() { echo "make sanitize: $*" >&2; exit 1; }
step() { echo "== $*"; }

cargo +nightly --version > /dev/null 2>&1 \
	|| fail "the sanitizers need a nightly Rust: rustup toolchain install nightly --profile minimal"
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
case $host in
x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
*) fail "there are no sanitizers for $host: run this on x86-64 or arm64 Linux with glibc" ;;
esac
# A sanitizer must stand in every frame; the standard library's are built without, and are known to be: see threads.rs.
flags="-Zsanitizer=SANITIZER -Cunsafe-allow-abi-mismatch=sanitizer"
# The symbol names of reports, where there is a tool for them.
symbolizer=$(command -v llvm-symbolizer || ls /usr/bin/llvm-symbolizer-* 2> /dev/null | tail -n 1 || true)
export ASAN_SYMBOLIZER_PATH=$symbolizer TSAN_SYMBOLIZER_PATH=$symbolizer

# build SANITIZER EXTRA-FLAGS: the programs in this folder.
build() {
	RUSTFLAGS="${flags/SANITIZER/$1} ${2:-}" cargo +nightly build --locked -q --target "$host" \
		--manifest-path "$checks/Cargo.toml" -p fastsock-sanitize --target-dir "$target/$1"
	programs=$target/$1/$host/debug
}

# must_find BUG TEXT: the sanitizer is at work only if it finds what was planted, and passes what was not.
must_find() {
	local out
	out=$("$programs/planted" nothing 2>&1) || fail "a program without a bug fails: $out"
	if out=$("$programs/planted" "$1" 2>&1); then fail "the planted bug ($1) was not found: nothing here means anything"; fi
	grep -q "$2" <<< "$out" || fail "the planted bug ($1) was found for another reason: $out"
	echo "the planted bug is found: $1"
}

step "address and leak sanitizer: are they at work?"
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
build address
must_find use-after-free "AddressSanitizer: heap-use-after-free"
must_find leak "LeakSanitizer: detected memory leaks"

step "address and leak sanitizer: the tests of the core"
core=(--locked --target "$host" --manifest-path "$root/Cargo.toml" -p fastsock --target-dir "$target/address")
# The examples first: a test runs one.
RUSTFLAGS="${flags/SANITIZER/address}" cargo +nightly build -q "${core[@]}" --examples
RUSTFLAGS="${flags/SANITIZER/address}" cargo +nightly test "${core[@]}" --lib --tests

step "thread sanitizer: is it at work?"
export TSAN_OPTIONS=exitcode=66:halt_on_error=0
build thread "--cfg fastsock_tsan"
must_find race "ThreadSanitizer: data race"

step "thread sanitizer: wakers, submitters, deaths and signals, hammered"
"$programs/threads" 5

echo "make sanitize: all passed"
