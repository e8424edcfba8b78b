"""The memory of idle connections, exactly: what the allocator of the server was asked for, counted inside it."""

import mmap
import socket
import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from harness import Running, Unusable, raise_file_limit, running
from records import Result
from registry import BUILD

COUNTER = BUILD / "heap.so"
COUNTS = struct.Struct("qq")
PATIENCE = 20.0
MESSAGE = b"fastsock" * 8


@dataclass(frozen=True)
class Heap:
    """Bytes and blocks on a server's heap."""

    bytes: int
    blocks: int


@contextmanager
def counted(argv: Sequence[str]) -> Iterator[tuple[Running, mmap.mmap]]:
    """A server that counts its allocations, and the counts."""
    if not COUNTER.exists():
        raise Unusable(f"there is no {COUNTER}: build it first")
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(COUNTS.size))
        file.flush()
        environment = {"LD_PRELOAD": str(COUNTER), "FASTSOCK_HEAP": file.name}
        counts = mmap.mmap(file.fileno(), COUNTS.size, access=mmap.ACCESS_READ)
        with counts, running(argv, more=environment) as server:
            yield server, counts


def read(counts: mmap.mmap) -> Heap:
    """What there is now."""
    return Heap(*COUNTS.unpack(counts[:]))


def resident(pid: int) -> int:
    """Bytes of a process's memory that are resident."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * mmap.PAGESIZE


def echo(connection: socket.socket) -> None:
    """One message there and back."""
    connection.sendall(MESSAGE)
    got = b""
    while len(got) < len(MESSAGE):
        chunk = connection.recv(len(MESSAGE))
        if not chunk:
            raise Unusable("the server closed a connection")
        got += chunk
    if got != MESSAGE:
        raise Unusable("the server sent something else back")


def opened(stack: ExitStack, port: int, count: int) -> list[socket.socket]:
    """So many connections, each of which has echoed a message."""
    connections = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
        echo(connection)
        connections.append(connection)
    return connections


def settle(connection: socket.socket) -> None:
    """Two messages on a connection: with the second, the server has done whatever it had to do before."""
    echo(connection)
    echo(connection)


def idle(argv: Sequence[str], connections: int) -> Result:
    """What so many connections, each of which has echoed one message, add to a server's heap; afterwards each of them
    must echo once more."""
    raise_file_limit()
    try:
        with counted(argv) as (server, counts), ExitStack() as stack:
            # What a server takes once, with the first connection, is not what a connection costs.
            first = opened(stack, server.port, 1)[0]
            settle(first)
            heap, rss = read(counts), resident(server.pid)
            held = opened(stack, server.port, connections)
            settle(first)
            more, more_rss = read(counts), resident(server.pid)
            for connection in held:
                echo(connection)
            return {
                "heap_per_conn": (more.bytes - heap.bytes) / connections,
                "blocks_per_conn": (more.blocks - heap.blocks) / connections,
                "bytes_per_conn": (more_rss - rss) / connections,
                "conns": connections,
                "errors": 0,
            }
    except (Unusable, OSError) as error:
        return {"fatal": str(error), "errors": 1}
