"""Datagram servers: batches, order, what overrides see, senders that do not read."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, eventually, in_thread, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Upper(fastsock.DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


class StdlibUpper(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


class Plain(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        sock.sendto(data.upper(), self.client_address)


@contextlib.contextmanager
def udp_client(family: int = socket.AF_INET) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        yield client


def queue_up(address: Any, words: list[bytes]) -> socket.socket:
    """A client whose datagrams are all in the server's queue."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(PATIENCE)
    for word in words:
        client.sendto(word, address)
    return client


@pytest.mark.parametrize("handler", [Upper, StdlibUpper, Plain])
@pytest.mark.parametrize("make", [fastsock.LoopUDPServer, fastsock.socketserver.ThreadingUDPServer])
def test_udp_server_answers_on_every_backend(backend: str, make: Any, handler: Any) -> None:
    with serving(make(HERE, handler)) as address, udp_client() as client:
        for word in (b"one", b"", b"three", b"x" * 8192):
            client.sendto(word, address)
            assert client.recvfrom(10_000) == (word.upper(), address)


@pytest.mark.parametrize("handler", [Upper, StdlibUpper, Plain])
@pytest.mark.parametrize("make", [fastsock.LoopUnixDatagramServer, fastsock.socketserver.ThreadingUnixDatagramServer])
def test_unix_datagram_server_answers(backend: str, tmp_path: Path, make: Any, handler: Any) -> None:
    with serving(make(str(tmp_path / "server"), handler)) as address, udp_client(socket.AF_UNIX) as client:
        client.bind(str(tmp_path / "client"))
        for word in (b"one", b"", b"three"):
            client.sendto(word, address)
            assert client.recvfrom(100) == (word.upper(), address)


def test_unix_client_without_a_name_has_none_as_its_address(tmp_path: Path) -> None:
    seen: list[Any] = []
    done = threading.Event()

    class Look(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(self.client_address)
            done.set()

    server = fastsock.LoopUnixDatagramServer(str(tmp_path / "server"), Look)
    with serving(server) as address, udp_client(socket.AF_UNIX) as client:
        client.sendto(b"hello", address)
        assert done.wait(PATIENCE)
    assert seen == [None]


def test_ipv6_udp_server_answers_with_the_stdlibs_kind_of_address() -> None:
    seen: list[Any] = []

    class Server(fastsock.LoopUDPServer):
        address_family = socket.AF_INET6

    class Look(Upper):
        def handle(self) -> None:
            seen.append(self.client_address)
            super().handle()

    try:
        server = Server(("::1", 0), Look)
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    with serving(server) as address, udp_client(socket.AF_INET6) as client:
        client.bind(("::1", 0))
        client.sendto(b"hello", address)
        assert client.recvfrom(100) == (b"HELLO", address)
        assert seen == [client.getsockname()]


def test_a_dual_stack_udp_server_answers_ipv4_and_ipv6() -> None:
    class Dual(fastsock.LoopUDPServer):
        address_family = socket.AF_INET6

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

    try:
        server = Dual(("::", 0), Upper)
    except OSError as error:
        pytest.skip(f"no IPv6: {error}")
    with serving(server) as address:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with udp_client(family) as client:
                client.sendto(b"hello", (host, address[1]))
                assert client.recv(100) == b"HELLO"


def test_the_request_is_the_data_and_the_servers_own_socket() -> None:
    seen: list[Any] = []
    done = threading.Event()

    class Look(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append((self.request, self.client_address))
            done.set()

    server = fastsock.LoopUDPServer(HERE, Look)
    with serving(server) as address, udp_client() as client:
        client.bind(HERE)
        client.sendto(b"hello", address)
        assert done.wait(PATIENCE)
        assert seen == [((b"hello", server.socket), client.getsockname())]
        assert isinstance(server.socket, socket.socket)


def test_datagrams_are_handled_in_the_order_in_which_they_came() -> None:
    words = [b"%d" % n for n in range(200)]  # as many as the kernel keeps
    server = fastsock.LoopUDPServer(HERE, Upper)
    with queue_up(server.server_address, words) as client, serving(server):
        assert [client.recv(100) for _ in words] == words


def test_a_handler_that_waits_does_not_hold_the_others() -> None:
    release = threading.Event()

    class Slow(Upper):
        def handle(self) -> None:
            word = self.rfile.read()
            while word == b"slow" and not release.is_set():
                fastsock.sleep(0.002)
            self.wfile.write(word)

    with serving(fastsock.LoopUDPServer(HERE, Slow)) as address, udp_client() as client:
        client.sendto(b"slow", address)
        for _ in range(3):
            client.sendto(b"fast", address)
            assert client.recv(100) == b"fast"
        release.set()
        assert client.recv(100) == b"slow"


def test_concurrency_bounds_datagrams_in_hand() -> None:
    running: list[int] = []
    most: list[int] = []

    class Count(Upper):
        def handle(self) -> None:
            running.append(1)
            most.append(len(running))
            fastsock.sleep(0.001)
            running.pop()
            super().handle()

    server = fastsock.LoopUDPServer(HERE, Count)
    server.concurrency = 2
    words = [b"%d" % n for n in range(40)]
    with queue_up(server.server_address, words) as client, serving(server):
        assert sorted(client.recv(100) for _ in words) == sorted(words)
    assert max(most) == 2


def test_plain_udp_server_of_the_drop_in_stays_serial() -> None:
    assert fastsock.socketserver.UDPServer is socketserver.UDPServer
    with serving(fastsock.socketserver.UDPServer(HERE, Upper)) as address, udp_client() as client:
        client.sendto(b"hello", address)
        assert client.recv(100) == b"HELLO"


# -- override points


def test_an_overridden_get_request_is_called_for_each_datagram_of_a_batch() -> None:
    class Server(fastsock.LoopUDPServer):
        calls = 0

        def get_request(self) -> Any:
            (data, sock), address = super().get_request()
            self.calls += 1
            return (data + b"!", sock), address

    server = Server(HERE, Upper)
    words = [b"%d" % n for n in range(100)]
    with queue_up(server.server_address, words) as client, serving(server):
        assert [client.recv(100) for _ in words] == [word + b"!" for word in words]
    assert server.calls >= 100


def test_a_get_request_of_recvmsg_sees_every_datagram_with_its_control_data() -> None:
    class Server(fastsock.LoopUDPServer):
        def server_bind(self) -> None:
            super().server_bind()
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0)
            self.socket.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS, ip(7)

        def get_request(self) -> Any:
            data, control, _, address = self.socket.recvmsg(100, 100)
            return (data + b" %d" % len(control), self.socket), address

    server = Server(HERE, Upper)
    words = [b"%d" % n for n in range(50)]
    with queue_up(server.server_address, words) as client, serving(server):
        assert [client.recv(100) for _ in words] == [word + b" 1" for word in words]


def test_verify_request_and_process_request_see_each_datagram() -> None:
    stages: list[Any] = []

    class Server(fastsock.LoopUDPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            stages.append(("verify", request[0]))
            return bool(request[0] != b"no")

        def process_request(self, request: Any, client_address: Any) -> None:
            stages.append(("process", request[0]))
            super().process_request(request, client_address)

    server = Server(HERE, Upper)
    with queue_up(server.server_address, [b"a", b"no", b"b"]) as client, serving(server):
        assert [client.recv(100), client.recv(100)] == [b"A", b"B"]
    assert [word for stage, word in stages if stage == "verify"] == [b"a", b"no", b"b"]
    assert [word for stage, word in stages if stage == "process"] == [b"a", b"b"]


def test_max_packet_size_cuts_what_is_longer() -> None:
    class Server(fastsock.LoopUDPServer):
        max_packet_size = 5

    server = Server(HERE, Upper)
    with queue_up(server.server_address, [b"short", b"rather long"]) as client, serving(server):
        assert [client.recv(100), client.recv(100)] == [b"SHORT", b"RATHE"]


def test_a_server_may_use_another_address_for_the_reply() -> None:
    with udp_client() as elsewhere:
        elsewhere.bind(HERE)
        target = elsewhere.getsockname()

        class Divert(Upper):
            def setup(self) -> None:
                self.client_address = ("localhost", target[1])  # a name, which must be looked up
                super().setup()

        server = fastsock.LoopUDPServer(HERE, Divert)
        with queue_up(server.server_address, [b"hello"]), serving(server):
            assert elsewhere.recv(100) == b"HELLO"


# -- the batch and the rest of the world


def test_what_was_received_before_a_shutdown_is_served_by_the_next_serve_forever() -> None:
    class Server(fastsock.LoopUDPServer):
        count = 0

        def process_request(self, request: Any, client_address: Any) -> None:
            self.count += 1
            if self.count == 3:
                self.shutdown()
            super().process_request(request, client_address)

    server = Server(HERE, Upper)
    words = [b"%d" % n for n in range(20)]
    with queue_up(server.server_address, words) as client:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        thread.join(PATIENCE)
        assert server.count == 3
        with serving(server):
            assert [client.recv(100) for _ in words] == words


def test_what_was_received_before_a_shutdown_is_there_for_every_way_to_receive() -> None:
    class Server(fastsock.LoopUDPServer):
        def process_request(self, request: Any, client_address: Any) -> None:
            self.shutdown()

    server = Server(HERE, Upper)
    words = [b"%d word" % n for n in range(9)]
    with queue_up(server.server_address, words) as client, server:
        address = client.getsockname()
        server.serve_forever()
        sock = server.socket
        buffer = bytearray(4)
        assert sock.recv(100, socket.MSG_PEEK) == b"1 word"
        assert sock.recv(1) == b"1"
        assert sock.recvfrom(100) == (b"2 word", ("127.0.0.1", address[1]))
        assert (sock.recv_into(buffer), bytes(buffer)) == (4, b"3 wo")
        assert (sock.recvfrom_into(buffer, 1)[0], bytes(buffer)) == (1, b"4 wo")
        server.handle_request()
        server._handle_request_noblock()  # type: ignore[attr-defined]
        assert sock.recv(100) == b"7 word"
        assert sock.recv(100) == b"8 word"
        with pytest.raises(BlockingIOError):
            sock.recv(100, socket.MSG_DONTWAIT)


def test_handle_request_takes_no_more_than_one_datagram_from_the_kernel() -> None:
    with fastsock.LoopUDPServer(HERE, Upper) as server, queue_up(server.server_address, [b"a", b"b"]) as client:
        for word in (b"A", b"B"):
            # A program with a loop of its own looks at the descriptor.
            readable, _, _ = select.select([server], [], [], PATIENCE)
            assert readable
            server.handle_request()
            assert client.recv(100) == word


def test_a_foreign_loop_may_drive_datagrams_by_hand() -> None:
    with fastsock.LoopUDPServer(HERE, Upper) as server, queue_up(server.server_address, [b"a", b"b"]) as client:
        for word in (b"A", b"B"):
            server._handle_request_noblock()  # type: ignore[attr-defined]
            assert client.recv(100) == word


def test_a_reply_goes_out_before_the_next_turn_even_when_its_handler_was_the_last() -> None:
    with serving(fastsock.LoopUDPServer(HERE, Upper), poll_interval=PATIENCE * 3) as address, udp_client() as client:
        start = time.monotonic()
        client.sendto(b"hello", address)
        assert client.recv(100) == b"HELLO"
        assert time.monotonic() - start < PATIENCE


def test_a_reply_is_sent_before_what_is_sent_after_it() -> None:
    class Then(Upper):
        def finish(self) -> None:
            super().finish()
            self.socket.sendto(b"after", self.client_address)

    with serving(fastsock.LoopUDPServer(HERE, Then)) as address, udp_client() as client:
        for _ in range(3):
            client.sendto(b"before", address)
            assert (client.recv(100), client.recv(100)) == (b"BEFORE", b"after")


def test_replies_are_sent_before_the_server_is_closed() -> None:
    class Last(fastsock.LoopUDPServer):
        def process_request_thread(self, request: Any, client_address: Any) -> None:
            super().process_request_thread(request, client_address)
            self.server_close()

    server = Last(HERE, Upper)
    with queue_up(server.server_address, [b"hello"]) as client:
        with in_thread(server.serve_forever):
            assert client.recv(100) == b"HELLO"
        server.server_close()


def test_a_reply_that_cannot_be_sent_is_the_servers_handle_error() -> None:
    errors: list[Any] = []

    class Server(fastsock.LoopUDPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            errors.append((sys.exc_info()[0], request[0], client_address))

    class Long(fastsock.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(bytes(100_000) if self.packet == b"long" else self.packet)

    server = Server(HERE, Long)
    with queue_up(server.server_address, [b"a", b"long", b"b"]) as client, serving(server):
        assert [client.recv(100), client.recv(100)] == [b"a", b"b"]
        eventually(lambda: errors)
        assert errors == [(OSError, b"long", ("127.0.0.1", client.getsockname()[1]))]


@pytest.mark.parametrize("handler", [Upper, Plain])
def test_unix_client_that_does_not_read_delays_nobody_else(tmp_path: Path, handler: Any) -> None:
    server = fastsock.LoopUnixDatagramServer(str(tmp_path / "server"), handler)
    with (
        serving(server) as address,
        udp_client(socket.AF_UNIX) as deaf,
        udp_client(socket.AF_UNIX) as client,
    ):
        deaf.bind(str(tmp_path / "deaf"))
        client.bind(str(tmp_path / "client"))
        # More than the queue of a Unix socket holds (net.unix.max_dgram_qlen), for which the replies have to wait.
        many = 3 * int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
        for number in range(many):
            deaf.sendto(b"%d" % number, address)
            client.sendto(b"hello", address)
            assert client.recv(100) == b"HELLO"
        assert sorted(int(deaf.recv(100)) for _ in range(many)) == list(range(many))


@pytest.mark.parametrize("on_loop", [True, False])
def test_sending_to_a_full_unix_queue_waits_for_room_and_keeps_its_timeout(tmp_path: Path, on_loop: bool) -> None:
    run: Callable[..., Any] = fastsock.run if on_loop else lambda call: call()
    with udp_client(socket.AF_UNIX) as deaf, fastsock.Socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        target = str(tmp_path / "deaf")
        deaf.bind(target)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            [sock.sendto(b"x", target) for _ in range(10_000)]
        with pytest.raises(BlockingIOError):
            sock.sendmsg([b"x"], [], socket.MSG_DONTWAIT, target)
        sock.settimeout(0.05)
        for call in (lambda: sock.sendto(b"x", target), lambda: sock.sendmsg([b"x"], [], 0, target)):
            start = time.process_time()
            with pytest.raises(TimeoutError):
                run(call)
            assert time.process_time() - start < 0.04, "it spins"
        sock.settimeout(None)
        reader = threading.Timer(0.05, deaf.recv, [10])
        reader.start()
        assert run(lambda: sock.sendto(b"last", target)) == 4
        reader.join(PATIENCE)


def test_two_udp_servers_on_one_loop_do_not_mix_their_replies() -> None:
    class Name(fastsock.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"%d " % self.server.server_address[1] + self.packet)

    servers = [fastsock.LoopUDPServer(HERE, Name) for _ in range(2)]
    words = [b"%d" % n for n in range(50)]
    with (
        queue_up(servers[0].server_address, words) as first,
        queue_up(servers[1].server_address, words) as second,
        in_thread(fastsock.serve, *servers),
    ):
        for client, server in ((first, servers[0]), (second, servers[1])):
            port = server.server_address[1]
            assert [client.recv(100) for _ in words] == [b"%d " % port + word for word in words]
        for server in servers:
            server.shutdown()
    for server in servers:
        server.server_close()


def test_a_batch_is_one_system_call_to_receive_and_one_to_send(tmp_path: Path) -> None:
    strace = "/usr/bin/strace"
    if not os.access(strace, os.X_OK):
        pytest.skip("strace is not installed")
    program = """
import socket, fastsock
class Upper(fastsock.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.packet.upper())
with fastsock.LoopUDPServer(("127.0.0.1", 0), Upper) as server:
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(30)]
    for client in clients:
        client.sendto(b"hello", server.server_address)
    def ask():
        fastsock.sleep(0.05)
        server.shutdown()
    fastsock.spawn(ask)
    server.serve_forever()
    for client in clients:
        client.settimeout(10)
        assert client.recv(100) == b"HELLO"
"""
    log = tmp_path / "trace"
    subprocess.run(
        [
            strace,
            "-f",
            "-e",
            "trace=recvmmsg,sendmmsg,recvfrom,sendto,sendmsg",
            "-o",
            str(log),
            sys.executable,
            "-c",
            program,
        ],
        check=True,
        timeout=PATIENCE * 2,
    )
    trace = log.read_text()
    assert trace.count("sendmmsg(") == 1
    assert trace.count("recvmmsg(") == 1
