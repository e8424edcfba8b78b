"""``wfile``: written together, and gone before anyone could wait for it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, all_of, ask, connect, eventually, pair, receive, receive_all, reset, serving, tcp_pair

import fastsock
from fastsock._fastsock import Writer

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


def served(handle: Callable[[Any], object], **attributes: Any) -> Any:
    """A server whose handler does this."""
    handler = type("Handler", (fastsock.StreamRequestHandler,), {"handle": handle} | attributes)
    return serving(fastsock.LoopTCPServer(HERE, handler))


def write_much(file: Writer) -> None:
    """More than the kernel takes, with waits in between."""
    for _ in range(100):
        file.write(bytes(60_000))
        fastsock.sleep(0)


def test_a_client_that_waits_for_the_reply_before_it_sends_more_is_never_stuck() -> None:
    def handle(self: Any) -> None:
        self.wfile.write(b"name? ")
        name = self.rfile.readline()
        self.wfile.write(b"age? ")
        age = self.rfile.readline()
        self.wfile.write(name.strip() + b" " + age.strip())

    with served(handle) as address, connect(address) as client:
        assert receive(client, 6) == b"name? "
        client.sendall(b"Ada\n")
        assert receive(client, 5) == b"age? "
        client.sendall(b"36\n")
        assert receive_all(client) == b"Ada 36"


def test_what_was_written_goes_out_before_a_sleep() -> None:
    done: list[int] = []

    def handle(self: Any) -> None:
        self.wfile.write(b"before")
        eventually(lambda: done)

    with served(handle) as address, connect(address) as client:
        assert receive(client, 6) == b"before"
        done.append(1)


def test_what_was_written_goes_out_before_a_wait_on_another_socket() -> None:
    with pair() as (other, far):

        def handle(self: Any) -> None:
            self.wfile.write(b"before")
            self.wfile.write(other.recv(5))

        with served(handle) as address, connect(address) as client:
            assert receive(client, 6) == b"before"
            far.sendall(b"after")
            assert receive(client, 5) == b"after"


@pytest.mark.parametrize("wait", ["join", "queue"])
def test_what_was_written_goes_out_before_other_waits(wait: str) -> None:
    release: list[int] = []
    with pair() as (other, far):
        far.settimeout(PATIENCE)

        def handle(self: Any) -> None:
            group = fastsock.Group()
            if wait == "join":
                group.spawn(eventually, lambda: release)
                self.wfile.write(b"before")
                group.join()
            else:
                group.spawn(other.sendall, bytes(1_000_000))
                fastsock.sleep(0)
                self.wfile.write(b"before")
                other.sendall(b"x")

        with served(handle) as address, connect(address) as client:
            assert receive(client, 6) == b"before"
            release.append(1)
            if wait == "queue":
                assert receive(far, 1_000_001)[-1:] == b"x"


def test_writes_and_sends_on_one_socket_keep_their_order() -> None:
    def handle(self: Any) -> None:
        self.wfile.write(b"1")
        self.request.sendall(b"2")
        self.wfile.write(b"3")
        self.request.send(b"4")
        self.wfile.write(b"5")
        self.request.sendmsg([b"6"])
        self.wfile.writelines([b"7", b"8"])
        with self.request.makefile("wb") as file:
            file.write(b"9")

    with served(handle) as address:
        assert ask(address, b"") == b"123456789"


def test_much_is_written_whole_and_in_order() -> None:
    parts = [bytes([n % 256]) * (n * 37 % 5000) for n in range(500)] + [b"z" * 200_000, b"end"]

    def handle(self: Any) -> None:
        for part in parts:
            assert self.wfile.write(part) == len(part)

    with served(handle) as address:
        assert ask(address, b"") == b"".join(parts)


def test_a_write_that_blocks_goes_on_when_the_peer_reads() -> None:
    with pair() as (ours, peer):

        def write() -> None:
            file = Writer(ours._channel)
            for _ in range(100):
                file.write(b"x" * 20_000)

        def read() -> None:
            fastsock.sleep(0.01)
            with fastsock.Socket.adopt(peer.dup()) as reader:
                assert receive(reader, 2_000_000) == b"x" * 2_000_000

        all_of(write, read)


def test_what_two_coroutines_write_while_one_of_them_is_blocked_goes_out_in_order() -> None:
    with pair() as (ours, peer):
        file = Writer(ours._channel)

        def write() -> None:
            for _ in range(10):
                file.write(b"a" * 60_000)
            file.write(b"<end of a>")

        def other() -> None:
            file.write(b"b")
            fastsock.sleep(0)
            file.write(b"b")
            # It need not wait for the end of what is being sent: the sender takes this along.
            fastsock.sleep(0.01)
            threads.append(threading.Thread(target=lambda: got.append(receive(peer, 600_012))))
            threads[0].start()

        got: list[bytes] = []
        threads: list[threading.Thread] = []
        all_of(write, other)
        threads[0].join(PATIENCE)
        assert got[0].replace(b"b", b"").replace(b"<end of a>", b"") == b"a" * 600_000
        assert got[0].count(b"b") == 2


def test_it_is_sent_at_once_at_flush_at_64_kib_and_off_the_loop() -> None:
    def pending(peer: socket.socket) -> int:
        try:
            return len(peer.recv(1 << 20))
        except BlockingIOError:
            return 0

    def body() -> None:
        with pair() as (ours, peer):
            peer.setblocking(False)
            file = Writer(ours._channel)
            file.write(b"x" * 1000)
            assert pending(peer) == 0
            file.flush()
            assert pending(peer) == 1000
            for _ in range(65):
                file.write(b"x" * 1000)
            assert pending(peer) == 0
            file.write(b"x" * 1000)
            assert pending(peer) == 66_000

    all_of(body)
    with pair() as (ours, peer):
        Writer(ours._channel).write(b"now")
        assert pending(peer) == 3


def test_what_is_written_last_goes_out_when_the_socket_is_closed_shut_down_or_detached() -> None:
    def close(self: Any) -> None:
        self.wfile.write(b"bye")
        self.rfile.close()
        self.request.close()

    def shutdown(self: Any) -> None:
        self.wfile.write(b"bye")
        self.request.shutdown(socket.SHUT_WR)

    def detach(self: Any) -> None:
        self.wfile.write(b"bye")
        socket.socket(fileno=self.request.detach()).close()

    for handle in (close, shutdown, detach):
        with served(handle) as address, connect(address) as client:
            assert receive_all(client) == b"bye"


def test_writing_to_a_peer_that_is_gone_is_an_oserror_in_the_end() -> None:
    with tcp_pair() as (ours, peer):

        def body() -> None:
            file = Writer(ours._channel)
            reset(peer)
            with pytest.raises(ConnectionError):
                write_much(file)

        all_of(body)


def test_a_broadcast_to_many_that_do_not_read_needs_no_deep_stack() -> None:
    pairs = [socket.socketpair() for _ in range(400)]
    ours = [fastsock.Socket.adopt(left) for left, _ in pairs]
    filled: list[int] = []

    def write() -> None:
        files = [Writer(sock._channel) for sock in ours]
        for sock in ours:
            sock.setblocking(False)
            size = 0
            with contextlib.suppress(BlockingIOError):
                for _ in range(1000):
                    size += sock.send(bytes(65536))
            filled.append(size)
            sock.setblocking(True)
        for file in files:
            file.write(b"broadcast")
        # All of it is to go out before this coroutine waits, and none of it can.
        fastsock.sleep(0)
        for sock in ours:
            sock.close()

    def read() -> None:
        for size, (_, right) in zip(filled, pairs, strict=True):
            with fastsock.Socket.adopt(right) as reader:
                assert receive(reader, size + 9)[-9:] == b"broadcast"

    all_of(write, read)


def test_a_timeout_while_it_is_sent_is_told_to_the_next_write() -> None:
    def body() -> None:
        with pair() as (ours, _):
            ours.settimeout(0.01)
            file = Writer(ours._channel)
            with pytest.raises(TimeoutError):
                write_much(file)

    all_of(body)
