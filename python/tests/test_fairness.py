"""Nobody keeps the loop to itself, whatever it calls, as long as it calls something of a socket's."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest
from support import all_of, pair

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

#: When to give up hoping for a turn.
MANY = 20_000


def first_of_two(call: Callable[[], object]) -> int:
    """How many calls one coroutine makes before the other has its turn."""
    calls = 0
    turn: list[int] = []

    def poll() -> None:
        nonlocal calls
        while not turn and calls < MANY:
            with contextlib.suppress(BlockingIOError):
                call()
            calls += 1

    all_of(poll, lambda: turn.append(calls))
    return calls


POLLS: dict[str, Callable[[fastsock.Socket], object]] = {
    "recv": lambda sock: sock.recv(1),
    "recv of nothing": lambda sock: sock.recv(1, socket.MSG_DONTWAIT),
    "recv_into": lambda sock: sock.recv_into(bytearray(1)),
    "recvfrom": lambda sock: sock.recvfrom(1),
    "recvfrom_into": lambda sock: sock.recvfrom_into(bytearray(1)),
    "recvmsg": lambda sock: sock.recvmsg(1),
    "recvmsg_into": lambda sock: sock.recvmsg_into([bytearray(1)]),
}


@pytest.mark.parametrize("name", POLLS)
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_who_polls_a_non_blocking_socket_gives_way(name: str, kind: int) -> None:
    left, right = socket.socketpair(socket.AF_UNIX, kind)
    with fastsock.Socket.adopt(left) as ours, right:
        ours.setblocking(False)
        assert first_of_two(lambda: POLLS[name](ours)) < 1000


def test_who_polls_a_non_blocking_socket_hears_of_what_comes() -> None:
    with pair() as (ours, peer):
        ours.setblocking(False)
        got: list[bytes] = []

        def poll() -> None:
            while not got:
                with contextlib.suppress(BlockingIOError):
                    got.append(ours.recv(10))

        all_of(poll, lambda: peer.sendall(b"hello"))
        assert got == [b"hello"]


def test_who_polls_accept_gives_way() -> None:
    with fastsock.Socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        assert first_of_two(listener.accept) < 1000


SENDS: dict[str, Callable[[fastsock.Socket, Any], object]] = {
    "sendto": lambda sock, to: sock.sendto(b"x", to),
    "sendmsg": lambda sock, to: sock.sendmsg([b"x"], [], 0, to),
}


@pytest.mark.parametrize("name", SENDS)
def test_who_sends_datagrams_that_nobody_stops_gives_way(name: str) -> None:
    with fastsock.Socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, socket.socket(type=socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        assert first_of_two(lambda: SENDS[name](sock, sink.getsockname())) < 1000


def test_who_receives_datagrams_that_never_run_out_gives_way() -> None:
    with fastsock.Socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        here = sock.getsockname()

        def refill() -> None:
            # By the C class: what counts here is the receiving.
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", here)

        for receive in (lambda: sock.recvfrom(1), lambda: sock.recv(1), lambda: sock.recv_into(bytearray(1))):
            refill()
            assert first_of_two(lambda receive=receive: (refill(), receive())) < 1000  # type: ignore[misc]
            sock.recv(1)
