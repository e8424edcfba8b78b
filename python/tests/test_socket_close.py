"""Closing: while someone waits, without being asked, from elsewhere; and what the number is used for next."""

from __future__ import annotations

import gc
import os
import socket
import threading
import warnings
from collections.abc import Callable

import pytest
from support import PATIENCE, all_of, in_thread, pair, receive, tcp_pair

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

WAITS: dict[str, Callable[[fastsock.Socket], object]] = {
    "recv": lambda sock: sock.recv(1),
    "recvfrom": lambda sock: sock.recvfrom(1),
    "sendall": lambda sock: sock.sendall(bytes(20_000_000)),
}


@pytest.mark.parametrize("call", WAITS)
def test_closing_ends_the_wait_of_another_coroutine_with_an_error(call: str) -> None:
    with pair() as (ours, _):

        def wait() -> None:
            with pytest.raises(OSError, match="Bad file descriptor"):
                WAITS[call](ours)

        def close() -> None:
            fastsock.sleep(0.005)
            ours.close()

        all_of(wait, close)


@pytest.mark.parametrize("call", WAITS)
def test_closing_in_another_thread_ends_the_wait_of_a_coroutine(call: str) -> None:
    waiting = threading.Event()
    with pair() as (ours, _):

        def close() -> None:
            assert waiting.wait(PATIENCE)
            ours.close()

        def wait() -> None:
            with pytest.raises(OSError, match="Bad file descriptor"):
                WAITS[call](ours)

        with in_thread(close):
            all_of(wait, waiting.set)


def test_closing_ends_the_wait_of_those_who_queue_to_send() -> None:
    with pair() as (ours, _):

        def send() -> None:
            with pytest.raises(OSError, match="Bad file descriptor"):
                ours.sendall(bytes(20_000_000))

        def close() -> None:
            fastsock.sleep(0.005)
            ours.close()

        all_of(send, send, send, close)


@pytest.mark.parametrize("call", [*WAITS, "send", "accept", "makefile"])
def test_a_closed_socket_says_so(call: str) -> None:
    calls = WAITS | {
        "send": lambda sock: sock.send(b"x"),
        "accept": lambda sock: sock.accept(),
        "makefile": lambda sock: sock.makefile("rb").read(1),
    }

    def body() -> None:
        with pair() as (ours, _):
            ours.close()
            with pytest.raises(OSError, match="Bad file descriptor"):
                calls[call](ours)
            ours.close()

    body()
    all_of(body)


def test_a_socket_that_nobody_closes_is_closed_with_the_stdlibs_warning() -> None:
    def body() -> None:
        left, right = socket.socketpair()
        ours = fastsock.Socket.adopt(left)
        fd = ours.fileno()
        right.sendall(b"x")
        assert ours.recv(1) == b"x"
        # On the loop for sure:
        ours.settimeout(0.001)
        with pytest.raises(TimeoutError):
            ours.recv(1)
        held = [ours]
        del ours
        with pytest.warns(ResourceWarning, match="unclosed"):
            held.clear()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
        assert right.recv(1) == b""
        right.close()

    all_of(body)
    body()


def test_a_number_that_is_used_again_wakes_nobody_for_its_past() -> None:
    def body() -> None:
        for _ in range(50):
            with pair() as (ours, peer):
                peer.sendall(b"old")
                assert ours.recv(1) == b"o"
                number = ours.fileno()
                ours.close()
                with pair() as (newcomer, friend):
                    assert number in (newcomer.fileno(), friend.fileno())
                    newcomer.settimeout(0.001)
                    with pytest.raises(TimeoutError):
                        newcomer.recv(1)
                    friend.sendall(b"new")
                    assert receive(newcomer, 3) == b"new"

    all_of(body)


def test_a_number_closed_by_another_thread_and_used_again_is_the_newcomers() -> None:
    def body() -> None:
        for _ in range(50):
            with pair() as (ours, _):
                ours.settimeout(0.001)
                with pytest.raises(TimeoutError):
                    ours.recv(1)
                with in_thread(ours.close):
                    pass
                with pair() as (newcomer, friend):
                    newcomer.settimeout(0.001)
                    with pytest.raises(TimeoutError):
                        newcomer.recv(1)
                    newcomer.settimeout(PATIENCE)
                    friend.sendall(b"new")
                    assert receive(newcomer, 3) == b"new"

    all_of(body)


def test_a_number_that_was_collected_and_used_again_is_the_newcomers() -> None:
    def body() -> None:
        for _ in range(20):
            left, right = socket.socketpair()
            ours = fastsock.Socket.adopt(left)
            ours.settimeout(0.001)
            with pytest.raises(TimeoutError):
                ours.recv(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                del ours
                gc.collect()
            right.close()
            with pair() as (newcomer, friend):
                newcomer.settimeout(PATIENCE)
                friend.sendall(b"x")
                assert newcomer.recv(1) == b"x"

    all_of(body)


def test_shutdown_of_the_peer_ends_the_stream_and_not_the_other_direction() -> None:
    def body() -> None:
        with tcp_pair() as (ours, peer):
            peer.sendall(b"last words")
            peer.shutdown(socket.SHUT_WR)
            assert receive(ours, 100) == b"last words"
            assert ours.recv(1) == b""
            ours.sendall(b"still here")
            assert receive(peer, 10) == b"still here"

    all_of(body)


def test_shutdown_of_ones_own_reading_side_ends_ones_wait() -> None:
    with tcp_pair() as (ours, _):
        got: list[bytes] = []

        def stop() -> None:
            fastsock.sleep(0.005)
            ours.shutdown(socket.SHUT_RD)

        all_of(lambda: got.append(ours.recv(1)), stop)
        assert got == [b""]
