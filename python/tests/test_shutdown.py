"""``shutdown``: from anywhere, at any time, at once."""

from __future__ import annotations

import socketserver
import threading
import time

import pytest
from support import PATIENCE, ask, connect, receive, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


def start(server: fastsock.LoopTCPServer, poll_interval: float = 60) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever, args=(poll_interval,))
    thread.start()
    return thread


def test_shutdown_from_another_thread_does_not_wait_for_the_poll_interval(backend: str) -> None:
    server = fastsock.LoopTCPServer(HERE, Echo)
    thread = start(server)
    assert ask(server.server_address, b"hello") == b"hello"
    begin = time.monotonic()
    server.shutdown()
    assert time.monotonic() - begin < PATIENCE / 2
    thread.join(PATIENCE)
    assert not thread.is_alive()
    server.server_close()


def test_shutdown_right_after_the_thread_was_started_is_never_missed(backend: str) -> None:
    for _ in range(30):
        server = fastsock.LoopTCPServer(HERE, Echo)
        thread = start(server)
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        server.server_close()


def test_shutdown_before_serve_forever_makes_that_return() -> None:
    server = fastsock.LoopTCPServer(HERE, Echo)
    server.shutdown()
    server.serve_forever(60)
    server.server_close()


def test_shutdown_twice_is_shutdown() -> None:
    server = fastsock.LoopTCPServer(HERE, Echo)
    thread = start(server)
    server.shutdown()
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


def test_shutdown_from_a_handler_returns_at_once() -> None:
    returned = []

    class Stop(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.server.shutdown()
            returned.append(1)
            self.request.sendall(b"stopped")

    server = fastsock.LoopTCPServer(HERE, Stop)
    thread = start(server)
    assert ask(server.server_address, b"") == b"stopped"
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert returned == [1]
    server.server_close()


def test_shutdown_by_many_threads_at_once_lets_all_of_them_go() -> None:
    server = fastsock.LoopTCPServer(HERE, Echo)
    thread = start(server)
    assert ask(server.server_address, b"hello") == b"hello"
    others = [threading.Thread(target=server.shutdown) for _ in range(10)]
    for other in others:
        other.start()
    for other in [*others, thread]:
        other.join(PATIENCE)
        assert not other.is_alive()
    server.server_close()


def test_a_server_may_serve_again_after_a_shutdown() -> None:
    server = fastsock.LoopTCPServer(HERE, Echo)
    for _ in range(3):
        thread = start(server)
        assert ask(server.server_address, b"hello") == b"hello"
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    server.server_close()


def test_a_server_may_serve_again_in_another_thread_with_handlers_of_the_first_drained() -> None:
    server = fastsock.LoopTCPServer(HERE, Echo)
    server.shutdown_timeout = 0.05
    for _ in range(2):
        thread = start(server)
        with connect(server.server_address) as client:
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
            server.shutdown()
            thread.join(PATIENCE)
            assert not thread.is_alive()
            assert client.recv(1) == b""
    server.server_close()


def test_a_server_closed_without_a_shutdown_stops_serving() -> None:
    server = fastsock.LoopTCPServer(HERE, Echo)
    thread = start(server)
    assert ask(server.server_address, b"hello") == b"hello"
    server.server_close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    server.shutdown()


def test_shutdown_of_one_server_leaves_another_alone() -> None:
    with serving(fastsock.LoopTCPServer(HERE, Echo)) as address:
        server = fastsock.LoopTCPServer(HERE, Echo)
        thread = start(server)
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()
        assert ask(address, b"hello") == b"hello"


def test_a_server_closed_while_all_places_are_taken_stops_serving() -> None:
    class Holding(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"here")
            self.request.recv(1)

    server = fastsock.LoopTCPServer(("127.0.0.1", 0), Holding)
    server.concurrency = 1
    server.shutdown_timeout = 0.1
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    with connect(server.server_address) as client:
        assert client.recv(4) == b"here"
        server.server_close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
