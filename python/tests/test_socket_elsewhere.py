"""A ``Socket`` off its loop: in another thread, in a forked child, on another loop, with no loop at all."""

from __future__ import annotations

import os
import signal
import socketserver
import threading
import time

import pytest
from support import PATIENCE, all_of, ask, connect, in_thread, pair, receive, run_program, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


def test_with_no_loop_it_blocks_like_any_socket() -> None:
    with pair() as (ours, peer):
        threading.Timer(0.01, peer.sendall, (b"hello",)).start()
        assert ours.recv(5) == b"hello"


def test_a_blocked_call_without_a_loop_runs_signal_handlers() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        with pair() as (ours, peer):

            def interrupt() -> None:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                while not seen:
                    time.sleep(0.001)
                peer.sendall(b"x")

            with in_thread(interrupt):
                assert ours.recv(1) == b"x"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_a_thread_that_uses_a_handlers_socket_blocks_alone_and_the_loop_goes_on() -> None:
    class Delegate(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1) == b"d":
                thread = threading.Thread(target=self.talk)
                thread.start()
                while thread.is_alive():
                    fastsock.sleep(0.001)
            else:
                self.request.sendall(b"quick")

        def talk(self) -> None:
            while data := self.request.recv(100):
                self.request.sendall(data.upper())

    with serving(fastsock.LoopTCPServer(HERE, Delegate)) as address, connect(address) as client:
        client.sendall(b"d")
        for _ in range(10):
            assert ask(address, b"x") == b"quick"
            client.sendall(b"hello")
            assert receive(client, 5) == b"HELLO"


def test_a_socket_may_go_from_one_threads_loop_to_no_loop_and_to_another() -> None:
    with pair() as (ours, peer):

        def once() -> None:
            def body() -> None:
                peer.sendall(b"x")
                assert ours.recv(1) == b"x"
                ours.settimeout(0.001)
                with pytest.raises(TimeoutError):
                    ours.recv(1)
                ours.settimeout(PATIENCE)

            all_of(body)

        for _ in range(3):
            with in_thread(once):
                pass
            once_more = threading.Timer(0.005, peer.sendall, (b"y",))
            once_more.start()
            assert ours.recv(1) == b"y"


def test_a_coroutine_waits_on_a_socket_that_another_threads_loop_knows_by_blocking() -> None:
    release = threading.Event()
    known = threading.Event()
    with pair() as (ours, peer):

        def owner() -> None:
            def body() -> None:
                ours.settimeout(0.001)
                with pytest.raises(TimeoutError):
                    ours.recv(1)
                ours.settimeout(PATIENCE)
                known.set()
                while not release.is_set():
                    fastsock.sleep(0.001)

            all_of(body)

        with in_thread(owner):
            assert known.wait(PATIENCE)
            peer.sendall(b"x")
            got: list[bytes] = []
            all_of(lambda: got.append(ours.recv(1)))
            release.set()
        assert got == [b"x"]


def test_a_forked_child_uses_the_socket_and_leaves_the_parents_loop_alone() -> None:
    class Fork(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            word = self.request.recv(10)
            if word != b"fork":
                self.request.sendall(word)
                return
            pid = os.fork()
            if pid == 0:
                try:
                    # Blocks, as there is no loop here; the parent's other connections are none of its business.
                    self.request.sendall(b"child " + self.request.recv(100))
                finally:
                    os._exit(0)
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                fastsock.sleep(0.002)
            self.request.sendall(b" parent")

    server = fastsock.LoopTCPServer(HERE, Fork)
    with serving(server) as address, connect(address) as steady, connect(address) as client:
        client.sendall(b"fork")
        assert ask(address, b"first") == b"first"
        client.sendall(b"hello")
        assert receive(client, 18) == b"child hello parent"
        assert ask(address, b"second") == b"second"
        steady.sendall(b"x")
        assert steady.recv(1) == b"x"


def test_output_written_before_a_fork_is_sent_once_by_the_parent() -> None:
    class Fork(fastsock.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"written before. ")
            pid = os.fork()
            if pid == 0:
                try:
                    self.wfile.write(b"child. ")
                    self.wfile.flush()
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
            self.wfile.write(b"parent.")

    with serving(fastsock.LoopTCPServer(HERE, Fork)) as address:
        assert ask(address, b"") == b"written before. child. parent."


def test_a_child_that_returns_from_the_handler_ends_with_an_error_and_not_in_the_parents_loop() -> None:
    status, output, errors = run_program(
        """
        import os, socketserver, sys, threading
        import fastsock

        class Fork(socketserver.BaseRequestHandler):
            def handle(self):
                if os.fork() == 0:
                    return
                pid, status = os.wait()
                print(os.waitstatus_to_exitcode(status), flush=True)
                self.server.shutdown()

        import socket
        with fastsock.LoopTCPServer(("127.0.0.1", 0), Fork) as server:
            client = socket.create_connection(server.server_address)
            server.serve_forever()
            client.close()
        """
    )
    assert (status, output.strip()) == (0, "1"), errors
    assert "the child has left the loop" in errors


def test_a_listener_made_before_a_fork_serves_in_the_children() -> None:
    status, output, errors = run_program(
        """
        import os, signal, socketserver, socket
        import fastsock

        fastsock.run(fastsock.sleep, 0)

        class Tell(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.sendall(b"%d" % os.getpid())

        server = fastsock.LoopTCPServer(("127.0.0.1", 0), Tell)
        pids = []
        for _ in range(2):
            pid = os.fork()
            if pid == 0:
                server.serve_forever()
                os._exit(0)
            pids.append(pid)
        for _ in range(10):
            with socket.create_connection(server.server_address, timeout=10) as client:
                assert int(client.recv(100)) in pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        server.server_close()
        print("ok")
        """
    )
    assert (status, output.strip()) == (0, "ok"), errors
