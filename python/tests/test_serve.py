"""``fastsock.serve``: several servers on one loop."""

from __future__ import annotations

import contextlib
import http.server
import signal
import socket
import socketserver
import threading
from typing import Any

import pytest
from support import PATIENCE, Program, ask, connect, in_thread, receive

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


class Thread(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"%d" % threading.get_ident())


def test_several_servers_share_one_thread() -> None:
    class Http(fastsock.LoopMixIn, http.server.HTTPServer):
        pass

    class Upper(fastsock.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.packet.upper())

    with (
        fastsock.LoopTCPServer(HERE, Thread) as first,
        fastsock.LoopTCPServer(HERE, Thread) as second,
        fastsock.LoopUDPServer(HERE, Upper) as udp,
        in_thread(fastsock.serve, first, second, udp) as thread,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        assert ask(first.server_address, b"") == ask(second.server_address, b"") == b"%d" % (thread.ident or 0)
        client.settimeout(PATIENCE)
        client.sendto(b"hello", udp.server_address)
        assert client.recv(100) == b"HELLO"
        for server in (first, second, udp):
            server.shutdown()


def test_shutdown_of_one_ends_one_and_of_all_ends_the_call() -> None:
    with (
        fastsock.LoopTCPServer(HERE, Echo) as first,
        fastsock.LoopTCPServer(HERE, Echo) as second,
        in_thread(fastsock.serve, first, second) as thread,
    ):
        assert ask(first.server_address, b"a") == ask(second.server_address, b"a") == b"a"
        first.shutdown()
        with connect(first.server_address) as waiting:
            assert ask(second.server_address, b"b") == b"b"
            waiting.settimeout(0.05)
            waiting.sendall(b"nobody accepts")
            with pytest.raises(TimeoutError):
                waiting.recv(1)
        assert thread.is_alive()
        second.shutdown()


def test_a_server_whose_turn_has_ended_may_be_served_again() -> None:
    with fastsock.LoopTCPServer(HERE, Echo) as first, fastsock.LoopTCPServer(HERE, Echo) as second:
        for _ in range(3):
            with in_thread(fastsock.serve, first, second):
                assert ask(first.server_address, b"a") == ask(second.server_address, b"a") == b"a"
                second.shutdown()
                first.shutdown()


def test_shutdown_before_serve_ends_that_server_at_once() -> None:
    with fastsock.LoopTCPServer(HERE, Echo) as first, fastsock.LoopTCPServer(HERE, Echo) as second:
        first.shutdown()
        second.shutdown()
        with in_thread(fastsock.serve, first, second):
            pass


def test_a_handler_may_shut_down_its_own_server() -> None:
    class Stop(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.server.shutdown()

    with (
        fastsock.LoopTCPServer(HERE, Stop) as first,
        fastsock.LoopTCPServer(HERE, Stop) as second,
        in_thread(fastsock.serve, first, second),
    ):
        assert ask(second.server_address, b"") == b""
        assert ask(first.server_address, b"") == b""


def test_the_handlers_of_a_server_that_was_shut_down_end_before_its_close_returns() -> None:
    ended: list[str] = []

    class Slow(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"x")
            try:
                self.request.recv(1)
            finally:
                ended.append("slow")

    class Short(fastsock.LoopTCPServer):
        shutdown_timeout = 0.1

    with (
        Short(HERE, Slow) as first,
        fastsock.LoopTCPServer(HERE, Echo) as second,
        in_thread(fastsock.serve, first, second),
    ):
        with connect(first.server_address) as client:
            assert receive(client, 1) == b"x"
            first.shutdown()
            first.server_close()
            assert ended == ["slow"]
        assert ask(second.server_address, b"b") == b"b"
        second.shutdown()


def test_an_error_in_one_ends_all_and_is_raised() -> None:
    class Broken(fastsock.LoopTCPServer):
        def service_actions(self) -> None:
            raise LookupError("broken")

    with fastsock.LoopTCPServer(HERE, Echo) as first, Broken(HERE, Echo) as second:
        raised: list[BaseException] = []

        def serve() -> None:
            try:
                fastsock.serve(first, second)
            except LookupError as error:
                raised.append(error)

        with in_thread(serve):
            connect(second.server_address).close()
        assert [str(error) for error in raised] == ["broken"]
        # As if they had never been served: nothing is left over that would end the next one.
        with in_thread(fastsock.serve, first):
            assert ask(first.server_address, b"a") == b"a"
            first.shutdown()


def test_what_cannot_be_served_is_an_error_that_says_what_to_do() -> None:
    with socketserver.TCPServer(HERE, Echo) as plain, fastsock.LoopTCPServer(HERE, Echo) as server:
        with pytest.raises(TypeError, match="LoopMixIn"):
            fastsock.serve(plain)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="twice"):
            fastsock.serve(server, server)
        with pytest.raises(TypeError):
            fastsock.serve()  # type: ignore[call-arg]


PROGRAM = """
import fastsock, socketserver

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"x")
        self.request.recv(1)

class Server(fastsock.LoopTCPServer):
    shutdown_timeout = 0.1

with Server(("127.0.0.1", 0), Echo) as one, Server(("127.0.0.1", 0), Echo) as two:
    fastsock.spawn(lambda: print("READY", one.server_address[1], flush=True))
    fastsock.spawn(lambda: print("READY", two.server_address[1], flush=True))
    try:
        fastsock.serve(one, two)
    except KeyboardInterrupt:
        print("interrupted", one._BaseServer__is_shut_down.is_set(), two._BaseServer__is_shut_down.is_set(), flush=True)
print("closed", flush=True)
"""


@pytest.mark.parametrize("busy", [False, True])
def test_ctrl_c_ends_all(busy: bool) -> None:
    with Program(PROGRAM) as program, contextlib.ExitStack() as stack:
        # READY comes from the loop, perhaps before both have begun to serve: an answer tells that they have.
        for address in [program.ready(), program.ready()]:
            client = stack.enter_context(connect(address))
            assert receive(client, 1) == b"x"
            if not busy:
                client.close()
        program.kill(signal.SIGINT)
        assert program.line() == "interrupted True True"
        assert program.line() == "closed"
        assert program.end() == 0
        assert "Traceback" not in program.stderr


def test_servers_may_be_served_inside_a_loop_that_runs() -> None:
    answers: list[Any] = []

    def main() -> None:
        with fastsock.LoopTCPServer(HERE, Echo) as first, fastsock.LoopTCPServer(HERE, Echo) as second:
            group = fastsock.Group()
            group.spawn(fastsock.serve, first, second)
            for server in (first, second):
                with fastsock.Socket() as client:
                    client.connect(server.server_address)
                    client.sendall(b"hello")
                    answers.append(client.recv(10))
                server.shutdown()
            assert group.join(timeout=PATIENCE)

    fastsock.run(main)
    assert answers == [b"hello", b"hello"]
