"""Every override point of the stdlib's servers stays one."""

from __future__ import annotations

import itertools
import socket
import socketserver
import sys
import threading
import time
from typing import Any

import pytest
from support import PATIENCE, ask, connect, eventually, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


class Failing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        raise LookupError("not here")


def test_get_request_may_return_a_plain_socket() -> None:
    types: list[type] = []

    class Server(fastsock.LoopTCPServer):
        def get_request(self) -> tuple[Any, Any]:
            request, address = super().get_request()
            types.append(type(request))
            plain = socket.socket(fileno=request.detach())
            return plain, ("changed", address[1])

    class Tell(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            types.append(type(self.request))
            fastsock.sleep(0.001)
            self.request.sendall(self.client_address[0].encode())

    with serving(Server(HERE, Tell)) as address:
        assert ask(address, b"") == b"changed"
    assert types == [fastsock.Socket, fastsock.Socket]


def test_get_request_may_return_what_is_no_socket() -> None:
    class Server(fastsock.LoopTCPServer):
        def get_request(self) -> Any:
            request, address = super().get_request()
            return (request, "extra"), address

        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request[0])

    class Tell(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            sock, extra = self.request
            sock.sendall(extra.encode())

    with serving(Server(HERE, Tell)) as address:
        assert ask(address, b"") == b"extra"


def test_get_request_may_raise_oserror_and_the_server_goes_on() -> None:
    class Server(fastsock.LoopTCPServer):
        failures = 0

        def get_request(self) -> Any:
            request, address = super().get_request()
            if self.failures == 0:
                self.failures = 1
                request.close()
                raise OSError("not this one")
            return request, address

    with serving(Server(HERE, Echo)) as address:
        with connect(address) as client:
            assert client.recv(1) == b""
        assert ask(address, b"second") == b"second"


def test_verify_request_turns_clients_away() -> None:
    class Server(fastsock.LoopTCPServer):
        welcome = False

        def verify_request(self, request: Any, client_address: Any) -> bool:
            self.welcome = not self.welcome
            return not self.welcome

    with serving(Server(HERE, Echo)) as address:
        with connect(address) as client:
            assert client.recv(1) == b""
        assert ask(address, b"second") == b"second"


def test_the_stages_of_a_request_are_called_in_the_stdlibs_order() -> None:
    stages: list[str] = []

    class Server(fastsock.LoopTCPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            stages.append("verify_request")
            return super().verify_request(request, client_address)

        def process_request(self, request: Any, client_address: Any) -> None:
            stages.append("process_request")
            super().process_request(request, client_address)

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            stages.append("process_request_thread")
            super().process_request_thread(request, client_address)

        def finish_request(self, request: Any, client_address: Any) -> None:
            stages.append("finish_request")
            super().finish_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            stages.append("shutdown_request")
            super().shutdown_request(request)

        def close_request(self, request: Any) -> None:
            stages.append("close_request")
            super().close_request(request)

    with serving(Server(HERE, Echo)) as address:
        assert ask(address, b"hello") == b"hello"
    assert stages == [
        "verify_request",
        "process_request",
        "process_request_thread",
        "finish_request",
        "shutdown_request",
        "close_request",
    ]


def test_process_request_may_hand_the_request_to_a_thread_of_its_own() -> None:
    threads: set[int] = set()

    class Server(fastsock.LoopTCPServer):
        def process_request(self, request: Any, client_address: Any) -> None:
            thread = threading.Thread(target=self.process_request_thread, args=(request, client_address))
            self.last = thread
            thread.start()

    class Slow(Echo):
        def handle(self) -> None:
            threads.add(threading.get_ident())
            super().handle()

    server = Server(HERE, Slow)
    with serving(server) as address:
        assert ask(address, b"hello") == b"hello"
        server.last.join(PATIENCE)
        assert threads == {server.last.ident}


def test_process_request_that_raises_is_reported_and_closes_the_connection() -> None:
    errors: list[str] = []

    class Server(fastsock.LoopTCPServer):
        def process_request(self, request: Any, client_address: Any) -> None:
            raise LookupError("refused")

        def handle_error(self, request: Any, client_address: Any) -> None:
            errors.append(repr(sys.exc_info()[1]))

    with serving(Server(HERE, Echo)) as address, connect(address) as client:
        assert client.recv(1) == b""
    assert errors == ["LookupError('refused')"]


def test_handle_error_sees_the_live_exception_and_may_raise_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(("hook", args.exc_type, args.thread)))

    class Server(fastsock.LoopTCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            seen.append(sys.exc_info()[0])
            raise

    with serving(Server(HERE, Failing)) as address:
        assert ask(address, b"") == b""
        eventually(lambda: len(seen) == 2)
        assert ask(address, b"") == b""
    assert seen[:2] == [LookupError, ("hook", LookupError, seen[1][2])]


def test_service_actions_are_called_in_every_poll_interval() -> None:
    calls: list[float] = []
    enough = threading.Event()

    class Server(fastsock.LoopTCPServer):
        def service_actions(self) -> None:
            calls.append(time.monotonic())
            if len(calls) >= 10:
                enough.set()

    with serving(Server(HERE, Echo), poll_interval=0.01):
        assert enough.wait(PATIENCE)
    gaps = [later - earlier for earlier, later in itertools.pairwise(calls)]
    assert min(gaps) >= 0.009


def test_service_actions_go_on_while_all_places_are_taken() -> None:
    calls: list[int] = []

    class Server(fastsock.LoopTCPServer):
        concurrency = 1

        def service_actions(self) -> None:
            calls.append(1)

    with serving(Server(HERE, Echo), poll_interval=0.01) as address, connect(address) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        before = len(calls)
        eventually(lambda: len(calls) >= before + 5)


def test_attributes_may_be_set_before_the_constructor_is_called() -> None:
    class Server(fastsock.LoopTCPServer):
        def __init__(self) -> None:
            self.allow_reuse_address = True
            self.concurrency = 3
            self.database = {"answer": b"42"}
            super().__init__(HERE, Tell)

    class Tell(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(self.server.database["answer"])  # type: ignore[attr-defined]

    with serving(Server()) as address:
        assert ask(address, b"") == b"42"


def test_a_handler_may_poke_the_servers_private_shutdown_flag() -> None:
    class Stop(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.server._BaseServer__shutdown_request = True  # type: ignore[attr-defined]

    server = fastsock.LoopTCPServer(HERE, Stop)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    ask(server.server_address, b"")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert server._BaseServer__is_shut_down.is_set()
    server.server_close()


def test_a_foreign_loop_may_drive_requests_by_hand() -> None:
    with fastsock.LoopTCPServer(HERE, Echo) as server:
        for word in (b"one", b"two"):
            with connect(server.server_address) as client:
                client.sendall(word)
                client.shutdown(socket.SHUT_WR)
                server._handle_request_noblock()  # type: ignore[attr-defined]
                assert client.recv(10) == word


def test_the_context_manager_closes_and_fileno_tells_the_descriptor() -> None:
    with fastsock.LoopTCPServer(HERE, Echo) as server:
        assert server.fileno() == server.socket.fileno() >= 0
    assert server.socket.fileno() == -1


def test_the_class_may_be_changed_before_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socketserver.TCPServer, "allow_reuse_address", True)
    with fastsock.LoopTCPServer(HERE, Echo) as server:
        assert server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
