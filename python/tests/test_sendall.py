"""Sends: big ones, many at once on one socket, killed in the middle."""

from __future__ import annotations

import hashlib
import socket
import threading
from typing import Any

import pytest
from support import PATIENCE, all_of, in_thread, pair, receive, tcp_pair

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


def reader(peer: socket.socket, size: int, got: list[bytes]) -> threading.Thread:
    """Receives so many bytes in a thread."""
    thread = threading.Thread(target=lambda: got.append(receive(peer, size)))
    thread.start()
    return thread


def blocks_of(data: bytes, size: int) -> list[int]:
    """The byte that each block consists of; fails when one is mixed."""
    assert len(data) % size == 0
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    for number, block in enumerate(blocks):
        assert block.count(block[0]) == size, f"block {number} is not of one sender"
    return [block[0] for block in blocks]


@pytest.mark.parametrize("place", ["loop", "plain"])
def test_fifty_megabytes_arrive_whole_at_a_slow_reader(place: str) -> None:
    data = bytes(range(256)) * 200_000
    digest = hashlib.sha256()

    def read(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        left = len(data)
        while left:
            part = peer.recv(200_000)
            digest.update(part)
            left -= len(part)

    with tcp_pair() as (ours, peer), in_thread(read, peer):
        if place == "loop":
            all_of(lambda: ours.sendall(data))
        else:
            ours.sendall(data)
    assert digest.digest() == hashlib.sha256(data).digest()


def test_what_coroutines_send_at_once_never_mixes() -> None:
    size = 1_000_000
    got: list[bytes] = []
    with tcp_pair() as (ours, peer):
        thread = reader(peer, 20 * size, got)
        all_of(*[lambda n=number: ours.sendall(bytes([n]) * size) for number in range(20)])  # type: ignore[misc]
        thread.join(PATIENCE)
    assert sorted(blocks_of(got[0], size)) == list(range(20))


def test_sendmsg_and_send_wait_for_the_end_of_a_sendall() -> None:
    size = 3_000_000
    got: list[bytes] = []
    with pair() as (ours, peer):

        def small() -> None:
            fastsock.sleep(0)
            assert ours.sendmsg([b"b"]) == 1
            assert ours.send(b"b") == 1

        def read() -> None:
            fastsock.sleep(0.01)
            thread.start()

        thread = threading.Thread(target=lambda: got.append(receive(peer, 2 * size + 4)))
        all_of(lambda: ours.sendall(b"a" * size), small, small, lambda: ours.sendall(b"a" * size), read)
        thread.join(PATIENCE)
    assert got[0].replace(b"b", b"") == b"a" * (2 * size)
    assert got[0][:size] == b"a" * size
    assert got[0].count(b"b") == 4


def test_a_sender_that_is_killed_in_the_queue_passes_its_turn_on() -> None:
    size = 2_000_000
    got: list[bytes] = []
    killed = fastsock.Group()
    with pair() as (ours, peer):

        def victim() -> None:
            ours.sendall(b"v" * size)

        def main() -> None:
            group = fastsock.Group()
            group.spawn(ours.sendall, b"a" * size)
            fastsock.sleep(0)
            killed.spawn(victim)
            killed.spawn(victim)
            fastsock.sleep(0)
            group.spawn(ours.sendall, b"b" * size)
            fastsock.sleep(0)
            assert killed.kill() == 2
            thread = reader(peer, 2 * size, got)
            assert killed.join(timeout=PATIENCE)
            assert group.join(timeout=PATIENCE)
            thread.join(PATIENCE)

        fastsock.run(main)
    assert got[0] == b"a" * size + b"b" * size


def test_a_sender_whose_timeout_runs_out_in_the_queue_passes_its_turn_on() -> None:
    size = 2_000_000
    got: list[bytes] = []
    with pair() as (ours, peer):

        def impatient() -> None:
            ours.settimeout(0.01)
            with pytest.raises(TimeoutError):
                ours.sendall(b"v" * size)
            ours.settimeout(PATIENCE)

        def last() -> None:
            fastsock.sleep(0.05)
            thread.append(reader(peer, 2 * size, got))
            ours.sendall(b"b" * size)

        thread: list[threading.Thread] = []
        ours.settimeout(PATIENCE)
        all_of(lambda: ours.sendall(b"a" * size), impatient, last)
        thread[0].join(PATIENCE)
    assert got[0] == b"a" * size + b"b" * size


def test_a_thread_and_a_coroutine_send_in_turns() -> None:
    size = 1_000_000
    got: list[bytes] = []
    with tcp_pair() as (ours, peer):
        thread = reader(peer, 40 * size, got)

        def by_thread() -> None:
            for _ in range(20):
                ours.sendall(b"t" * size)

        def by_coroutine() -> None:
            for _ in range(10):
                ours.sendall(b"c" * size)

        with in_thread(by_thread):
            all_of(by_coroutine, by_coroutine)
        thread.join(PATIENCE)
    assert sorted(blocks_of(got[0], size)) == sorted(b"t" * 20 + b"c" * 20)


def test_a_thread_whose_send_ends_wakes_the_loop_that_queues() -> None:
    size = 4_000_000
    got: list[bytes] = []
    begun = threading.Event()
    with pair() as (ours, peer):

        def by_thread() -> None:
            begun.set()
            ours.sendall(b"t" * size)

        def by_coroutine() -> None:
            ours.sendall(b"c" * 10)
            # Nothing else could wake the loop now.

        with in_thread(by_thread):
            assert begun.wait(PATIENCE)
            thread = threading.Timer(0.05, lambda: got.append(receive(peer, size + 10)))
            thread.start()
            all_of(by_coroutine)
        thread.join(PATIENCE)
    assert sorted(got[0])[:10] == [ord("c")] * 10
    assert got[0].count(b"c" * 10) == 1


def test_two_coroutines_that_read_one_socket_are_an_error_that_says_so() -> None:
    errors: list[Any] = []
    with pair() as (ours, peer):

        def read() -> None:
            try:
                errors.append(ours.recv(1))
            except RuntimeError as error:
                errors.append(str(error))
                peer.sendall(b"x")

        all_of(read, read)
    assert errors == ["another coroutine waits to read from this socket already: one reader at a time", b"x"]


def test_one_reads_while_another_writes_the_same_socket() -> None:
    size = 5_000_000
    with tcp_pair() as (ours, peer):
        sent: list[bytes] = []
        received: list[bytes] = []
        thread = reader(peer, size, sent)
        other = threading.Thread(target=peer.sendall, args=(b"r" * size,))
        other.start()
        all_of(lambda: ours.sendall(b"w" * size), lambda: received.append(receive(ours, size)))
        thread.join(PATIENCE)
        other.join(PATIENCE)
    assert (sent, received) == ([b"w" * size], [b"r" * size])


def test_a_bytearray_that_is_being_sent_cannot_be_resized() -> None:
    data = bytearray(5_000_000)
    got: list[bytes] = []
    with tcp_pair() as (ours, peer):

        def resize() -> None:
            with pytest.raises(BufferError):
                data.clear()
            threads.append(reader(peer, len(data), got))

        threads: list[threading.Thread] = []
        all_of(lambda: ours.sendall(data), resize)
        threads[0].join(PATIENCE)
    data.clear()
    assert len(got[0]) == 5_000_000
