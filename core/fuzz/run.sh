#!/usr/bin/env bash
# run.sh TARGET SECONDS: fuzzes the reactor. `make fuzz` calls it.
#
# It begins with the programs in seeds and corpus, and with what earlier runs have added in TARGET. A run that fails says
# where the program is that did it: mend the fault, and put that file into seeds/reactor under a name that says what it is,
# from where `cargo test` runs it for ever. `run.sh TARGET merge` writes corpus/reactor anew: few programs that reach all
# that is reached.
set -euo pipefail
cd "$(dirname "$0")"
target=$(realpath -m "${1:?where to build}") what=${2:?how many seconds, or merge}
version=0.13.2
# Most programs that find something are short; long ones are slow.
longest=400

fail() { echo "make fuzz: $*" >&2; exit 1; }

cargo +nightly --version > /dev/null 2>&1 \
	|| fail "fuzzing needs a nightly Rust: rustup toolchain install nightly --profile minimal"
command -v c++ > /dev/null || fail "libFuzzer is C++: install g++ and run again"
if ! "$target/tools/bin/cargo-fuzz" --version 2> /dev/null | grep -qx "cargo-fuzz $version"; then
	echo "== installing cargo-fuzz $version"
	cargo install cargo-fuzz --version "=$version" --locked --quiet --root "$target/tools" --target-dir "$target/tools/build"
fi
export PATH=$target/tools/bin:$PATH
found=$target/fuzz/corpus
mkdir -p "$found"
fuzz() { cargo +nightly fuzz run --fuzz-dir . --target-dir "$target/fuzz" reactor "$@"; }

if [ "$what" = merge ]; then
	mkdir -p "$target/fuzz/merged"
	rm -f "$target/fuzz/merged"/*
	fuzz "$target/fuzz/merged" corpus/reactor "$found" -- -set_cover_merge=1 -use_counters=0 -max_len=200
	rm -f corpus/reactor/*
	cp "$target/fuzz/merged"/* corpus/reactor
	du -sh --apparent-size corpus/reactor
else
	echo "== fuzzing for $what seconds"
	fuzz "$found" corpus/reactor seeds/reactor -- -max_total_time="$what" -max_len=$longest -timeout=30 -print_final_stats=1
	echo "make fuzz: passed"
fi
