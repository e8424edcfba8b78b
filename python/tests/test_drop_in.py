"""``from fastsock import socketserver``: every name of the stdlib's module, and its contracts."""

from __future__ import annotations

import inspect
import os
import socketserver as stdlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import ask, connect, receive, serving

import fastsock
from fastsock import socketserver

HERE = ("127.0.0.1", 0)


class Where(stdlib.BaseRequestHandler):
    """Tells the process and thread that it runs in."""

    def handle(self) -> None:
        self.request.sendall(b"%d %d" % (os.getpid(), threading.get_ident()))


class Hello(stdlib.BaseRequestHandler):
    """Greets, and waits for the client's end."""

    def handle(self) -> None:
        self.request.sendall(b"hello")
        self.request.recv(1)


def test_every_public_name_of_the_stdlib_is_there() -> None:
    assert sorted(socketserver.__all__) == sorted(stdlib.__all__)
    assert [name for name in stdlib.__all__ if not hasattr(socketserver, name)] == []
    assert socketserver.__version__ == stdlib.__version__  # type: ignore[attr-defined]


def test_every_public_class_is_in_all() -> None:
    # As test_socketserver's test_all does, which asks for the stdlib's own module name.
    public = {name for name, thing in vars(socketserver).items() if isinstance(thing, type) and name[0] != "_"}
    assert public == set(socketserver.__all__)


@pytest.mark.parametrize("name", stdlib.__all__)
def test_every_class_is_the_stdlibs_or_derives_from_it(name: str) -> None:
    ours, theirs = getattr(socketserver, name), getattr(stdlib, name)
    if name.startswith("Threading") and "Server" in name:
        assert issubclass(ours, (stdlib.ThreadingMixIn, socketserver.ThreadingMixIn))
        assert issubclass(ours, getattr(stdlib, name.removeprefix("Threading")))
    else:
        assert issubclass(ours, theirs)


def test_threading_mix_in_says_first_that_it_means_the_loop() -> None:
    assert "loop" in str(inspect.getdoc(socketserver.ThreadingMixIn)).splitlines()[0]


def test_threading_server_runs_all_handlers_in_the_thread_that_serves() -> None:
    with serving(socketserver.ThreadingTCPServer(HERE, Where)) as address:
        answers = {ask(address, b"") for _ in range(5)}
        with connect(address) as client:
            answers.add(client.recv(100))
    assert len(answers) == 1


def test_plain_server_is_the_stdlibs_own_and_serial() -> None:
    assert socketserver.TCPServer is stdlib.TCPServer
    assert socketserver.UDPServer is stdlib.UDPServer
    with (
        serving(socketserver.TCPServer(HERE, Hello)) as address,
        connect(address) as first,
        connect(address) as second,
    ):
        assert receive(first, 5) == b"hello"
        second.settimeout(0.1)
        with pytest.raises(TimeoutError):
            second.recv(1)
        first.close()
        second.settimeout(10)
        assert receive(second, 5) == b"hello"


def test_forking_mix_in_still_forks() -> None:
    with socketserver.ForkingTCPServer(HERE, Where) as server:
        client = connect(server.server_address)
        server.handle_request()
        pid = int(receive(client, 100).split()[0])
        client.close()
    assert pid != os.getpid()


def test_stream_handler_of_the_drop_in_has_native_files_on_the_loop_only() -> None:
    kinds: list[str] = []

    class Look(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            kinds.append(f"{type(self.rfile).__name__} {type(self.wfile).__name__}")

    for server in (socketserver.ThreadingTCPServer, socketserver.TCPServer):
        with serving(server(HERE, Look)) as address:
            ask(address, b"")
    assert kinds == ["Reader Writer", "BufferedReader _SocketWriter"]


@pytest.mark.parametrize("make", [socketserver.ThreadingTCPServer, fastsock.LoopTCPServer])
def test_threads_of_a_server_do_not_pile_up(make: Callable[..., Any]) -> None:
    server = make(HERE, Hello)
    with serving(server) as address:
        for _ in range(50):
            assert ask(address, b"") == b"hello"
        assert len(server._threads) < 10
