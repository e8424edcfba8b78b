"""Nothing piles up: connections one after the other, threads one after the other."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Any

import pytest
from support import PATIENCE, all_of, ask, connect, open_fds, parked_greenlets, receive, reset, rss, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


class Lines(fastsock.StreamRequestHandler):
    timeout = PATIENCE

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


@pytest.mark.parametrize("handler", [Echo, Lines])
def test_five_thousand_connections_in_sequence_leave_nothing(handler: type[socketserver.BaseRequestHandler]) -> None:
    server = fastsock.LoopTCPServer(HERE, handler)
    with serving(server) as address:

        def some(count: int) -> None:
            for number in range(count):
                if number % 50 == 49:
                    reset(connect(address))
                else:
                    assert ask(address, b"hello\n") == b"hello\n"

        some(500)
        before = open_fds(), parked_greenlets(), rss()
        some(5000)
        after = open_fds(), parked_greenlets(), rss()
        assert after[0] <= before[0] + 2
        assert after[1] <= before[1] + 2
        assert after[2] <= before[2] + 2_000_000
        assert len(server._threads) <= 2


def test_connections_that_come_and_go_in_crowds_leave_nothing() -> None:
    with serving(fastsock.LoopTCPServer(HERE, Echo)) as address:

        def crowd() -> None:
            clients = [connect(address) for _ in range(300)]
            for client in clients:
                client.sendall(b"x")
            for client in clients:
                assert receive(client, 1) == b"x"
                client.close()

        for _ in range(2):
            crowd()
        before = rss()
        for _ in range(8):
            crowd()
        assert rss() - before < 3_000_000


def test_loops_of_threads_that_end_leave_nothing() -> None:
    def body() -> None:
        def main() -> None:
            group = fastsock.Group()
            for _ in range(20):
                group.spawn(fastsock.sleep, 0.0001)
            group.join()

        fastsock.run(main)

    def some(count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=body)
            thread.start()
            thread.join(PATIENCE)

    some(20)
    before = open_fds(), rss()
    some(200)
    after = open_fds(), rss()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 3_000_000


def test_servers_one_after_the_other_leave_nothing() -> None:
    def some(count: int) -> None:
        for _ in range(count):
            with serving(fastsock.LoopTCPServer(HERE, Echo)) as address:
                assert ask(address, b"hello") == b"hello"

    some(10)
    before = open_fds(), rss()
    some(100)
    after = open_fds(), rss()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 3_000_000


@pytest.mark.parametrize("what", ["timeout", "kill", "send"])
def test_waits_that_end_early_leave_no_timers_or_waiters(what: str) -> None:
    left, right = socket.socketpair()

    def one(sock: Any) -> None:
        group = fastsock.Group()
        sock.settimeout(0.00001 if what == "timeout" else PATIENCE)
        group.spawn(lambda: quietly(sock.recv, 1))
        fastsock.sleep(0)
        if what == "kill":
            group.kill()
        if what == "send":
            right.sendall(b"x")
        group.join()

    def quietly(call: Any, *args: Any) -> None:
        with contextlib.suppress(TimeoutError):
            call(*args)

    with fastsock.Socket.adopt(left) as ours, right:

        def some(count: int) -> None:
            for _ in range(count):
                one(ours)

        all_of(lambda: some(1000))
        before = rss()
        all_of(lambda: some(10_000))
        assert rss() - before < 1_000_000
