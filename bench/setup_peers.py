"""Building what the benchmark needs: the yardstick, the load generator, fastsock's own servers, the peers."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from registry import BENCH, BUILD, PEERS_PYTHON, ROOT, TARGET

CFLAGS = ("-O2", "-Wall", "-Wextra", "-std=c11", "-D_GNU_SOURCE")


def setup() -> bool:
    """Everything that can be built here; what cannot is said, and only leaves its rows out."""
    BUILD.mkdir(exist_ok=True)
    compiler = c_compiler()
    done = [
        step("load generator", ["cargo", "build", "--release", "-p", "fastsock-loadgen"]),
        step("fastsock, Rust", ["cargo", "build", "--release", "-p", "fastsock", "--example", "echo"]),
        c_program(compiler, "epoll_lt", BENCH / "servers/epoll_lt.c"),
        fastsock_c(compiler),
        peers(),
    ]
    return all(done)


def c_compiler() -> str:
    """The one that CC names, or the system's."""
    return os.environ.get("CC") or shutil.which("cc") or "gcc"


def fastsock_c(compiler: str) -> bool:
    """The C library and the example that uses it."""
    return c_library() and c_program(compiler, "fastsock_echo", ROOT / "examples/c/echo.c", *fastsock_flags())


def c_library() -> bool:
    """libfastsock.so, by the name that programs ask for."""
    if not step("fastsock, C library", ["cargo", "build", "--release", "--locked", "-p", "fastsock-ffi"]):
        return False
    name = TARGET / "libfastsock.so.0"
    name.unlink(missing_ok=True)
    name.symlink_to("libfastsock.so")
    return True


def fastsock_flags() -> tuple[str, ...]:
    """What a program on the C library is compiled with. It is shared, as the libraries beside it are."""
    return (f"-I{ROOT}/include", f"-L{TARGET}", "-lfastsock", f"-Wl,-rpath,{TARGET}")


def c_program(compiler: str, name: str, source: Path, *flags: str) -> bool:
    """One program in C."""
    return step(name, [compiler, *CFLAGS, "-o", str(BUILD / name), str(source), *flags])


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
