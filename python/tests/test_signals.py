"""Ctrl-C and other signals, at any moment. Each program here is a process of its own."""

from __future__ import annotations

import signal
import socket
import textwrap

import pytest
from support import Program, connect, receive, run_program

SERVER = """
import os, signal, socketserver, sys, threading, time
import greenlet
import fastsock

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            self.serve()
        except BaseException as error:
            print(type(error).__name__, flush=True)
            raise

    def serve(self):
        {serve}

{before}
with fastsock.LoopTCPServer(("127.0.0.1", 0), Handler) as server:
    server.shutdown_timeout = 0.1
    # What is spawned begins when the server waits.
    fastsock.spawn(print, "READY", server.server_address[1], flush=True)
    try:
        server.serve_forever(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        raise
print("closed", flush=True)
"""

ECHO = """
        while data := self.request.recv(100):
            self.request.sendall(data)
"""
# What is spawned begins when the handler waits.
WAIT = """
        fastsock.spawn(print, "waiting", flush=True)
        self.request.recv(100)
"""
COMPUTE = """
        self.request.sendall(b"computing")
        while True:
            pass
"""
FLOOD = """
        data = bytes(100_000_000)
        fastsock.spawn(print, "waiting", flush=True)
        self.request.sendall(data)
"""
WRITE = """
        data = bytes(100_000_000)
        file = self.request.makefile("wb")
        fastsock.spawn(print, "waiting", flush=True)
        file.write(data)
"""


def server(serve: str = ECHO, before: str = "", backend: str = "epoll") -> Program:
    return Program(
        SERVER.format(serve=serve.strip(), before=textwrap.dedent(before)), env={"FASTSOCK_BACKEND": backend}
    )


@pytest.mark.parametrize("backend", ["epoll", "poll", "select"])
def test_ctrl_c_while_idle_ends_serve_forever_at_once(backend: str) -> None:
    with server(backend=backend) as program:
        program.ready()
        program.kill()
        assert program.line() == "interrupted"
        assert program.end() == -signal.SIGINT


def test_ctrl_c_while_a_handler_waits_in_recv_ends_the_server_and_then_the_handler() -> None:
    with server(WAIT) as program, connect(program.ready()):
        assert program.line() == "waiting"
        program.kill()
        assert [program.line(), program.line()] == ["interrupted", "GreenletExit"]
        assert program.end() == -signal.SIGINT


def test_ctrl_c_while_a_handler_computes_is_raised_there_and_ends_the_server() -> None:
    with server(COMPUTE) as program, connect(program.ready()) as client:
        assert receive(client, 9) == b"computing"
        program.kill()
        assert [program.line(), program.line()] == ["KeyboardInterrupt", "interrupted"]
        assert program.end() == -signal.SIGINT


@pytest.mark.parametrize("serve", [FLOOD, WRITE], ids=["sendall", "write"])
def test_ctrl_c_while_a_handler_waits_to_send_ends_the_server(serve: str) -> None:
    with server(serve) as program, connect(program.ready()):
        assert program.line() == "waiting"
        program.kill()
        assert [program.line(), program.line()] == ["interrupted", "GreenletExit"]
        assert program.end() == -signal.SIGINT


def test_a_second_ctrl_c_ends_the_patience_of_server_close() -> None:
    source = SERVER.replace("shutdown_timeout = 0.1", "shutdown_timeout = 60").replace(
        "        raise\nprint", '        fastsock.spawn(print, "draining", flush=True)\n        raise\nprint'
    )
    with (
        Program(source.format(serve=WAIT.strip(), before="")) as program,
        connect(program.ready()),
    ):
        assert program.line() == "waiting"
        program.kill()
        assert [program.line(), program.line()] == ["interrupted", "draining"]
        program.kill()
        assert program.line() == "GreenletExit"
        assert program.end() == -signal.SIGINT


def test_python_signal_handlers_run_while_the_server_is_idle() -> None:
    before = 'signal.signal(signal.SIGUSR1, lambda *_: print("SIGUSR1", flush=True))'
    with server(before=before) as program:
        address = program.ready()
        for _ in range(20):
            program.kill(signal.SIGUSR1)
            assert program.line() == "SIGUSR1"
        with connect(address) as client:
            client.sendall(b"still here")
            assert receive(client, 10) == b"still here"


def test_a_signal_handler_may_shut_the_server_down() -> None:
    before = "signal.signal(signal.SIGTERM, lambda *_: server.shutdown())"
    with server(before=before) as program:
        program.ready()
        program.kill(signal.SIGTERM)
        assert program.line() == "closed"
        assert program.end() == 0


@pytest.mark.parametrize("serve", [ECHO, COMPUTE], ids=["idle", "computing"])
def test_sys_exit_in_a_signal_handler_ends_the_program_whatever_runs(serve: str) -> None:
    before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))"
    with server(serve, before) as program, connect(program.ready()) as client:
        client.sendall(b"computing")
        assert receive(client, 9) == b"computing"
        program.kill(signal.SIGTERM)
        assert program.end() == 3


def test_a_signal_right_before_the_wait_is_never_missed() -> None:
    status, output, errors = run_program(
        """
        import os, signal, threading
        import fastsock

        ROUNDS = 400
        go = threading.Semaphore(0)

        def interrupt():
            for turn in range(ROUNDS):
                go.acquire()
                for _ in range(turn * 7 % 200):
                    pass
                os.kill(os.getpid(), signal.SIGINT)

        fastsock.run(fastsock.sleep, 0)
        thread = threading.Thread(target=interrupt, daemon=True)
        thread.start()
        seen = 0
        for _ in range(ROUNDS):
            try:
                go.release()
                fastsock.run(fastsock.sleep, 15)
            except KeyboardInterrupt:
                seen += 1
        print(seen)
        """
    )
    assert (status, output.strip()) == (0, "400"), errors


def test_ctrl_c_is_raised_where_run_waits_also_while_another_coroutine_runs() -> None:
    status, output, errors = run_program(
        """
        import os, signal
        import fastsock

        def other():
            while True:
                fastsock.sleep(0)
                os.kill(os.getpid(), signal.SIGINT)

        def main():
            fastsock.spawn(other)
            try:
                fastsock.sleep(30)
            except KeyboardInterrupt:
                return "here"

        print(fastsock.run(main))
        """
    )
    assert (status, output.strip()) == (0, "here"), errors


def test_the_wakeup_descriptor_of_someone_else_stays() -> None:
    status, output, errors = run_program(
        """
        import signal, socket
        import fastsock

        a, b = socket.socketpair()
        b.setblocking(False)
        signal.set_wakeup_fd(b.fileno())
        fastsock.run(fastsock.sleep, 0.01)
        print(signal.set_wakeup_fd(-1) == b.fileno())
        fastsock.run(fastsock.sleep, 0.01)
        print(signal.set_wakeup_fd(-1))
        """
    )
    assert (status, output.split()) == (0, ["True", "-1"]), errors


WRITES = """
import signal, sys
import fastsock

class Handler(fastsock.StreamRequestHandler):
    def handle(self):
        self.server.files.append(self.wfile)
        fastsock.spawn(print, "waiting", flush=True)
        self.rfile.readline()

def on_signal(number, frame):
    for file in server.files:
        file.write(b"signal\\n" * int(sys.argv[1]))

signal.signal(signal.SIGUSR1, on_signal)
with fastsock.LoopTCPServer(("127.0.0.1", 0), Handler) as server:
    server.daemon_threads = True
    server.files = []
    fastsock.spawn(print, "READY", server.server_address[1], flush=True)
    try:
        server.serve_forever(600)
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.parametrize("lines", [1, 9000])
def test_what_a_signals_handler_writes_while_the_loop_idles_is_sent_at_once(lines: int) -> None:
    expected = b"signal\n" * lines
    with Program(WRITES, str(lines)) as program:
        address = program.ready()
        # One of them does not read: the others are not to wait for it.
        with connect(address) as deaf, connect(address) as client:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            assert [program.line(), program.line()] == ["waiting", "waiting"]
            for _ in range(2):
                program.kill(signal.SIGUSR1)
                assert receive(client, len(expected)) == expected
            program.kill(signal.SIGINT)
            assert program.end() == 0
