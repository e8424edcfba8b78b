"""Request handlers whose files are native."""

from __future__ import annotations

import io
import socket
import socketserver
from typing import cast

from fastsock._fastsock import Reader, Writer
from fastsock.sockets import Socket

__all__ = ["StreamRequestHandler"]

# They have the methods, so they are buffered files to whoever asks.
io.BufferedIOBase.register(Reader)
io.BufferedIOBase.register(Writer)


class StreamRequestHandler(socketserver.StreamRequestHandler):
    """The stdlib's handler, with native ``rfile`` and ``wfile`` where the request waits on the loop.

    ``wfile`` sends what was written together: before the handler waits on the loop, at its end, beyond 64 KiB, and at
    ``wfile.flush()``. With ``wbufsize`` set to another value than 0, or a request that is no ``fastsock.Socket``, the
    files are the stdlib's.
    """

    def setup(self) -> None:
        request = self.request
        if type(request) is not Socket or self.wbufsize != 0 or self.rbufsize == 0:
            super().setup()
            return
        self.connection = request
        if self.timeout is not None:
            request.settimeout(self.timeout)
        if self.disable_nagle_algorithm and request.family in (socket.AF_INET, socket.AF_INET6):
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        # As makefile() does: the descriptor stays open until both the socket and the file are closed.
        request._io_refs += 1  # type: ignore[attr-defined]
        self.rfile = cast("io.BufferedIOBase", Reader(request._channel, request._decref_socketios))  # type: ignore[attr-defined]
        self.wfile = cast("io.BufferedIOBase", Writer(request._channel))
