"""Ready-made servers on the loop, named as the stdlib names its own."""

import socketserver

from fastsock.mixin import LoopMixIn

__all__ = ["LoopTCPServer", "LoopUnixStreamServer"]


class LoopTCPServer(LoopMixIn, socketserver.TCPServer):
    """``socketserver.TCPServer`` with each request a coroutine; see ``LoopMixIn``."""


class LoopUnixStreamServer(LoopMixIn, socketserver.UnixStreamServer):
    """``socketserver.UnixStreamServer`` with each request a coroutine; see ``LoopMixIn``."""
