"""TLS on the loop: an ``ssl.SSLSocket`` whose waits let the other coroutines run."""

from __future__ import annotations

import _socket
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from fastsock._fastsock import Channel, in_loop
from fastsock.sockets import Socket

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["TLSSocket", "install"]

_log = logging.getLogger("fastsock")
_T = TypeVar("_T")


class TLSSocket(ssl.SSLSocket):
    """An ``ssl.SSLSocket`` that waits on the loop; what ``SSLContext.wrap_socket`` gives in a coroutine.

    As with ``fastsock.Socket``: the descriptor is non-blocking always, timeouts hold (each is for a whole call, a
    handshake too), and a ``sendall`` goes out in one piece. Off the loop it blocks like any socket.

    Reference: https://docs.python.org/3/library/ssl.html#ssl-sockets
    """

    # What SSLSocket keeps to itself.
    _sslobj: Any
    do_handshake_on_connect: bool
    suppress_ragged_eofs: bool

    @classmethod
    def adopt(cls, sock: ssl.SSLSocket) -> TLSSocket:
        """Makes an ``SSLSocket`` one of these, in place."""
        sock.__class__ = cls
        assert isinstance(sock, TLSSocket)
        return sock

    @property
    def _channel(self) -> Channel:
        # Not in __init__, which SSLContext.wrap_socket does not call.
        channel: Channel | None = self.__dict__.get("_wire")
        if channel is None:
            timeout = _socket.socket.gettimeout(self)
            channel = Channel(self.fileno(), self.family, self.type, self.proto, False)
            channel.settimeout(timeout)
            self.__dict__["_wire"] = channel
            # The C class must not wait itself, but raise what we wait for.
            _socket.socket.settimeout(self, 0)
        return channel

    def _patiently(self, write: bool, call: Callable[..., _T], *args: Any, timeout: float | None = -1) -> _T:
        """The call, again and again, as the timeout (-1: the socket's) allows."""
        channel = self._channel
        if timeout == -1:
            timeout = channel.gettimeout()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                result = call(*args)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError) as error:
                if timeout == 0:
                    channel.pay(0)
                    raise
                # Either direction may want the other: TLS has messages of its own.
                wants_write = write if isinstance(error, BlockingIOError) else isinstance(error, ssl.SSLWantWriteError)
            else:
                channel.pay(0)
                return result
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("timed out")
            channel.blocked(wants_write, left)

    # -- connections

    def accept(self) -> tuple[ssl.SSLSocket, Any]:
        """The next connection, when its handshake is done (if ``do_handshake_on_connect``), and the peer's address."""
        sock, address = self._channel.accept(Socket, _socket.socket.__init__)
        return self.context.wrap_socket(
            sock,
            do_handshake_on_connect=self.do_handshake_on_connect,
            suppress_ragged_eofs=self.suppress_ragged_eofs,
            server_side=True,
        ), address

    def do_handshake(self, block: bool = False) -> None:
        """Do the handshake; on the loop, the others run meanwhile."""
        self._check_connected()  # type: ignore[attr-defined]
        timeout = self._channel.gettimeout()
        # During connect() the C class may wait.
        _socket.socket.settimeout(self, 0)
        try:
            self._patiently(False, self._sslobj.do_handshake, timeout=None if block and timeout == 0 else timeout)
        except OSError as error:
            if self.server_side and not isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError)) and in_loop():
                _log.info("%s: no TLS connection: %s", self._peer(), error)
            raise
        except Exception:
            raise
        except BaseException:
            # The coroutine is ended, and wrap_socket closes after an OSError only.
            self.close()
            raise

    def _peer(self) -> Any:
        with contextlib.suppress(OSError):
            return self.getpeername()
        return "a client"

    def _real_connect(self, addr: Any, connect_ex: bool) -> int | None:
        # The connection itself blocks, as a plain socket's does.
        _socket.socket.settimeout(self, self.gettimeout())
        try:
            return super()._real_connect(addr, connect_ex)  # type: ignore[misc, no-any-return]
        finally:
            if self.fileno() >= 0:
                _socket.socket.settimeout(self, 0)

    def unwrap(self) -> socket.socket:
        """End TLS with the peer's consent; gives the socket, to go on in plain."""
        if self._sslobj is None:
            return super().unwrap()
        plain: socket.socket = self._patiently(False, self._sslobj.shutdown)
        self._sslobj = None
        return plain

    # -- bytes

    def read(self, len: int = 1024, buffer: Any = None) -> bytes:
        return self._patiently(False, super().read, len, buffer)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        if self._sslobj is not None:
            return super().recv(buflen, flags)
        return self._patiently(False, super().recv, buflen, flags)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        if self._sslobj is not None:
            return super().recv_into(buffer, nbytes, flags)
        return self._patiently(False, super().recv_into, buffer, nbytes, flags)

    def recvfrom(self, buflen: int = 1024, flags: int = 0) -> tuple[bytes, Any]:
        return self._patiently(False, super().recvfrom, buflen, flags)

    def recvfrom_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> tuple[int, Any]:
        return self._patiently(False, super().recvfrom_into, buffer, nbytes, flags)

    # What has met SSLWantWriteError must be tried again with the same bytes (SSL_write(3)): one sender at a time.

    def write(self, data: ReadableBuffer) -> int:
        self._channel.begin_send()
        try:
            return self._patiently(True, super().write, data)
        finally:
            self._channel.end_send()

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        self._channel.begin_send()
        try:
            return self._patiently(True, super().send, data, flags)
        finally:
            self._channel.end_send()

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        channel = self._channel
        timeout = channel.gettimeout()
        deadline = None if timeout is None else time.monotonic() + timeout
        channel.begin_send()
        try:
            with memoryview(data) as view, view.cast("B") as rest:
                done = 0
                while done < len(rest):
                    left = None if deadline is None else max(0.0, deadline - time.monotonic())
                    if left == 0 and timeout != 0:
                        raise TimeoutError("timed out")
                    done += self._patiently(True, super().send, rest[done:], flags, timeout=left)
        finally:
            channel.end_send()

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file; see ``socket.socket.sendfile``. Returns the number of bytes sent."""
        return self._sendfile_use_send(file, offset, count)  # type: ignore[attr-defined, no-any-return]

    # -- timeouts

    def settimeout(self, value: float | None) -> None:
        self._channel.settimeout(value)

    def gettimeout(self) -> float | None:
        return self._channel.gettimeout()

    def setblocking(self, flag: bool) -> None:
        self._channel.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self._channel.gettimeout() != 0

    @property
    def timeout(self) -> float | None:
        return self._channel.gettimeout()

    # -- the end

    def detach(self) -> int:
        """The descriptor, off the loop and in the blocking mode that ``gettimeout()`` told; this object is closed."""
        timeout = self._channel.gettimeout()
        self._channel.close()
        with contextlib.suppress(OSError):
            _socket.socket.settimeout(self, timeout)
        return super().detach()

    def _real_close(self) -> None:
        # Off the loop first: the number may be someone else's the moment after.
        self._channel.close()
        super()._real_close()  # type: ignore[misc]


class _Choice:
    """``SSLContext.sslsocket_class``: ours in a coroutine, elsewhere what it was."""

    def __init__(self, otherwise: type[ssl.SSLSocket]) -> None:
        self._otherwise = otherwise

    def __get__(self, context: Any, cls: Any = None) -> type[ssl.SSLSocket]:
        return TLSSocket if in_loop() and self._otherwise is ssl.SSLSocket else self._otherwise


def install() -> None:
    """From now on, ``SSLContext.wrap_socket`` gives a ``TLSSocket`` in a coroutine; elsewhere nothing changes.

    A context (or class of contexts) whose ``sslsocket_class`` has been set keeps it. The servers of this package call
    this when they serve and the program has imported ``ssl``.
    """
    present = ssl.SSLContext.__dict__["sslsocket_class"]
    if not isinstance(present, _Choice):
        ssl.SSLContext.sslsocket_class = _Choice(present)  # type: ignore[assignment]
