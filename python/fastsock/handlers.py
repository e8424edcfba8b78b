"""Request handlers whose files are native."""

from __future__ import annotations

import io
import socket
import socketserver
from typing import cast

from fastsock._fastsock import Reader, Writer
from fastsock.loop import spawn
from fastsock.sockets import Socket

__all__ = ["DatagramRequestHandler", "StreamRequestHandler"]

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


class DatagramRequestHandler(socketserver.DatagramRequestHandler):
    """The stdlib's handler, whose replies are sent together where they end in the same turn of the loop.

    What is in ``wfile`` is the reply, an empty one too. One that cannot be sent is an error for the server's
    ``handle_error``, as with the stdlib.
    """

    wfile: io.BytesIO

    def finish(self) -> None:
        sock, reply = self.socket, self.wfile.getvalue()
        if type(sock) is not Socket or not sock._channel.post(reply, self.client_address, self._send_again):
            sock.sendto(reply, self.client_address)

    def _send_again(self) -> None:
        """Called by the loop when the reply could not be sent at once."""
        spawn(self._send_alone)

    def _send_alone(self) -> None:
        try:
            self.socket.sendto(self.wfile.getvalue(), self.client_address)
        except Exception:
            self.server.handle_error(self.request, self.client_address)
