"""Files and descriptors made of a ``Socket``, or sent through it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support import all_of, pair, receive

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(params=["loop", "plain"])
def where(request: pytest.FixtureRequest) -> Callable[[Callable[[], None]], None]:
    """Runs the body of a test in a coroutine, or just runs it."""
    return all_of if request.param == "loop" else lambda body: body()


type_of_where = Callable[[Callable[[], None]], None]


def test_descriptors_are_passed_through_it(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            with open(os.devnull) as file:
                socket.send_fds(peer, [b"x"], [file.fileno()])
                data, fds, _, _ = socket.recv_fds(ours, 10, 1)
            assert data == b"x"
            os.close(fds[0])

    where(body)


def test_makefile_reads_and_writes(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            peer.sendall(b"first line\nsecond line\nrest")
            peer.shutdown(socket.SHUT_WR)
            with ours.makefile("r", encoding="ascii") as reader, ours.makefile("wb") as writer:
                ours.close()
                assert reader.readline() == "first line\n"
                assert list(reader) == ["second line\n", "rest"]
                writer.write(b"answer")
            assert receive(peer, 10) == b"answer"
            assert peer.recv(1) == b""

    where(body)


def test_detach_gives_back_a_blocking_descriptor(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            peer.sendall(b"x")
            assert ours.recv(1) == b"x"
            fd = ours.detach()
            assert ours.fileno() == -1
            assert os.get_blocking(fd)
            peer.sendall(b"hello")
            assert os.read(fd, 5) == b"hello"
            os.close(fd)

    where(body)


def test_dup_is_a_socket_of_its_own(where: type_of_where) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            ours.settimeout(5)
            with ours.dup() as copy:
                assert type(copy) is fastsock.Socket
                assert copy.gettimeout() == 5
                ours.close()
                peer.sendall(b"hello")
                assert copy.recv(5) == b"hello"

    where(body)


def test_sendfile_sends_a_part_of_a_file(where: type_of_where, tmp_path: Path) -> None:
    def body() -> None:
        path = tmp_path / "file"
        path.write_bytes(bytes(range(256)) * 100)
        with pair() as (ours, peer), path.open("rb") as file:
            assert ours.sendfile(file, offset=10, count=1000) == 1000
            assert receive(peer, 1000) == path.read_bytes()[10:1010]

    where(body)
