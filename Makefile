# The commands of this project. `make help` lists them; everything they need beyond cargo, gcc, make, CPython 3.11 and pip
# is installed by them, into .venv and target.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A target directory of the caller's, or cargo's own. Absolute: some tools run elsewhere.
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
RELEASE := $(TARGET)/release

FUZZ_SECONDS ?= 60

RUST_SOURCES := $(shell find core/src ffi/src python/src bench/loadgen/src -name '*.rs') \
	$(wildcard */Cargo.toml) bench/loadgen/Cargo.toml Cargo.toml Cargo.lock build.rs
PY_SOURCES := $(wildcard python/fastsock/*.py python/fastsock/*.pyi) python/pyproject.toml

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------------------- building

.PHONY: build
build: native $(VENV)/.fastsock ## release libraries in target/release, and .venv/bin/python with fastsock installed

.PHONY: native
native: ## the release libraries alone, in target/release: no Python
	cargo build --release --locked -p fastsock -p fastsock-ffi
	cargo build --release --locked -p fastsock --examples
	@ln -sf libfastsock.so $(RELEASE)/libfastsock.so.0

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"fastsock needs CPython 3.11 or later, and $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# pip is pinned for --group (PEP 735).
$(VENV)/.tools: $(VENV)/bin/python python/pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check 'pip==26.3'
	$(BIN)/python -m pip install -q --disable-pip-version-check --group python/pyproject.toml:build
	@touch $@

$(VENV)/.dev: $(VENV)/.tools
	$(BIN)/python -m pip install -q --disable-pip-version-check --group python/pyproject.toml:dev
	@touch $@

$(VENV)/.fastsock: $(VENV)/.tools $(RUST_SOURCES) $(PY_SOURCES)
	rm -rf $(TARGET)/wheels/fastsock-*.whl
	cd python && ../$(BIN)/maturin build --release --locked -q --interpreter ../$(BIN)/python --out $(TARGET)/wheels
	$(BIN)/python -m pip install -q --disable-pip-version-check --force-reinstall --no-deps $(TARGET)/wheels/fastsock-*.whl
	$(BIN)/python -m pip install -q --disable-pip-version-check $(TARGET)/wheels/fastsock-*.whl
	@touch $@

$(RELEASE)/fastsock-loadgen: $(RUST_SOURCES)
	cargo build --release --locked -p fastsock-loadgen
	@touch $@

# ---------------------------------------------------------------------------------------------------------- the demo

.PHONY: demo
demo: build $(RELEASE)/fastsock-loadgen ## one socketserver file, run on threads and under fastsock, side by side
	@$(BIN)/python bench/demo.py --python $(BIN)/python --loadgen $(RELEASE)/fastsock-loadgen

# ----------------------------------------------------------------------------------------------------------- testing

.PHONY: test
test: lint test-rust test-api model test-c test-python test-bench test-examples ## every check there is
	@echo "make test: all passed"

.PHONY: lint
lint: $(VENV)/.fastsock $(VENV)/.dev ## formatting, clippy, ruff, mypy, rustdoc
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked -q -p fastsock --no-deps
	$(BIN)/ruff check python
	$(BIN)/ruff format --check python
	$(BIN)/ruff check --config python/pyproject.toml bench examples
	$(BIN)/ruff format --check --config python/pyproject.toml bench examples
	cd python && ../$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest fastsock._fastsock
	$(BIN)/mypy --strict bench/run.py bench/demo.py bench/bench_c.py
	$(BIN)/mypy --strict examples
	$(BIN)/ruff check --config python/pyproject.toml ffi
	$(BIN)/ruff format --check --config python/pyproject.toml ffi
	$(BIN)/mypy --strict ffi/man.py ffi/tests/test_install.py

.PHONY: test-rust
test-rust: ## the core crate: every mode on every backend, and its doc examples
	cargo test --locked -p fastsock -p fastsock-loadgen -p fastsock-bench-core

.PHONY: model
model: ## wakers and submitters in every interleaving of a few threads (loom)
	rustfmt --check --edition 2024 core/checks/*/tests/*.rs core/checks/kernel/src/*.rs core/checks/sanitize/src/*.rs
	cargo clippy --locked -q --manifest-path core/checks/Cargo.toml --target-dir $(TARGET)/checks --all-targets -- -D warnings
	cargo test --locked --manifest-path core/checks/Cargo.toml --target-dir $(TARGET)/checks -p fastsock-model

.PHONY: test-api
test-api: ## the core's public interface is the one in core/public-api.txt, and each item has an example
	cargo test --locked --manifest-path core/checks/Cargo.toml --target-dir $(TARGET)/checks -p fastsock-api

.PHONY: public-api
public-api: ## write core/public-api.txt anew
	FASTSOCK_BLESS=1 cargo test --locked --manifest-path core/checks/Cargo.toml --target-dir $(TARGET)/checks -p fastsock-api

.PHONY: sanitize
sanitize: ## the core under the address, leak and thread sanitizers (a nightly Rust)
	core/checks/sanitize/run.sh $(TARGET)/sanitize

.PHONY: fuzz
fuzz: tools-g++ ## made-up programs against the reactor, FUZZ_SECONDS=60 of them (a nightly Rust)
	core/fuzz/run.sh $(TARGET) $(FUZZ_SECONDS)

# Read by a test of the C library's installation, and by nothing else.
$(VENV)/.cffi: $(VENV)/.dev
	$(BIN)/python -m pip install -q --disable-pip-version-check 'cffi==2.1.1'
	@touch $@

.PHONY: test-c
test-c: $(VENV)/.cffi tools-valgrind tools-strace tools-clang tools-cmake tools-pkg-config tools-groff ## the C face: header, ABI, each promise plain, under valgrind and under sanitizers; what is installed
	cargo test --locked -p fastsock-ffi --features header -- --test-threads=4
	$(BIN)/python -m pytest -q -rs -c python/pyproject.toml --rootdir ffi ffi/tests

# Clang's libFuzzer; what it finds it leaves in target/fuzz-c, and ffi/fuzz/fuzz.c compiled with -DREPLAY runs such files.
.PHONY: fuzz-c
fuzz-c: native tools-clang ## the C API driven by bytes that clang's libFuzzer thinks up, until something is found
	@mkdir -p $(TARGET)/fuzz-c/corpus
	clang -std=c99 -D_GNU_SOURCE=1 -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude ffi/fuzz/fuzz.c \
		-L$(RELEASE) -lfastsock -Wl,-rpath,$(RELEASE) -o $(TARGET)/fuzz-c/fuzz
	cd $(TARGET)/fuzz-c && ./fuzz -max_len=1024 corpus $(FUZZ)

.PHONY: test-python
test-python: build $(VENV)/.dev ## the Python package, installed as a wheel
	$(BIN)/python -m pytest -q python/tests

.PHONY: test-cpython
test-cpython: build ## CPython's own tests with fastsock swapped in, on every CPython from 3.11 on (about 5 minutes)
	$(BIN)/python python/tests/cpython/run.py --wheel $(TARGET)/wheels/fastsock-*.whl --into $(TARGET)/cpython

.PHONY: test-bench
test-bench: build $(VENV)/.dev $(RELEASE)/fastsock-loadgen ## the load generator against servers that go wrong
	FASTSOCK_LOADGEN=$(RELEASE)/fastsock-loadgen $(BIN)/python -m pytest -q -c python/pyproject.toml --rootdir bench bench/tests

.PHONY: test-examples
test-examples: build $(VENV)/.dev c-peers ## the example programs, run as processes and driven from outside
	$(BIN)/python -m pytest -q -c python/pyproject.toml --rootdir examples examples/tests

.PHONY: header
header: ## write include/fastsock.h and ffi/abi.txt anew from ffi/src
	FASTSOCK_BLESS=1 cargo test --locked -p fastsock-ffi --features header --test header
	FASTSOCK_BLESS=1 cargo test --locked -p fastsock-ffi --features header --test abi

# The libraries that docs/migrating-c.md sets beside ours, as below for make bench-c.
.PHONY: c-peers
c-peers:
	@$(C_PEERS) || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			{ $(C_PEERS_INSTALL) || { apt-get update -qq && $(C_PEERS_INSTALL); }; } > /dev/null 2>&1 \
				|| echo "SKIPPING what needs libuv, libev and libevent: they could not be installed"; \
		else \
			echo "SKIPPING what needs libuv, libev and libevent: $(C_PEERS_INSTALL), and run again"; \
		fi; \
	}

# A program that a test needs: installed when we may, else named aloud (the test then skips, and says so too).
tools-%:
	@command -v $* > /dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			{ apt-get install -qq -y $* || { apt-get update -qq && apt-get install -qq -y $*; }; } > /dev/null 2>&1 \
				|| echo "SKIPPING what needs $*: it could not be installed"; \
		else \
			echo "SKIPPING what needs $*: install it (apt-get install $*) and run again"; \
		fi; \
	}

# ------------------------------------------------------------------------------------------------------- installation

# The C library. DESTDIR is put before every path, for packagers.
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
SOVERSION := 0
# What rustc names with --print native-static-libs.
STATIC_LIBS := -lgcc_s -lutil -lrt -lpthread -lm -ldl
FILL := sed -e 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|;s|@INCLUDEDIR@|$(INCLUDEDIR)|;s|@VERSION@|$(VERSION)|' \
	-e 's|@SOVERSION@|$(SOVERSION)|;s|@STATIC_LIBS@|$(STATIC_LIBS)|' \
	-e 's|@INCLUDE_FROM_CMAKE@|$(shell realpath -m --relative-to=$(LIBDIR)/cmake/fastsock $(INCLUDEDIR))|' \
	-e 's|@MAJOR@|$(word 1,$(subst ., ,$(VERSION)))|;s|@MINOR@|$(word 2,$(subst ., ,$(VERSION)))|' \
	-e "s|@POINTER_SIZE@|$$(($$(getconf LONG_BIT) / 8))|"

.PHONY: man
man: ## the C library's manual pages in target/man, made from the header: man -l target/man/man7/fastsock.7
	@$(PYTHON) ffi/man.py include/fastsock.h examples/c/timestamp.c $(TARGET)/man

.PHONY: install
install: man ## the C library, to PREFIX (/usr/local): make install PREFIX=... DESTDIR=...
	cargo build --release --locked -p fastsock-ffi
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/fastsock $(DESTDIR)$(INCLUDEDIR) \
		$(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7
	install -m 644 include/fastsock.h $(DESTDIR)$(INCLUDEDIR)
	install -m 755 $(RELEASE)/libfastsock.so $(DESTDIR)$(LIBDIR)/libfastsock.so.$(VERSION)
	ln -sf libfastsock.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libfastsock.so.$(SOVERSION)
	ln -sf libfastsock.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libfastsock.so
	install -m 644 $(RELEASE)/libfastsock.a $(DESTDIR)$(LIBDIR)
	$(FILL) ffi/dist/fastsock.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/fastsock.pc
	$(FILL) ffi/dist/fastsockConfig.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/fastsock/fastsockConfig.cmake
	$(FILL) ffi/dist/fastsockConfigVersion.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/fastsock/fastsockConfigVersion.cmake
	install -m 644 $(TARGET)/man/man3/*.3 $(DESTDIR)$(MANDIR)/man3
	install -m 644 $(TARGET)/man/man7/fastsock.7 $(DESTDIR)$(MANDIR)/man7
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi
	@echo "installed fastsock $(VERSION) in $(DESTDIR)$(PREFIX): now read man 7 fastsock"

.PHONY: uninstall
uninstall: ## remove what make install has put there, given the same PREFIX and DESTDIR
	rm -f $(DESTDIR)$(LIBDIR)/libfastsock.so{,.$(SOVERSION),.$(VERSION)} $(DESTDIR)$(LIBDIR)/libfastsock.a
	rm -f $(DESTDIR)$(LIBDIR)/pkgconfig/fastsock.pc $(DESTDIR)$(INCLUDEDIR)/fastsock.h
	rm -f $(DESTDIR)$(LIBDIR)/cmake/fastsock/fastsockConfig{,Version}.cmake
	rm -f $(DESTDIR)$(MANDIR)/man3/fsock_*.3 $(DESTDIR)$(MANDIR)/man7/fastsock.7
	@if [ -d $(DESTDIR)$(LIBDIR)/cmake/fastsock ]; then rmdir --ignore-fail-on-non-empty $(DESTDIR)$(LIBDIR)/cmake/fastsock; fi

# ------------------------------------------------------------------------------------------------------- measurement

.PHONY: bench-setup
bench-setup: build tools-strace
	bench/run.py --setup

.PHONY: bench
bench: bench-setup ## every server beside raw C epoll and its peers, as a table (about 15 minutes)
	bench/run.py

.PHONY: bench-check
bench-check: bench-setup ## only what has a target; fails when one is missed
	bench/run.py --check

# libev is for the table of timers alone: installed when we may, else left out, which the program says.
LIBEV = echo '\#include <ev.h>' | $(CC) -E - > /dev/null 2>&1

.PHONY: bench-core
bench-core: tools-valgrind ## the core beside raw epoll, mio, polling, calloop, libev (about 7 minutes); ARGS=--help
	@$(LIBEV) || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && \
		{ apt-get install -qq -y libev-dev || { apt-get update -qq && apt-get install -qq -y libev-dev; }; } > /dev/null 2>&1; } \
		|| echo "LEAVING OUT libev: install it (apt-get install libev-dev) and run again"
	cargo bench --locked -q -p fastsock-bench-core $$($(LIBEV) && echo --features libev) --bench core -- --quiet
	cargo run --locked -q --release -p fastsock-bench-core $$($(LIBEV) && echo --features libev) -- $(ARGS)

# The libraries it measures beside: installed when we may, else left out, which the program says.
C_PEERS = printf '\043include <%s>\n' uv.h ev.h event2/event.h | $(CC) -E - > /dev/null 2>&1
C_PEERS_INSTALL := apt-get install -qq -y libuv1-dev libev-dev libevent-dev

.PHONY: bench-c
bench-c: ## the C library beside raw epoll, libuv, libev, libevent: speed, memory, timers (about 7 minutes); ARGS=--help
	@$(C_PEERS) || [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null || \
		{ $(C_PEERS_INSTALL) || { apt-get update -qq && $(C_PEERS_INSTALL); }; } > /dev/null 2>&1 || true
	@$(PYTHON) bench/bench_c.py $(ARGS)

.PHONY: clean
clean: ## remove what was built
	cargo clean
	rm -rf $(VENV) bench/.venv bench/build
