"""A read that stops short of what there is: the rest must not wait for the peer to say more."""

from __future__ import annotations

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import PATIENCE, connect, serving

import fastsock

HERE = ("127.0.0.1", 0)


class Collect(socketserver.BaseRequestHandler):
    """Answers with all that came, once six bytes have. Looks only when all of them have been sent."""

    sent: threading.Event

    def handle(self) -> None:
        self.request.sendall(b"hi")
        assert self.request.recv(100) == b"0"
        self.request.sendall(b"go")
        self.sent.wait(PATIENCE)
        got = b""
        while len(got) < 6 and (data := self.request.recv(100)):
            got += data
        self.request.sendall(got)


@contextmanager
def asked(client: socket.socket) -> Iterator[None]:
    """The body sends while the handler, which has waited for this client before, does not look."""
    client.settimeout(PATIENCE)
    Collect.sent = threading.Event()
    assert client.recv(2) == b"hi"
    client.sendall(b"0")
    assert client.recv(2) == b"go"
    yield
    Collect.sent.set()


def test_bytes_behind_the_urgent_mark_are_received() -> None:
    with serving(fastsock.LoopTCPServer(HERE, Collect)) as address, connect(address) as client:
        with asked(client):
            client.sendall(b"abc")
            client.send(b"!", socket.MSG_OOB)
            client.sendall(b"def")
        assert client.recv(100) == b"abcdef"


def test_bytes_behind_passed_descriptors_are_received(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    server: Any = fastsock.LoopUnixStreamServer(path, Collect)
    with serving(server), socket.socket(socket.AF_UNIX) as client, open(os.devnull) as file:
        client.connect(path)
        with asked(client):
            socket.send_fds(client, [b"abc"], [file.fileno()])
            client.sendall(b"def")
        assert client.recv(100) == b"abcdef"
