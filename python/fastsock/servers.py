"""Ready-made servers on the loop, named as the stdlib names its own; and several served at once."""

from __future__ import annotations

import socketserver
import threading

from fastsock.loop import Group, run
from fastsock.mixin import LoopMixIn

__all__ = ["LoopTCPServer", "LoopUDPServer", "LoopUnixDatagramServer", "LoopUnixStreamServer", "serve"]


class LoopTCPServer(LoopMixIn, socketserver.TCPServer):
    """``socketserver.TCPServer`` with each request a coroutine; see ``LoopMixIn``."""


class LoopUDPServer(LoopMixIn, socketserver.UDPServer):
    """``socketserver.UDPServer`` with each datagram a coroutine; see ``LoopMixIn``."""


class LoopUnixStreamServer(LoopMixIn, socketserver.UnixStreamServer):
    """``socketserver.UnixStreamServer`` with each request a coroutine; see ``LoopMixIn``."""


class LoopUnixDatagramServer(LoopMixIn, socketserver.UnixDatagramServer):
    """``socketserver.UnixDatagramServer`` with each datagram a coroutine; see ``LoopMixIn``."""


def serve(server: LoopMixIn, /, *servers: LoopMixIn, poll_interval: float = 0.5) -> None:
    """Serves with several servers on this thread's loop, until each has been shut down.

    ``shutdown()`` of one ends that one. Ctrl-C, or an error in one (its descriptor is not what it was), ends all and is
    raised here. Nothing is closed: use ``with`` for that::

        with LoopTCPServer(address, Handler) as tcp, LoopUDPServer(address, Handler) as udp:
            fastsock.serve(tcp, udp)
    """
    every = (server, *servers)
    for one in every:
        if not isinstance(one, LoopMixIn):
            raise TypeError(f"{type(one).__name__} is not on the loop: mix LoopMixIn into it, or serve it in a thread")
    if len(set(map(id, every))) < len(every):
        raise ValueError("a server is named twice")
    run(_serve_all, every, poll_interval)


def _serve_all(servers: tuple[LoopMixIn, ...], poll_interval: float) -> None:
    left = list(servers)
    failures: list[BaseException] = []
    group = Group()
    # Another thread may end with this call, and its loop with it; the main one's goes on in server_close().
    drain = threading.current_thread() is not threading.main_thread()

    def serve_one(server: LoopMixIn) -> None:
        coroutines = server._coroutines()
        coroutines.begin()
        try:
            server.serve_forever(poll_interval)
        except BaseException as error:
            failures.append(error)
            group.interrupt()
        finally:
            left.remove(server)
            coroutines.end(drain)

    for server in servers:
        group.spawn(serve_one, server)
    try:
        while not failures and not group.join(interruptible=True):
            pass
    finally:
        for server in left:
            server.shutdown()
        group.join()
    if failures:
        raise failures[0]
