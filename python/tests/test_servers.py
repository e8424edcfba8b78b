"""The server classes: every kind of server and handler, on every backend."""

from __future__ import annotations

import socket
import socketserver
import threading
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, ask, connect, receive, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


class Raw(socketserver.BaseRequestHandler):
    """Sends back what comes, in the plainest blocking style."""

    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


class StdlibLines(socketserver.StreamRequestHandler):
    """Line by line, with the stdlib's files."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class Lines(fastsock.StreamRequestHandler):
    """Line by line, with ours."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class Buffered(Lines):
    """With the stdlib's buffered wfile."""

    wbufsize = -1

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)
            self.wfile.flush()


@pytest.mark.parametrize("handler", [Raw, StdlibLines, Lines, Buffered])
def test_tcp_server_answers_on_every_backend(backend: str, handler: type[socketserver.BaseRequestHandler]) -> None:
    with serving(fastsock.LoopTCPServer(("127.0.0.1", 0), handler)) as address:
        with connect(address) as client:
            for text in (b"one\n", b"two\n"):
                client.sendall(text)
                assert receive(client, len(text)) == text
        big = b"".join(b"%d\n" % n for n in range(30_000))
        assert ask(address, big) == big


def test_unix_server_answers_on_every_backend(backend: str, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with serving(fastsock.LoopUnixStreamServer(path, Raw)) as address:
        assert ask(address, b"hello") == b"hello"


def test_unix_client_without_a_name_has_an_empty_address(tmp_path: Path) -> None:
    class Tell(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(repr(self.client_address).encode())

    with serving(fastsock.LoopUnixStreamServer(str(tmp_path / "socket"), Tell)) as address:
        assert ask(address, b"") == b"''"


def test_unix_server_takes_an_abstract_name(tmp_path: Path) -> None:
    with serving(fastsock.LoopUnixStreamServer(b"\0" + bytes(tmp_path), Raw)) as address:
        assert ask(address, b"hello") == b"hello"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_server_tells_the_stdlibs_kind_of_address() -> None:
    class Server(fastsock.LoopTCPServer):
        address_family = socket.AF_INET6

    class Tell(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(repr((self.client_address, self.request.getpeername())).encode())

    try:
        server = Server(("::1", 0), Tell)
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    with serving(server) as address, connect(address) as client:
        told, real = eval(receive(client, 4096).decode())
        assert told == real == client.getsockname()


def test_client_address_and_socket_are_what_the_stdlib_gives() -> None:
    seen: list[Any] = []

    class Look(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append((self.client_address, isinstance(self.request, socket.socket), self.request.gettimeout()))

    with serving(fastsock.LoopTCPServer(("127.0.0.1", 0), Look)) as address, connect(address) as client:
        assert client.recv(1) == b""
        assert seen == [(client.getsockname(), True, None)]


def test_udp_server_of_the_drop_in_answers(backend: str) -> None:
    class Upper(fastsock.socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.read().upper())

    with (
        serving(fastsock.socketserver.ThreadingUDPServer(("127.0.0.1", 0), Upper)) as address,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(PATIENCE)
        for word in (b"one", b"two", b""):
            client.sendto(word, address)
            assert client.recv(100) == word.upper()


def test_unix_datagram_server_of_the_drop_in_answers(tmp_path: Path) -> None:
    class Echo(fastsock.socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(data, self.client_address)

    server = fastsock.socketserver.ThreadingUnixDatagramServer(str(tmp_path / "server"), Echo)
    with serving(server) as address, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.bind(str(tmp_path / "client"))
        client.sendto(b"hello", address)
        assert client.recv(100) == b"hello"


def test_five_hundred_clients_are_served_by_one_thread_while_all_are_connected() -> None:
    with serving(fastsock.LoopTCPServer(("127.0.0.1", 0), Raw)) as address:
        threads = threading.active_count()
        clients = [connect(address) for _ in range(500)]
        try:
            for turn in range(3):
                for number, client in enumerate(clients):
                    client.sendall(b"%d %d" % (turn, number))
                for number, client in enumerate(clients):
                    expected = b"%d %d" % (turn, number)
                    assert receive(client, len(expected)) == expected
            assert threading.active_count() == threads
        finally:
            for client in clients:
                client.close()


def test_a_burst_of_two_thousand_handlers_needs_no_stack_on_top_of_each_other(backend: str) -> None:
    done = []

    def wait() -> None:
        fastsock.sleep(0.2)
        done.append(1)

    def main() -> None:
        group = fastsock.Group()
        for _ in range(2000):
            group.spawn(wait)
        assert group.join(timeout=PATIENCE)

    thread = threading.Thread(target=fastsock.run, args=(main,))
    thread.start()
    thread.join(PATIENCE)
    assert len(done) == 2000


def test_two_servers_in_two_threads_serve_at_once() -> None:
    first = fastsock.LoopTCPServer(("127.0.0.1", 0), Raw)
    second = fastsock.LoopTCPServer(("127.0.0.1", 0), Lines)
    with serving(first) as here, serving(second) as there, connect(here) as one, connect(there) as two:
        for _ in range(100):
            one.sendall(b"a")
            two.sendall(b"b\n")
            assert (receive(one, 1), receive(two, 2)) == (b"a", b"b\n")


def test_two_servers_share_the_loop_of_one_thread() -> None:
    servers = [fastsock.LoopTCPServer(("127.0.0.1", 0), Raw) for _ in range(2)]

    def main() -> None:
        group = fastsock.Group()
        for server in servers:
            group.spawn(server.serve_forever)
        for server in servers:
            with fastsock.Socket() as client:
                client.connect(server.server_address)
                client.sendall(b"hello")
                assert client.recv(10) == b"hello"
            server.shutdown()
        assert group.join(timeout=PATIENCE)

    fastsock.run(main)
    for server in servers:
        server.server_close()
