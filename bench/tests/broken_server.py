"""An echo server that goes wrong on purpose: broken_server.py HOW, prints READY and its port.

HOW is one of the functions below; each gets every chunk received and the bytes that the
connection has received before it, and returns what to send back, or None to close.
"""

import selectors
import socket
import sys


def right(data: bytes, _before: int) -> bytes | None:
    return data


def flips(data: bytes, before: int) -> bytes | None:
    """One bit of one byte of every stream, some way into it."""
    return flip(data, 5_000 - before)


def flips_at_once(data: bytes, before: int) -> bytes | None:
    return flip(data, 7 - before)


def drops(data: bytes, before: int) -> bytes | None:
    """One byte is left out."""
    return data if before < 5_000 else data[1:]


def doubles(data: bytes, before: int) -> bytes | None:
    return data if before < 5_000 else data + data


def swaps(data: bytes, before: int) -> bytes | None:
    """Two neighbouring bytes change places."""
    return data if before < 5_000 else data[1::-1] + data[2:]


def stalls(data: bytes, before: int) -> bytes | None:
    return data if before < 5_000 else b""


def never(_data: bytes, _before: int) -> bytes | None:
    return b""


def closes(data: bytes, before: int) -> bytes | None:
    return data if before < 5_000 else None


def flip(data: bytes, at: int) -> bytes:
    if not 0 <= at < len(data):
        return data
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


crossed: list[socket.socket] = []


def serve(how: str) -> None:
    answer = globals().get(how, right)
    before: dict[socket.socket, int] = {}
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    print("READY", listener.getsockname()[1], flush=True)
    while True:
        for key, _ in ready.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is listener:
                peer, _address = listener.accept()
                before[peer] = 0
                crossed.append(peer)
                ready.register(peer, selectors.EVENT_READ)
                continue
            try:
                data = sock.recv(65536)
                reply = answer(data, before[sock]) if data else None
                if reply is not None:
                    # "crosses": after a while the second connection gets what is the first one's.
                    late = how == "crosses" and before[sock] >= 5_000 and sock is crossed[0]
                    (crossed[1] if late else sock).sendall(reply)
            except OSError:
                reply = None
            before[sock] += len(data)
            if reply is None:
                ready.unregister(sock)
                sock.close()


serve(sys.argv[1])
