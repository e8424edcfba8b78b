"""Servers whose listening socket is not the one that their constructor made."""

from __future__ import annotations

import socket
import socketserver
from typing import Any

import pytest
from support import ask, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


def test_the_servers_socket_may_be_replaced(backend: str) -> None:
    server = fastsock.LoopTCPServer(HERE, Echo, bind_and_activate=False)
    server.server_close()
    server.socket = socket.create_server(HERE)
    server.server_address = server.socket.getsockname()
    with serving(server) as address:
        assert ask(address, b"hello") == b"hello"
        assert ask(address, b"again") == b"again"


def test_the_servers_socket_may_be_made_of_a_given_descriptor() -> None:
    listener = socket.create_server(HERE)
    server = fastsock.LoopTCPServer(HERE, Echo, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.fromfd(listener.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    server.server_address = listener.getsockname()
    listener.close()
    with serving(server) as address:
        assert ask(address, b"hello") == b"hello"


def test_a_server_that_is_only_a_base_server_with_a_descriptor_serves() -> None:
    class Server(fastsock.LoopMixIn, socketserver.BaseServer):
        def __init__(self) -> None:
            self.listener = socket.create_server(HERE)
            super().__init__(self.listener.getsockname(), Echo)

        def fileno(self) -> int:
            return self.listener.fileno()

        def get_request(self) -> Any:
            return self.listener.accept()

        def shutdown_request(self, request: Any) -> None:
            request.close()

        def server_close(self) -> None:
            super().server_close()
            self.listener.close()

    with serving(Server()) as address:
        assert ask(address, b"hello") == b"hello"
