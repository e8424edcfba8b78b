"""Forking: the drop-in's ``ForkingMixIn``, and handlers of the loop that fork."""

from __future__ import annotations

import os
import select
import signal
import socket
import socketserver as stdlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, ask, connect, eventually, receive, receive_all, run_program, serving

import fastsock
from fastsock import socketserver

pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    # The tests' own process has threads, and these children do not care.
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),
]

HERE = ("127.0.0.1", 0)


class Pid(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"%d " % os.getpid())
        self.wfile.write(self.rfile.readline())


class DatagramPid(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"%d " % os.getpid() + self.rfile.read())


class Wait(socketserver.BaseRequestHandler):
    """Ends when its client shuts down. (Closing would not do: each child of this process has a copy of the client.)"""

    def handle(self) -> None:
        self.request.sendall(b"%d" % os.getpid())
        self.request.recv(1)


class ForkingUnixServer(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    pass


class ForkingUnixDatagramServer(socketserver.ForkingMixIn, socketserver.UnixDatagramServer):
    pass


def is_reaped(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


STREAMS = [socketserver.ForkingTCPServer, ForkingUnixServer]
DATAGRAMS = [socketserver.ForkingUDPServer, ForkingUnixDatagramServer]
if sys.version_info >= (3, 12):
    STREAMS.append(socketserver.ForkingUnixStreamServer)
    DATAGRAMS.append(socketserver.ForkingUnixDatagramServer)


@pytest.mark.parametrize("make", STREAMS)
def test_every_stream_request_has_a_process_of_its_own_which_is_reaped(make: Any, tmp_path: Path) -> None:
    server = make(str(tmp_path / "socket") if make.address_family == socket.AF_UNIX else HERE, Pid)
    pids = set()
    with serving(server, poll_interval=0.01) as address:
        for _ in range(3):
            pid, word = ask(address, b"hello\n").split(b" ")
            assert word == b"hello\n"
            pids.add(int(pid))
        eventually(lambda: all(map(is_reaped, pids)), "the children are reaped while the server goes on")
    assert len(pids) == 3 and os.getpid() not in pids


@pytest.mark.parametrize("make", DATAGRAMS)
def test_every_datagram_has_a_process_of_its_own_which_is_reaped(make: Any, tmp_path: Path) -> None:
    server = make(str(tmp_path / "socket") if make.address_family == socket.AF_UNIX else HERE, DatagramPid)
    pids = set()
    with serving(server, 0.01) as address, socket.socket(make.address_family, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.bind(str(tmp_path / "client") if make.address_family == socket.AF_UNIX else HERE)
        for _ in range(3):
            client.sendto(b"hello", address)
            pid, word = client.recv(100).split(b" ")
            assert word == b"hello"
            pids.add(int(pid))
        eventually(lambda: all(map(is_reaped, pids)), "the children are reaped while the server goes on")
    assert len(pids) == 3 and os.getpid() not in pids


def test_server_close_waits_for_the_children_unless_told_not_to() -> None:
    for block in (True, False):
        server = socketserver.ForkingTCPServer(HERE, Wait)
        server.block_on_close = block
        with connect(server.server_address) as client:
            server.handle_request()
            pid = int(client.recv(20))
            closer = threading.Thread(target=server.server_close)
            closer.start()
            if block:
                closer.join(0.1)
                assert closer.is_alive()
            else:
                closer.join(PATIENCE)
                assert not closer.is_alive()
                assert not is_reaped(pid)
            client.shutdown(socket.SHUT_WR)
        closer.join(PATIENCE)
        assert not closer.is_alive()
        if not block:
            assert os.waitpid(pid, 0) == (pid, 0)
        assert is_reaped(pid)


def test_only_its_own_children_are_reaped_when_all_places_are_taken() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"]) as other:
        # Ended, and not yet asked about by who started it.
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        server = socketserver.ForkingTCPServer(HERE, Wait)
        server.max_children = 2
        with serving(server, 0.01) as address:
            clients = [connect(address) for _ in range(2)]
            pids = [int(client.recv(20)) for client in clients]
            third = connect(address)
            third.settimeout(0.1)
            with pytest.raises(TimeoutError):
                third.recv(1)
            clients[0].shutdown(socket.SHUT_WR)
            third.settimeout(PATIENCE)
            pids.append(int(third.recv(20)))
            assert is_reaped(pids[0]) and not is_reaped(pids[1])
            for client in (clients[1], third):
                client.shutdown(socket.SHUT_WR)
            for client in (*clients, third):
                client.close()
        assert other.wait(PATIENCE) == 7


def test_a_child_that_someone_else_has_reaped_is_forgotten() -> None:
    with socketserver.ForkingTCPServer(HERE, Wait) as server:
        server.max_children = 1
        for _ in range(3):
            with connect(server.server_address) as client:
                server.handle_request()
                pid = int(client.recv(20))
                client.shutdown(socket.SHUT_WR)
                assert os.waitpid(pid, 0) == (pid, 0)


def test_an_error_in_a_child_is_its_exit_status_and_its_handle_error(tmp_path: Path) -> None:
    class Server(socketserver.ForkingTCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            (tmp_path / "error").write_text(repr(sys.exc_info()[1]))

    class Bad(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            raise LookupError("bad")

    with Server(HERE, Bad) as server, connect(server.server_address) as client:
        server.handle_request()
        assert client.recv(1) == b""
    assert (tmp_path / "error").read_text() == "LookupError('bad')"


def test_the_forking_classes_are_the_stdlibs_too() -> None:
    for name in stdlib.__all__:
        if name.startswith("Forking"):
            assert issubclass(getattr(socketserver, name), getattr(stdlib, name))
            assert getattr(socketserver, name).__module__.startswith("fastsock.")


# -- a fork inside a handler of the loop


class Forks(fastsock.StreamRequestHandler):
    """The child takes over the connection and serves it as a plain program would."""

    def handle(self) -> None:
        self.wfile.write(b"parent %d\n" % os.getpid())
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                assert not fastsock.in_loop()
                self.wfile.write(b"child %d\n" % os.getpid())
                for line in self.rfile:
                    self.wfile.write(b"child got " + line)
                self.request.sendall(b"end\n")
                select.select([], [self.request], [], PATIENCE)
                status = 0
            finally:
                os._exit(status)
        # The connection is shared: it must not be shut down here while the child uses it.
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            fastsock.sleep(0.002)


def test_a_child_forked_in_a_handler_serves_its_client_while_the_loop_goes_on() -> None:
    with serving(fastsock.LoopTCPServer(HERE, Forks)) as address:
        clients = [connect(address) for _ in range(3)]
        for client in clients:
            client.sendall(b"one\n")
        for client in reversed(clients):
            with client, client.makefile("rb") as lines:
                # What the parent wrote before it forked is not behind what the child wrote.
                assert lines.readline() == b"parent %d\n" % os.getpid()
                assert lines.readline().startswith(b"child ")
                assert lines.readline() == b"child got one\n"
                client.sendall(b"two\n")
                assert lines.readline() == b"child got two\n"
                client.shutdown(socket.SHUT_WR)
                assert lines.read() == b"end\n"


def test_a_big_reply_that_the_client_is_slow_to_take_is_whole_before_the_child_writes() -> None:
    class Big(fastsock.StreamRequestHandler):
        def handle(self) -> None:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            self.wfile.write(b"p" * 60_000)
            pid = os.fork()
            if pid == 0:
                try:
                    self.request.sendall(b"child")
                finally:
                    os._exit(0)
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                fastsock.sleep(0.002)

    with serving(fastsock.LoopTCPServer(HERE, Big)) as address, connect(address) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert receive_all(client) == b"p" * 60_000 + b"child"


def test_output_of_other_handlers_is_sent_once_when_one_forks() -> None:
    class Writes(fastsock.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"hello\n")
            if self.rfile.readline() == b"fork\n":
                self.wfile.write(b"before\n")
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
                self.wfile.write(b"after\n")

    with (
        serving(fastsock.LoopTCPServer(HERE, Writes)) as address,
        connect(address) as other,
        connect(address) as client,
    ):
        assert receive(other, 6) == receive(client, 6) == b"hello\n"
        client.sendall(b"fork\n")
        assert receive_all(client) == b"before\nafter\n"
        other.sendall(b"\n")
        assert receive_all(other) == b""


def test_a_datagram_reply_is_not_sent_again_by_the_child() -> None:
    class Forks(fastsock.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.packet.upper())

        def finish(self) -> None:
            super().finish()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)

    server = fastsock.LoopUDPServer(HERE, Forks)
    with serving(server) as address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        for word in (b"one", b"two"):
            client.sendto(word, address)
            assert client.recv(100) == word.upper()
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(100)


def test_a_forking_server_may_run_where_a_loop_has_run() -> None:
    status, output, errors = run_program("""
        import os, socket
        import fastsock
        from fastsock import socketserver

        class Pid(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"%d" % os.getpid())

        fastsock.run(lambda: None)
        with socketserver.ForkingTCPServer(("127.0.0.1", 0), Pid) as server:
            with socket.create_connection(server.server_address, timeout=10) as client:
                server.handle_request()
                print(int(client.recv(100)) != os.getpid())
    """)
    assert (status, output, errors) == (0, "True\n", "")


def test_a_signal_for_the_parent_does_not_reach_the_loop_through_its_child() -> None:
    status, output, errors = run_program("""
        import os, signal, socketserver
        import fastsock

        class Forks(socketserver.BaseRequestHandler):
            def handle(self):
                pid = os.fork()
                if pid == 0:
                    signal.signal(signal.SIGUSR1, lambda *_: os._exit(5))
                    os.kill(os.getpid(), signal.SIGUSR1)
                    os._exit(1)
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
                self.server.shutdown()

        with fastsock.LoopTCPServer(("127.0.0.1", 0), Forks) as server:
            with fastsock.Socket() as client:
                client.setblocking(False)
                client.connect_ex(server.server_address)
                server.serve_forever(60)
    """)
    assert (status, output, errors) == (0, "5\n", "")
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
