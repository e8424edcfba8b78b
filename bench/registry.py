"""Which servers are measured, and under which load. Add a server here: one entry in SERVERS."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
BUILD = BENCH / "build"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute() / "release"
LOADGEN = TARGET / "fastsock-loadgen"
PEERS_PYTHON = BENCH / ".venv/bin/python"

BASE = "c-epoll"


def project_python() -> Path:
    """The interpreter that has fastsock: the project's environment if there is one."""
    own = ROOT / ".venv/bin/python"
    return own if own.exists() else Path(sys.executable)


@dataclass(frozen=True)
class Server:
    """One server. It is run as `command HOST PORT args`, must be one process, and prints a line that ends in its
    port once it accepts connections. `{python}`, `{peers}`, `{bench}`, `{build}` and `{target}` are filled in; where
    the command has `{address}`, HOST:PORT goes there."""

    name: str
    what: str
    command: str
    serves: tuple[str, ...]  # "stream": whatever comes is sent back; "line": line by line
    args: str = ""
    module: str = ""  # a Python module that the server needs
    lacking: str = ""  # what to do when the module or the program is not there

    def argv(self, python: Path) -> list[str]:
        """The command line, on a port of the kernel's choice."""
        known = {"python": python, "peers": PEERS_PYTHON, "bench": BENCH, "build": BUILD, "target": TARGET}
        command = [part.format(**known, address="127.0.0.1:0") for part in self.command.split()]
        where = () if "{address}" in self.command else ("127.0.0.1", "0")
        return [*command, *where, *self.args.split()]


SETUP = "run: bench/run.py --setup"
INSTALL = "install the package into .venv first (make build), or name the interpreter with --python"
RUST, C, PYTHON, LINE = "fastsock-rust", "fastsock-c", "fastsock-py", "fastsock-py-line"
GEVENT, STREAMS = "gevent", "uvloop-streams"
STREAM_ONLY, LINE_ONLY = ("stream",), ("line",)

SERVERS = (
    Server(
        BASE, "epoll by hand, level-triggered: the yardstick", "{build}/epoll_lt", ("stream", "line"), lacking=SETUP
    ),
    Server(RUST, "fastsock from Rust", "{target}/examples/echo", STREAM_ONLY, lacking=SETUP),
    Server(C, "fastsock from C", "{build}/fastsock_echo", STREAM_ONLY, lacking=SETUP),
    Server(
        "fastsock-c-edge", "fastsock from C, edge-triggered", "{build}/fastsock_echo", STREAM_ONLY, "--edge", "", SETUP
    ),
    Server(
        PYTHON, "BaseRequestHandler on fastsock", "{python} {bench}/servers/fastsock_echo.py", STREAM_ONLY,
        module="fastsock", lacking=INSTALL,
    ),
    Server(
        LINE, "StreamRequestHandler on fastsock", "{python} {bench}/servers/fastsock_line.py", LINE_ONLY,
        module="fastsock", lacking=INSTALL,
    ),
    Server("threads", "BaseRequestHandler on threads", "{python} {bench}/servers/threads_echo.py", STREAM_ONLY),
    Server("threads-line", "StreamRequestHandler on threads", "{python} {bench}/servers/threads_line.py", LINE_ONLY),
    Server(
        GEVENT, "gevent, a greenlet each", "{peers} {bench}/servers/gevent_echo.py", STREAM_ONLY,
        module="gevent", lacking=SETUP,
    ),
    Server(
        "gevent-line", "gevent, makefile()", "{peers} {bench}/servers/gevent_line.py", LINE_ONLY,
        module="gevent", lacking=SETUP,
    ),
    Server(
        STREAMS, "asyncio streams on uvloop", "{peers} {bench}/servers/streams.py", STREAM_ONLY, "uvloop echo",
        "uvloop", SETUP,
    ),
    Server(
        "uvloop-line", "asyncio readline() on uvloop", "{peers} {bench}/servers/streams.py", LINE_ONLY, "uvloop line",
        "uvloop", SETUP,
    ),
    Server(
        "uvloop-protocol", "asyncio protocol on uvloop", "{peers} {bench}/servers/protocol.py", STREAM_ONLY,
        module="uvloop", lacking=SETUP,
    ),
    Server("asyncio-streams", "asyncio streams", "{python} {bench}/servers/streams.py", STREAM_ONLY, "asyncio echo"),
    Server(
        "asyncio-malloc", "asyncio streams, malloc told to keep its large blocks",
        "env MALLOC_MMAP_THRESHOLD_=4194304 MALLOC_TRIM_THRESHOLD_=8388608 {python} {bench}/servers/streams.py",
        STREAM_ONLY, "asyncio echo",
    ),
    Server("asyncio-line", "asyncio readline()", "{python} {bench}/servers/streams.py", LINE_ONLY, "asyncio line"),
)  # fmt: skip

C_STREAM, C_STREAM_TIMED = "fastsock-c-stream", "fastsock-c-stream-timed"
UV, EV, EVENT, BUFFEREVENT = "libuv", "libev", "libevent", "bufferevent"

# The loops of C, beside one another: `make bench-c`.
C_SERVERS = (
    *(server for server in SERVERS if server.name in (BASE, C)),
    Server(C_STREAM, "fastsock from C, buffered streams", "{build}/fastsock_stream", STREAM_ONLY),
    Server(
        C_STREAM_TIMED, "the same with an idle time-out of 5 minutes, a limit of connections and an orderly end",
        "{build}/fastsock_stream_timed {address}", STREAM_ONLY,
    ),
    Server(UV, "libuv, uv_try_write into and out of one buffer", "{build}/uv_echo", STREAM_ONLY),
    Server(EV, "libev, one watcher for each connection", "{build}/ev_echo", STREAM_ONLY),
    Server(EVENT, "libevent, one persistent event for each connection", "{build}/event_echo", STREAM_ONLY),
    Server(BUFFEREVENT, "libevent's bufferevents", "{build}/bufferevent_echo", STREAM_ONLY),
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One kind of load: a mode of the load generator and its options."""

    name: str
    what: str
    kind: str  # what a server must serve to take part
    mode: str
    options: str

    @property
    def is_idle(self) -> bool:
        """Memory is measured, not speed: one round is enough."""
        return self.mode == "idle"


SCENARIOS = (
    Scenario("echo-1k-100", "1 KiB messages on 100 connections", "stream", "echo", "--size 1024 --conns 100"),
    Scenario("echo-64-1000", "64-byte messages on 1,000 connections", "stream", "echo", "--size 64 --conns 1000"),
    Scenario("echo-16k-50", "16 KiB messages on 50 connections", "stream", "echo", "--size 16384 --conns 50"),
    Scenario("pipe-64-50", "64-byte messages, 16 under way", "stream", "echo", "--size 64 --conns 50 --depth 16"),
    Scenario("line-64-100", "64-byte lines on 100 connections", "line", "echo", "--size 64 --conns 100 --line"),
    Scenario("churn-50", "connect, 64 bytes, close; 50 at once", "stream", "churn", "--size 64 --conns 50"),
    Scenario("idle-5000", "memory of 5,000 connections", "stream", "idle", "--size 64 --conns 5000"),
)
