"""The Python examples, run as a person would run them and driven over real sockets."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "python"
STDLIB = ["echo_socketserver.py", "0"]
SERVERS = {
    "fastsock": ["echo.py", "127.0.0.1", "0"],
    "unchanged, on threads": STDLIB,
    "unchanged, on the loop": ["-m", "fastsock", "run", *STDLIB],
}


@contextmanager
def running(args: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server process, and the port that it says it listens on."""
    program = subprocess.Popen(
        [sys.executable, *args], cwd=EXAMPLES, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        line = program.stdout.readline()
        found = re.search(r"(\d+)\s*$", line)
        assert found, f"no port in {line!r}"
        yield program, int(found[1])
    finally:
        program.kill()
        program.communicate(timeout=10)


@pytest.mark.parametrize("args", SERVERS.values(), ids=SERVERS.keys())
def test_every_byte_comes_back_to_the_client_that_sent_it(args: list[str]) -> None:
    with running(args) as (_, port):
        clients = []
        for number in range(100):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            clients.append(client)
            # The stdlib's queue holds five: see each accepted before the next one comes.
            client.sendall(b"?")
            assert client.recv(1) == b"?"
            client.sendall(b"%d;" % number * 1000)
        for number, client in enumerate(clients):
            client.shutdown(socket.SHUT_WR)
            with client, client.makefile("rb") as file:
                assert file.read() == b"%d;" % number * 1000


@pytest.mark.parametrize("args", SERVERS.values(), ids=SERVERS.keys())
def test_ctrl_c_ends_it_without_a_traceback_while_a_client_is_connected(args: list[str]) -> None:
    with running(args) as (program, port), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=10)
        assert program.returncode == 0
        assert "Traceback" not in errors


def test_no_example_is_longer_than_a_reader_wants() -> None:
    echoes = [EXAMPLES / "echo.py", EXAMPLES.parent / "rust" / "echo.rs", EXAMPLES.parent / "c" / "echo.c"]
    lengths = {path.name: len(path.read_text().splitlines()) for path in echoes}
    assert max(lengths.values()) <= 60, lengths
