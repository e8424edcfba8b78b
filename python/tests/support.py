"""What the tests share: servers in threads, programs in processes, clients that never wait for ever."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import greenlet

import fastsock

#: Seconds after which something that should have happened has not.
PATIENCE = 20.0


@contextlib.contextmanager
def serving(server: Any, poll_interval: float = 0.5) -> Iterator[Any]:
    """The server's address, while it serves in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, args=(poll_interval,), daemon=True)
    thread.start()
    try:
        yield server.server_address
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "serve_forever did not return"
        server.server_close()


def connect(address: Any) -> socket.socket:
    """A client's socket, connected, whose every wait has an end."""
    if isinstance(address, (str, bytes)):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        client.connect(address)
        return client
    return socket.create_connection(address[:2], timeout=PATIENCE)


def receive(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, or fewer at the end of the stream."""
    parts = []
    while size > 0 and (part := sock.recv(min(size, 1 << 20))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive_all(sock: socket.socket) -> bytes:
    """Everything up to the end of the stream."""
    return receive(sock, sys.maxsize)


def ask(address: Any, request: bytes) -> bytes:
    """Sends, ends its side, and gives back everything that comes."""
    with connect(address) as client:
        with contextlib.suppress(OSError):  # the server may have closed already
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
        return receive_all(client)


def reset(sock: socket.socket) -> None:
    """Closes a TCP connection with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


@contextlib.contextmanager
def pair() -> Iterator[tuple[fastsock.Socket, socket.socket]]:
    """One of ours and a plain one, connected with each other."""
    left, right = socket.socketpair()
    right.settimeout(PATIENCE)
    with fastsock.Socket.adopt(left) as ours, right:
        yield ours, right


@contextlib.contextmanager
def tcp_pair() -> Iterator[tuple[fastsock.Socket, socket.socket]]:
    """As ``pair``, over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = connect(listener.getsockname())
        accepted, _ = listener.accept()
    with fastsock.Socket.adopt(accepted) as ours, peer:
        yield ours, peer


@contextlib.contextmanager
def in_thread(call: Callable[..., object], *args: Any) -> Iterator[threading.Thread]:
    """Runs the call beside the block, and fails when it raises or does not end after the block."""
    raised: list[BaseException] = []

    def body() -> None:
        try:
            call(*args)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    yield thread
    thread.join(PATIENCE)
    assert not thread.is_alive(), f"{call} did not return"
    if raised:
        raise raised[0]


def all_of(*calls: Callable[[], object]) -> None:
    """Runs each call as a coroutine, until all have returned; raises the first thing that one has raised."""
    raised: list[BaseException] = []

    def body(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    def main() -> None:
        group = fastsock.Group()
        for call in calls:
            group.spawn(body, call)
        assert group.join(timeout=PATIENCE), "a coroutine did not return"

    fastsock.run(main)
    if raised:
        raise raised[0]


def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Waits, in a coroutine or a thread, for what no event tells."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what or condition}"
        fastsock.sleep(0.005)


def open_fds() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def parked_greenlets() -> int:
    """How many coroutines are suspended somewhere (a worker without work has no frame)."""
    gc.collect()
    return sum(1 for thing in gc.get_objects() if isinstance(thing, greenlet.greenlet) and thing.gr_frame is not None)


def rss() -> int:
    """Resident memory of this process, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Program:
    """A Python program in a process of its own, which prints what the test waits for."""

    def __init__(self, source: str, *args: str, env: dict[str, str] | None = None, option: str = "-Wdefault") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", option, "-c", textwrap.dedent(source), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=os.environ | (env or {}),
        )
        self._guard = threading.Timer(PATIENCE * 2, self._process.kill)
        self._guard.daemon = True
        self._guard.start()
        self.stderr = ""

    def line(self) -> str:
        """The next line that it prints; fails with its errors when it ends instead."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        assert line, f"the program ended: {self._process.stderr.read()}"
        return line.rstrip("\n")

    def ready(self) -> tuple[str, int]:
        """Where it serves, once it has printed ``READY port``."""
        word, port = self.line().split()
        assert word == "READY"
        return "127.0.0.1", int(port)

    def write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def kill(self, number: signal.Signals = signal.SIGINT) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Waits for its end; the exit status, negative for a signal."""
        _, self.stderr = self._process.communicate(timeout=PATIENCE)
        self._unguard()
        return self._process.returncode

    def __enter__(self) -> Program:
        return self

    def _unguard(self) -> None:
        self._guard.cancel()
        self._guard.join()

    def __exit__(self, *_: object) -> None:
        self._unguard()
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def run_program(source: str, *args: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Runs a program to its end: exit status, output, errors."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(source), *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        env=os.environ | (env or {}),
    )
    return done.returncode, done.stdout, done.stderr
