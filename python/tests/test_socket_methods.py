"""``fastsock.Socket`` does what ``socket.socket`` does, on the loop and off it."""

from __future__ import annotations

import array
import ctypes
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from support import PATIENCE, all_of, in_thread, pair, receive, tcp_pair

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(params=["loop", "plain"])
def where(request: pytest.FixtureRequest) -> Callable[[Callable[[], None]], None]:
    """Runs the body of a test in a coroutine, or just runs it."""
    return all_of if request.param == "loop" else lambda body: body()


type_of_where = Callable[[Callable[[], None]], None]


def test_it_is_a_socket_and_knows_its_kind() -> None:
    with pair() as (ours, peer):
        assert isinstance(ours, socket.socket)
        assert (ours.family, ours.type, ours.proto) == (peer.family, peer.type, peer.proto)
        assert "fastsock" in repr(ours)


def test_recv_gives_what_there_is_up_to_the_size(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            peer.sendall(b"hello world")
            assert ours.recv(5) == b"hello"
            assert ours.recv(0) == b""
            assert ours.recv(1 << 40) == b" world"
            with pytest.raises(ValueError, match="negative"):
                ours.recv(-1)
            peer.close()
            assert ours.recv(10) == b""

    where(body)


def test_recv_into_fills_any_writable_buffer(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            target = bytearray(8)
            peer.sendall(b"abcdefgh" * 3)
            assert ours.recv_into(target) == 8
            assert ours.recv_into(memoryview(target)[2:], 3) == 3
            assert target == b"ababcfgh"
            numbers = array.array("i", [0, 0])
            assert ours.recv_into(numbers) == 8
            assert ours.recv_into(bytearray()) == 0
            with pytest.raises(ValueError, match="too small"):
                ours.recv_into(target, 9)
            with pytest.raises(ValueError, match="negative"):
                ours.recv_into(target, -1)
            with pytest.raises((TypeError, BufferError)):
                ours.recv_into(b"readonly")

    where(body)


@pytest.mark.parametrize(
    "data",
    [
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"memoryview"),
        memoryview(b"chars").cast("c"),
        array.array("d", [1.5, 2.5]),
        (ctypes.c_int * 3)(1, 2, 3),
        b"",
    ],
    ids=["bytes", "bytearray", "memoryview", "chars", "array", "ctypes", "empty"],
)
def test_anything_with_contiguous_bytes_can_be_sent(where: type_of_where, data: bytes) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            ours.sendall(data)
            assert ours.send(data) == len(bytes(data))
            ours.shutdown(socket.SHUT_WR)
            assert receive(peer, 1000) == bytes(data) * 2

    where(body)


@pytest.mark.parametrize("data", ["text", 5, None, memoryview(b"abcdef")[::2]], ids=["str", "int", "None", "strided"])
def test_what_is_not_contiguous_bytes_is_refused(data: bytes) -> None:
    with pair() as (ours, _), pytest.raises((TypeError, BufferError)):
        ours.sendall(data)


def test_flags_of_recv_mean_what_recv_2_says(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            with pytest.raises(BlockingIOError) as caught:
                ours.recv(5, socket.MSG_DONTWAIT)
            assert caught.value.errno is not None
            with pytest.raises(BlockingIOError):
                ours.recv_into(bytearray(5), 5, socket.MSG_DONTWAIT)
            with pytest.raises(BlockingIOError):
                ours.recvfrom(5, socket.MSG_DONTWAIT)
            with pytest.raises(BlockingIOError):
                ours.recvmsg(5, 0, socket.MSG_DONTWAIT)
            peer.sendall(b"abc")
            assert ours.recv(5, socket.MSG_PEEK) == b"abc"
            assert ours.recv(5) == b"abc"

    where(body)


def test_msg_waitall_waits_for_all_of_it_or_the_end(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):

            def feed() -> None:
                for part in (b"ab", b"cd", b"ef", b"gh"):
                    peer.sendall(part)
                peer.close()

            with in_thread(feed):
                assert ours.recv(3, socket.MSG_WAITALL) == b"abc"
                target = bytearray(4)
                assert ours.recv_into(target, 4, socket.MSG_WAITALL) == 4
                assert target == b"defg"
                assert ours.recv(1 << 30, socket.MSG_WAITALL) == b"h"

    where(body)


def test_more_memory_than_there_is_is_a_memory_error() -> None:
    with pair() as (ours, _), pytest.raises(MemoryError):
        ours.recv(1 << 62, socket.MSG_PEEK)


def test_msg_dontwait_of_send_raises_when_the_peer_does_not_read(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, _):

            def fill() -> None:
                for _ in range(10_000):
                    ours.send(bytes(65536), socket.MSG_DONTWAIT)

            with pytest.raises(BlockingIOError):
                fill()

    where(body)


def test_messages_with_addresses_and_ancillary_data_pass(where: type_of_where, tmp_path: Path) -> None:
    def body() -> None:
        left = fastsock.Socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        right = fastsock.Socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with left, right:
            left.bind(str(tmp_path / "left"))
            right.bind(str(tmp_path / "right"))
            left.sendto(b"one", right.getsockname())
            left.sendto(b"two", 0, right.getsockname())
            left.sendmsg([b"th", b"ree"], [], 0, right.getsockname())
            left.sendto(b"four", right.getsockname())
            assert right.recvfrom(10) == (b"one", left.getsockname())
            target = bytearray(10)
            assert right.recvfrom_into(target, nbytes=5) == (3, left.getsockname())
            assert right.recvmsg(10)[0] == b"three"
            assert right.recvmsg_into([target]) == (4, [], 0, left.getsockname())
        (tmp_path / "left").unlink()
        (tmp_path / "right").unlink()

    where(body)


def test_a_coroutine_that_waits_for_a_datagram_lets_the_others_run() -> None:
    ours, other = fastsock.Socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with ours, other:
        ours.bind(("127.0.0.1", 0))
        got: list[bytes] = []
        all_of(lambda: got.append(ours.recvfrom(10)[0]), lambda: other.sendto(b"hello", ours.getsockname()) and None)
        assert got == [b"hello"]


def test_subclasses_may_override_the_hot_methods() -> None:
    class Loud(fastsock.Socket):
        def recv(self, *args: int) -> bytes:  # type: ignore[override]
            return super().recv(*args).upper()

    left, right = socket.socketpair()
    with Loud(fileno=left.detach()) as ours, right:
        right.sendall(b"hello")
        assert ours.recv(10) == b"HELLO"


def test_the_default_timeout_holds_for_new_and_accepted_sockets(where: type_of_where) -> None:
    def body() -> None:
        socket.setdefaulttimeout(0.03)
        try:
            with fastsock.Socket() as listener:
                assert listener.gettimeout() == 0.03
                listener.bind(("127.0.0.1", 0))
                listener.listen()
                with pytest.raises(TimeoutError):
                    listener.accept()
                with fastsock.Socket() as client:
                    client.connect(listener.getsockname())
                    with listener.accept()[0] as accepted:
                        assert accepted.gettimeout() == 0.03
                        with pytest.raises(TimeoutError):
                            accepted.recv(1)
        finally:
            socket.setdefaulttimeout(None)

    where(body)


def test_ssl_can_wrap_it() -> None:
    with tcp_pair() as (ours, peer):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        wrapped = context.wrap_socket(ours, do_handshake_on_connect=False)
        assert ours.fileno() == -1
        with wrapped:
            wrapped.settimeout(PATIENCE)

            def shake() -> None:
                with pytest.raises(OSError, match=r"."):
                    wrapped.do_handshake()

            with in_thread(shake):
                assert peer.recv(1) == b"\x16"  # a TLS handshake record: the descriptor blocks as it should
                peer.close()


def test_buffers_that_come_from_a_generator_are_filled_after_a_wait() -> None:
    with pair() as (ours, peer):
        buffers = [bytearray(2), bytearray(3)]
        got: list[int] = []

        def receive_them() -> None:
            got.append(ours.recvmsg_into(buffer for buffer in buffers)[0])

        def send_later() -> None:
            fastsock.sleep(0)
            peer.sendall(b"hello")

        all_of(receive_them, send_later)
        assert got == [5]
        assert buffers == [b"he", b"llo"]


def test_messages_from_a_generator_are_sent_after_a_wait(tmp_path: Path) -> None:
    target = str(tmp_path / "receiver")
    with (
        fastsock.Socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(target)
        receiver.setblocking(False)
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            [ours.sendto(b"x", target) for _ in range(10_000)]
        ours.settimeout(PATIENCE)

        def drain() -> None:
            # The sender has found the queue full by now, and waits.
            fastsock.sleep(0)
            with pytest.raises(BlockingIOError):
                [receiver.recv(10) for _ in range(10_000)]

        all_of(lambda: ours.sendmsg((part for part in (b"he", b"llo")), [], 0, target), drain)
        assert receiver.recv(10) == b"hello"


def test_the_mode_of_a_descriptor_that_is_gone_is_an_error() -> None:
    with socket.socket() as owner:
        number = owner.fileno()
        sock = fastsock.Socket(fileno=number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.setblocking(False)
    assert sock.detach() == number
