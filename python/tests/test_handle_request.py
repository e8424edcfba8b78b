"""``handle_request``: one request at a time, by hand."""

from __future__ import annotations

import contextlib
import socketserver
import time
from typing import Any

import pytest
from support import PATIENCE, connect, in_thread, receive

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Once(socketserver.BaseRequestHandler):
    """Answers one message."""

    def handle(self) -> None:
        self.request.sendall(self.request.recv(4096))


def hello(address: tuple[str, int]) -> None:
    with connect(address) as client:
        client.sendall(b"hello")
        assert receive(client, 5) == b"hello"


class Timed(fastsock.LoopTCPServer):
    timeouts = 0

    def handle_timeout(self) -> None:
        self.timeouts += 1


def test_handle_request_waits_for_a_request_that_comes_later() -> None:
    server = Timed(HERE, Once)
    with in_thread(hello, server.server_address), server:
        server.handle_request()
    assert server.timeouts == 0


def test_handle_request_takes_one_request_after_the_other() -> None:
    server = Timed(HERE, Once)
    address = server.server_address
    with in_thread(hello, address), in_thread(hello, address), in_thread(hello, address), server:
        for _ in range(3):
            server.handle_request()
    assert server.timeouts == 0


@pytest.mark.parametrize("where", ["server", "socket"])
def test_handle_request_calls_handle_timeout_when_nobody_comes_and_never_early(where: str) -> None:
    with Timed(HERE, Once) as server:
        if where == "server":
            server.timeout = 0.05
        else:
            server.socket.settimeout(0.05)
        for turn in (1, 2):
            start = time.monotonic()
            server.handle_request()
            assert time.monotonic() - start >= 0.05
            assert server.timeouts == turn


def test_handle_request_with_a_timeout_of_zero_looks_once() -> None:
    with Timed(HERE, Once) as server:
        server.timeout = 0
        server.handle_request()
        assert server.timeouts == 1
        with connect(server.server_address) as client:
            client.sendall(b"hello")
            server.handle_request()
            server.handle_request()
            assert receive(client, 5) == b"hello"
        assert server.timeouts == 2


def test_handle_request_times_out_while_all_places_are_taken() -> None:
    class Full(Timed):
        concurrency = 2
        timeout = 0.05
        shutdown_timeout = 0

    with Full(HERE, Once) as server, contextlib.ExitStack() as clients:
        silent = [clients.enter_context(connect(server.server_address)) for _ in range(3)]
        server.handle_request()
        server.handle_request()
        start = time.monotonic()
        server.handle_request()
        assert time.monotonic() - start >= 0.05
        assert server.timeouts == 1
        silent[0].sendall(b"x")
        assert silent[0].getpeername() == server.server_address


def test_handle_request_of_a_serial_server_returns_when_the_request_has_ended() -> None:
    ended: list[bool] = []

    class Serial(Timed):
        concurrency = 1
        timeout = PATIENCE

        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request)
            ended.append(True)

    with Serial(HERE, Once) as server:
        for count in (1, 2):
            with in_thread(hello, server.server_address):
                server.handle_request()
                assert len(ended) == count


def test_handle_request_works_after_a_shutdown_that_stopped_nothing() -> None:
    server = Timed(HERE, Once)
    server.timeout = PATIENCE
    server.shutdown()
    with in_thread(hello, server.server_address), server:
        server.handle_request()
    assert server.timeouts == 0


def test_a_handler_that_waits_goes_on_in_the_next_handle_request() -> None:
    server = Timed(HERE, Once)
    with connect(server.server_address) as first:
        server.handle_request()
        first.sendall(b"later")
        with in_thread(hello, server.server_address), server:
            server.handle_request()
        assert receive(first, 5) == b"later"
