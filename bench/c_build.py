"""Building what `make bench-c` measures. A library that is not installed is named, and left out."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry import BASE, BENCH, BUFFEREVENT, BUILD, C_STREAM, C_STREAM_TIMED, EV, EVENT, ROOT, UV, C
from setup_peers import c_compiler, c_library, c_program, fastsock_flags, step

FASTSOCK = "fastsock"


@dataclass(frozen=True)
class Library:
    """A library in C that is measured beside fastsock."""

    name: str
    header: str
    package: str  # of Debian
    flag: str

    def is_here(self, compiler: str) -> bool:
        """Whether programs can be compiled with it; if not, says how to have it."""
        probe = f"#include <{self.header}>\n"
        argv = [compiler, "-E", "-", "-o", "/dev/null"]
        found = subprocess.run(argv, check=False, input=probe, text=True, capture_output=True).returncode == 0
        if not found:
            print(f"LEFT OUT: {self.name}: install it (apt-get install {self.package}) and run again", file=sys.stderr)
        return found


LIBUV = Library("libuv", "uv.h", "libuv1-dev", "-luv")
LIBEV = Library("libev", "ev.h", "libev-dev", "-lev")
LIBEVENT = Library("libevent", "event2/event.h", "libevent-dev", "-levent_core")

# Server or timers, the program's name, its source, and the library that it needs.
SERVERS = (
    (BASE, "epoll_lt", BENCH / "servers/epoll_lt.c", None),
    (C, "fastsock_echo", ROOT / "examples/c/echo.c", FASTSOCK),
    (C_STREAM, "fastsock_stream", BENCH / "servers/fastsock_stream.c", FASTSOCK),
    (C_STREAM_TIMED, "fastsock_stream_timed", ROOT / "examples/c/stream_echo.c", FASTSOCK),
    (UV, "uv_echo", BENCH / "servers/uv_echo.c", LIBUV),
    (EV, "ev_echo", BENCH / "servers/ev_echo.c", LIBEV),
    (EVENT, "event_echo", BENCH / "servers/event_echo.c", LIBEVENT),
    (BUFFEREVENT, "bufferevent_echo", BENCH / "servers/bufferevent_echo.c", LIBEVENT),
)
TIMERS = (
    (C, "timers_fastsock", BENCH / "timers/fastsock.c", FASTSOCK),
    (UV, "timers_uv", BENCH / "timers/uv.c", LIBUV),
    (EV, "timers_ev", BENCH / "timers/ev.c", LIBEV),
    (EVENT, "timers_event", BENCH / "timers/event.c", LIBEVENT),
)


@dataclass(frozen=True)
class Built:
    """What can be measured: the names of servers, and programs of timers by their server's name."""

    servers: tuple[str, ...]
    timers: dict[str, Path]


def build() -> Built:
    """Everything that can be built here."""
    BUILD.mkdir(exist_ok=True)
    compiler = c_compiler()
    step("load generator", ["cargo", "build", "--release", "--locked", "-p", "fastsock-loadgen"])
    c_program(compiler, "heap.so", BENCH / "servers/heap.c", "-shared", "-fPIC")
    flags: dict[object, Sequence[str] | None] = {None: (), FASTSOCK: fastsock_flags() if c_library() else None}
    for library in (LIBUV, LIBEV, LIBEVENT):
        flags[library] = (library.flag,) if library.is_here(compiler) else None

    def made(program: str, source: Path, needs: object) -> bool:
        with_ = flags[needs]
        return with_ is not None and c_program(compiler, program, source, *with_)

    servers = tuple(name for name, program, source, needs in SERVERS if made(program, source, needs))
    timers = {name: BUILD / program for name, program, source, needs in TIMERS if made(program, source, needs)}
    return Built(servers, timers)
