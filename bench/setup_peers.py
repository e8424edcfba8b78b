"""Building what the benchmark needs: the yardstick, the load generator, fastsock's own servers, the peers."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence

from registry import BENCH, BUILD, PEERS_PYTHON, ROOT, TARGET

CFLAGS = ("-O2", "-Wall", "-Wextra", "-std=c11")
SYSTEM_LIBS = ("-lpthread", "-ldl", "-lm")


def setup() -> bool:
    """Everything that can be built here; what cannot is said, and only leaves its rows out."""
    BUILD.mkdir(exist_ok=True)
    compiler = os.environ.get("CC") or shutil.which("cc") or "gcc"
    done = [
        step("load generator", ["cargo", "build", "--release", "-p", "fastsock-loadgen"]),
        step("fastsock, Rust", ["cargo", "build", "--release", "-p", "fastsock", "--example", "echo"]),
        step("raw C epoll", [compiler, *CFLAGS, "-o", f"{BUILD}/epoll_lt", f"{BENCH}/servers/epoll_lt.c"]),
        fastsock_c(compiler),
        peers(),
    ]
    return all(done)


def fastsock_c(compiler: str) -> bool:
    """The C example with the static library, so that it needs no library path."""
    if not step("fastsock, C library", ["cargo", "build", "--release", "-p", "fastsock-ffi"]):
        return False
    library = next((p for p in (TARGET / "libfastsock.a", TARGET / "libfastsock_ffi.a") if p.exists()), None)
    if library is None:
        print(f"fastsock, C: there is no static library in {TARGET}", file=sys.stderr)
        return False
    source = f"{ROOT}/examples/c/echo.c"
    flags = (*CFLAGS, "-D_GNU_SOURCE", f"-I{ROOT}/include")
    return step(
        "fastsock, C example", [compiler, *flags, "-o", f"{BUILD}/fastsock_echo", source, str(library), *SYSTEM_LIBS]
    )


def peers() -> bool:
    """gevent and uvloop, in an environment of their own."""
    if not PEERS_PYTHON.exists():
        venv.create(BENCH / ".venv", with_pip=True)
    pip = [str(PEERS_PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    return step("gevent, uvloop", [*pip, "-r", f"{BENCH}/requirements.txt"])


def step(what: str, argv: Sequence[str]) -> bool:
    """One command; says how it went."""
    print(f"{what} ...", file=sys.stderr, flush=True)
    try:
        code = subprocess.run(argv, check=False, cwd=ROOT).returncode
    except OSError as error:
        print(f"{what}: {argv[0]} cannot be run: {error.strerror}; install it and try again", file=sys.stderr)
        return False
    if code:
        print(f"{what}: FAILED, its rows will be left out", file=sys.stderr)
    return code == 0
