"""TLS: servers that wrap the listener, in ``get_request`` or in the handler; silent, slow and senseless clients."""

from __future__ import annotations

import contextlib
import errno
import http.client
import http.server
import logging
import os
import select
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, all_of, connect, eventually, in_thread, receive, serving

import fastsock
from fastsock.tls import TLSSocket

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)
FILES = Path(__file__).parent / "tls"

SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
SERVER.load_cert_chain(FILES / "certificate.pem", FILES / "key.pem")
CLIENT = ssl.create_default_context(cafile=str(FILES / "certificate.pem"))


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.request, ssl.SSLSocket)
        while data := self.request.recv(65536):
            self.request.sendall(data)


class InGetRequest(fastsock.LoopTCPServer):
    """As the documentation of ssl and many programs have it."""

    def get_request(self) -> Any:
        request, address = self.socket.accept()
        return SERVER.wrap_socket(request, server_side=True), address


class WrappedListener(fastsock.LoopTCPServer):
    """``server.socket`` is replaced after construction."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.socket = SERVER.wrap_socket(self.socket, server_side=True)


class WrappedBeforeHandshake(fastsock.LoopTCPServer):
    """The handshake is done by the first read."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.socket = SERVER.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class InFinishRequest(fastsock.LoopTCPServer):
    """The handler's own business."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        with SERVER.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)


class DropIn(fastsock.socketserver.ThreadingTCPServer):
    def get_request(self) -> Any:
        request, address = super().get_request()
        return SERVER.wrap_socket(request, server_side=True), address


SERVERS = [InGetRequest, WrappedListener, WrappedBeforeHandshake, InFinishRequest, DropIn]


def secure(address: Any) -> ssl.SSLSocket:
    """A client's connection, whose every wait has an end."""
    return CLIENT.wrap_socket(connect(address), server_hostname="localhost")


@pytest.mark.parametrize("make", SERVERS)
def test_a_client_that_never_shakes_hands_stops_nobody(make: Any) -> None:
    with serving(make(HERE, Echo)) as address:
        silent = [connect(address) for _ in range(3)]
        for _ in range(3):
            with secure(address) as client:
                client.sendall(b"hello")
                assert receive(client, 5) == b"hello"
        for sock in silent:
            sock.close()


@pytest.mark.parametrize("make", SERVERS)
def test_fifty_clients_at_once_each_get_their_own_bytes(backend: str, make: Any) -> None:
    threads = threading.active_count()
    with serving(make(HERE, Echo)) as address, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(secure(address)) for _ in range(50)]
        assert threading.active_count() == threads + 1
        for turn in range(3):
            for number, client in enumerate(clients):
                client.sendall(b"%d %d" % (turn, number))
            for number, client in enumerate(clients):
                expected = b"%d %d" % (turn, number)
                assert receive(client, len(expected)) == expected


@pytest.mark.parametrize("make", SERVERS)
def test_much_data_both_ways_comes_back_whole(make: Any) -> None:
    data = os.urandom(3_000_000)
    with serving(make(HERE, Echo)) as address, secure(address) as client:
        client.setblocking(False)
        sent, back = 0, bytearray()
        # It writes whenever it can, so that both directions are full at some time. (Not by two threads: an OpenSSL
        # connection is not for two at once.)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while sent < len(data):
                    sent += client.send(data[sent : sent + 100_000])
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while len(back) < len(data):
                    back += client.recv(50_000)
            if len(back) == len(data):
                break
            wanted = [client] if sent < len(data) else []
            readable, writable, _ = select.select([client], wanted, [], PATIENCE)
            assert readable or writable
        assert back == data


def test_the_request_is_an_ssl_socket_that_tells_all_it_should() -> None:
    seen: list[Any] = []

    class Look(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            sock = self.request
            seen.append((type(sock), sock.gettimeout(), sock.getblocking(), sock.version(), sock.server_side))
            seen.append((sock.cipher()[0], sock.getpeername(), self.client_address, sock.pending()))
            sock.sendall(b"x")

    with serving(InGetRequest(HERE, Look)) as address, secure(address) as client:
        assert receive(client, 1) == b"x"
        cipher = client.cipher()
        assert cipher is not None
        assert seen[0] == (TLSSocket, None, True, client.version(), True)
        assert seen[1] == (cipher[0], client.getsockname(), client.getsockname(), 0)


def test_lines_and_files_work_over_tls() -> None:
    class Lines(fastsock.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line.upper())

    with serving(InGetRequest(HERE, Lines)) as address, secure(address) as client, client.makefile("rb") as lines:
        for word in (b"one\n", b"two\n"):
            client.sendall(word)
            assert lines.readline() == word.upper()


def test_http_server_over_tls_answers_while_another_client_says_nothing() -> None:
    class Hello(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args: Any) -> None:
            pass

    class Server(fastsock.LoopMixIn, http.server.HTTPServer):
        pass

    server = Server(HERE, Hello)
    server.socket = SERVER.wrap_socket(server.socket, server_side=True)
    with serving(server) as address, connect(address), secure(address):
        client = http.client.HTTPSConnection("localhost", address[1], context=CLIENT, timeout=PATIENCE)
        for _ in range(3):
            client.request("GET", "/")
            assert client.getresponse().read() == b"hello"
        client.close()


@pytest.mark.parametrize("make", [InGetRequest, WrappedListener])
def test_a_client_that_speaks_something_else_is_one_line_in_the_log(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fastsock")
    with serving(make(HERE, Echo)) as address:
        with connect(address) as plain:
            name = plain.getsockname()
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                while plain.recv(100):
                    pass
        with secure(address) as client:
            client.sendall(b"hello")
            assert receive(client, 5) == b"hello"
    lines = [record.getMessage() for record in caplog.records if str(name) in record.getMessage()]
    assert len(lines) == 1
    assert "no TLS connection" in lines[0]


def test_timeouts_hold_and_delay_nobody() -> None:
    ends: list[str] = []

    class Timed(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(0.05)
            assert self.request.gettimeout() == self.request.timeout == 0.05
            start = time.monotonic()
            try:
                self.request.recv(1)
            except TimeoutError:
                ends.append("recv")
            assert time.monotonic() - start >= 0.05
            try:
                self.request.sendall(bytes(50_000_000))
            except TimeoutError:
                ends.append("sendall")

    with serving(InGetRequest(HERE, Timed)) as address, secure(address) as first, secure(address) as second:
        eventually(lambda: sorted(ends) == ["recv", "recv", "sendall", "sendall"])
        assert first.recv(1) == second.recv(1) == b"\0"


def test_a_listeners_timeout_bounds_the_handshake() -> None:
    class Impatient(fastsock.LoopTCPServer):
        def get_request(self) -> Any:
            request, address = self.socket.accept()
            request.settimeout(0.05)
            return SERVER.wrap_socket(request, server_side=True), address

    with serving(Impatient(HERE, Echo)) as address, connect(address) as silent:
        assert silent.recv(1) == b""
        with secure(address) as client:
            assert client.getpeercert()


def test_a_non_blocking_request_raises_what_ssl_raises() -> None:
    seen: list[Any] = []

    class Poll(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.setblocking(False)
            self.request.sendall(b"x")
            while True:
                try:
                    seen.append(self.request.recv(10))
                    return
                except ssl.SSLWantReadError:
                    seen.append("want")

    with serving(InGetRequest(HERE, Poll)) as address, secure(address) as client, secure(address) as other:
        assert receive(client, 1) == b"x"
        # It polls without a pause; the others have their turns nevertheless.
        assert receive(other, 1) == b"x"
        client.sendall(b"end")
        other.sendall(b"end")
        eventually(lambda: seen.count(b"end") == 2)
        assert "want" in seen


def test_what_two_coroutines_send_does_not_mix() -> None:
    size = 300_000

    class Both(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            group = fastsock.Group()
            for letter in b"ab":
                group.spawn(self.request.sendall, bytes([letter]) * size)
            group.join()

    with serving(InGetRequest(HERE, Both)) as address, secure(address) as client:
        fastsock.sleep(0.05)
        data = receive(client, 2 * size)
        assert data in (b"a" * size + b"b" * size, b"b" * size + b"a" * size)


def test_tls_may_end_and_the_connection_go_on_in_plain() -> None:
    class Unwrap(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            assert self.request.recv(10) == b"stop"
            plain = self.request.unwrap()
            assert plain.recv(10) == b"plain"
            plain.sendall(b"yes")

    with serving(InGetRequest(HERE, Unwrap)) as address, secure(address) as client:
        client.sendall(b"stop")
        plain = client.unwrap()
        plain.sendall(b"plain")
        assert receive(plain, 3) == b"yes"


def test_a_coroutine_may_be_a_tls_client_too() -> None:
    answers: list[Any] = []

    def ask(make: Callable[[Any], socket.socket], word: bytes) -> None:
        with CLIENT.wrap_socket(make(address), server_hostname="localhost") as sock:
            answers.append(type(sock))
            sock.sendall(word)
            answers.append(receive(sock, len(word)))

    def unconnected(address: Any) -> None:
        with CLIENT.wrap_socket(socket.socket(), server_hostname="localhost") as sock:
            sock.connect(address)
            sock.sendall(b"three")
            answers.append(receive(sock, 5))

    def ours(address: Any) -> socket.socket:
        sock = fastsock.Socket()
        sock.connect(address)
        return sock

    with serving(InGetRequest(HERE, Echo)) as address:
        all_of(lambda: ask(connect, b"one"), lambda: ask(ours, b"two"), lambda: unconnected(address))
    assert sorted(map(str, answers)) == sorted(map(str, [TLSSocket, b"one", TLSSocket, b"two", b"three"]))


def test_off_the_loop_wrap_socket_gives_what_it_always_gave() -> None:
    with serving(InGetRequest(HERE, Echo)) as address, secure(address) as client:
        assert type(client) is ssl.SSLSocket
        assert ssl.SSLContext.sslsocket_class is ssl.SSLSocket


def test_a_context_with_a_socket_class_of_its_own_keeps_it() -> None:
    class Mine(ssl.SSLSocket):
        pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FILES / "certificate.pem", FILES / "key.pem")
    context.sslsocket_class = Mine
    seen: list[type] = []

    class Server(fastsock.LoopTCPServer):
        def get_request(self) -> Any:
            request, address = self.socket.accept()
            return context.wrap_socket(request, server_side=True), address

    class Look(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(type(self.request))
            self.request.sendall(b"x")

    with serving(Server(HERE, Look)) as address, secure(address) as client:
        assert receive(client, 1) == b"x"
    assert seen == [Mine]


def test_a_request_used_in_another_thread_blocks_there() -> None:
    class Elsewhere(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            done: list[bytes] = []
            thread = threading.Thread(target=lambda: done.append(self.request.recv(10)))
            thread.start()
            while not done:
                fastsock.sleep(0.002)
            thread.join()
            self.request.sendall(done[0])

    with serving(InGetRequest(HERE, Elsewhere)) as address, secure(address) as client, secure(address) as other:
        client.sendall(b"hello")
        assert receive(client, 5) == b"hello"
        other.sendall(b"too")
        assert receive(other, 3) == b"too"


@pytest.mark.parametrize("make", [InGetRequest, WrappedListener])
def test_server_close_ends_handshakes_that_wait(make: Any) -> None:
    class Short(make):  # type: ignore[misc]
        shutdown_timeout = 0.05

    with contextlib.ExitStack() as stack:
        with serving(Short(HERE, Echo)) as address:
            silent = [stack.enter_context(connect(address)) for _ in range(3)]
            with secure(address) as client:
                client.sendall(b"hello")
                assert receive(client, 5) == b"hello"
        for sock in silent:
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""


def test_handle_request_serves_tls(tmp_path: Path) -> None:
    def ask(address: Any) -> None:
        with secure(address) as client:
            client.sendall(b"hello")
            assert receive(client, 5) == b"hello"

    class Serial(InGetRequest):
        concurrency = 1

    with Serial(HERE, Echo) as server:
        for _ in range(2):
            with in_thread(ask, server.server_address):
                server.handle_request()


def test_concurrency_counts_handshakes_too() -> None:
    class Two(InGetRequest):
        concurrency = 2

    with serving(Two(HERE, Echo)) as address, connect(address) as first, connect(address):
        with connect(address) as third:
            third.settimeout(0.1)
            with pytest.raises(TimeoutError):
                CLIENT.wrap_socket(third, server_hostname="localhost")
        first.close()
        with secure(address) as client:
            client.sendall(b"hello")
            assert receive(client, 5) == b"hello"


def test_what_get_request_raises_leaves_serve_forever_unless_it_is_an_oserror() -> None:
    class Bad(fastsock.LoopTCPServer):
        errors: Iterator[Exception] = iter([OSError(errno.EPROTO, "not this one"), LookupError("the end")])

        def get_request(self) -> Any:
            request, _ = self.socket.accept()
            request.close()
            raise next(self.errors)

    raised: list[BaseException] = []

    def serve(server: Any) -> None:
        try:
            server.serve_forever()
        except LookupError as error:
            raised.append(error)

    with Bad(HERE, Echo) as server, in_thread(serve, server):
        for _ in range(2):
            with connect(server.server_address) as client:
                assert client.recv(1) == b""
    assert [str(error) for error in raised] == ["the end"]


def test_detach_gives_the_descriptor_back_as_it_was() -> None:
    class Detach(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)
            with socket.socket(fileno=self.request.detach()) as sock:
                assert os.get_blocking(sock.fileno())
                sock.sendall(b"raw")

    class Server(InGetRequest):
        def shutdown_request(self, request: Any) -> None:
            pass

    with serving(Server(HERE, Detach)) as address:
        client = secure(address)
        client.sendall(b"x")
        with socket.socket(fileno=client.detach()) as raw:
            raw.settimeout(PATIENCE)
            rest = b""
            while not rest.endswith(b"raw"):
                part = raw.recv(10_000)
                assert part
                rest += part
