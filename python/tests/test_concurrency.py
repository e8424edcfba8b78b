"""``concurrency``: how many requests run at once."""

from __future__ import annotations

import socketserver
import threading
import time

import pytest
from support import PATIENCE, connect, eventually, receive, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


class Counting(socketserver.BaseRequestHandler):
    """Says hello, waits for the word to end, and keeps count of who runs."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Counted)
        server.running += 1
        server.most = max(server.most, server.running)
        try:
            self.request.sendall(b"hello")
            self.request.recv(1)
        finally:
            server.running -= 1


class Counted(fastsock.LoopTCPServer):
    running = 0
    most = 0


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_requests_run_at_once_than_allowed(backend: str, limit: int) -> None:
    server = Counted(("127.0.0.1", 0), Counting)
    server.concurrency = limit
    with serving(server) as address:
        clients = [connect(address) for _ in range(10)]
        for client in clients:
            assert receive(client, 5) == b"hello"
            client.close()
        eventually(lambda: server.running == 0)
    assert server.most == limit


def test_without_a_limit_all_run_at_once() -> None:
    server = Counted(("127.0.0.1", 0), Counting)
    with serving(server) as address:
        clients = [connect(address) for _ in range(50)]
        for client in clients:
            assert receive(client, 5) == b"hello"
        assert server.most == 50
        for client in clients:
            client.close()


def test_shutdown_is_heard_at_once_while_all_places_are_taken() -> None:
    server = Counted(("127.0.0.1", 0), Counting)
    server.concurrency = 1
    server.shutdown_timeout = 0
    thread = threading.Thread(target=server.serve_forever, args=(60,))
    thread.start()
    with connect(server.server_address) as client:
        assert receive(client, 5) == b"hello"
        start = time.monotonic()
        server.shutdown()
        assert time.monotonic() - start < PATIENCE / 2
        thread.join(PATIENCE)
        assert not thread.is_alive()
    server.server_close()
