"""Servers whose listening socket is not the one that their constructor made."""

from __future__ import annotations

import os
import socket
import socketserver
from typing import Any

import pytest
from support import ask, connect, receive_all, serving

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


def test_two_servers_share_a_port_with_allow_reuse_port() -> None:
    class Shared(fastsock.LoopTCPServer):
        allow_reuse_port = True

    with serving(Shared(HERE, Echo)) as address:
        assert ask(address, b"one") == b"one"
        second = Shared(address, Echo)
        assert second.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 1
        with serving(second):
            # The kernel chooses; whoever gets it answers.
            for _ in range(20):
                assert ask(address, b"two") == b"two"


def test_a_dual_stack_server_tells_ipv4_clients_by_their_mapped_address() -> None:
    seen: list[Any] = []

    class Dual(fastsock.LoopTCPServer):
        address_family = socket.AF_INET6

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

        def verify_request(self, request: Any, client_address: Any) -> bool:
            seen.append(client_address[0])
            return True

    try:
        server = Dual(("::", 0), Echo)
    except OSError as error:
        pytest.skip(f"no IPv6: {error}")
    with serving(server) as address:
        for host in ("127.0.0.1", "::1"):
            assert ask((host, address[1]), b"hello") == b"hello"
    assert seen == ["::ffff:127.0.0.1", "::1"]


@pytest.mark.parametrize("by_hand", [False, True])
def test_requests_may_be_no_sockets_at_all(by_hand: bool) -> None:
    """A server of what comes through a pipe."""
    reader, writer = os.pipe()
    lines: list[bytes] = []

    class Pipe(fastsock.LoopMixIn, socketserver.BaseServer):
        timeout = 0.05

        def fileno(self) -> int:
            return reader

        def get_request(self) -> Any:
            return os.read(reader, 10), "the pipe"

        def handle_timeout(self) -> None:
            lines.append(b"timeout")

    class Note(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            fastsock.sleep(0)
            lines.append(self.request)
            if not by_hand:
                self.server.shutdown()

    server = Pipe("the pipe", Note)
    os.write(writer, b"hello")
    if by_hand:
        server.handle_request()
        server.handle_request()
        server.server_close()
    else:
        server.serve_forever()
    assert lines == [b"hello", b"timeout"][: 1 + by_hand]
    os.close(reader)
    os.close(writer)


def test_a_get_request_that_waits_for_its_client_stops_nobody() -> None:
    class Greeted(fastsock.LoopTCPServer):
        """As a PROXY header is read, before anything else may happen."""

        def get_request(self) -> Any:
            request, _ = super().get_request()
            name = b""
            while not name.endswith(b"\n"):
                name += request.recv(1)
            return request, name

    class Tell(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(self.client_address)

    with serving(Greeted(HERE, Tell)) as address, connect(address) as silent:
        assert ask(address, b"first\n") == b"first\n"
        silent.sendall(b"second\n")
        assert receive_all(silent) == b"second\n"
