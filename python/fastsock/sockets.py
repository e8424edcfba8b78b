"""``fastsock.Socket``: a ``socket.socket`` whose waits let the other coroutines run."""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from fastsock._fastsock import Channel, sleep

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["AcceptStats", "Socket"]

# The flags of calls that never wait, whatever the socket's timeout.
_AT_ONCE = socket.MSG_DONTWAIT | socket.MSG_ERRQUEUE


def _cooperative(name: str, place: int) -> Callable[..., Any]:
    """The receiving method of the C class, tried again after a wait for as long as it would block.

    ``place`` is that of the flags among the arguments.
    """
    call = getattr(_socket.socket, name)

    def method(self: Socket, *args: Any, **kwargs: Any) -> Any:
        channel = self._channel
        while True:
            try:
                result = call(self, *args, **kwargs)
            except BlockingIOError:
                flags = kwargs.get("flags", args[place] if len(args) > place else 0)
                if flags & _AT_ONCE:
                    channel.pay(0)
                    raise
                channel.blocked(False)
            else:
                channel.pay(0)
                return result

    method.__name__ = name
    method.__qualname__ = f"Socket.{name}"
    method.__doc__ = call.__doc__
    return method


_recvfrom = _cooperative("recvfrom", place=1)
_recvfrom_into = _cooperative("recvfrom_into", place=2)
_recvmsg_into = _cooperative("recvmsg_into", place=2)


class AcceptStats(NamedTuple):
    """Counters of a listening socket, from its first ``accept`` until it is closed."""

    accepted: int
    """Connections."""
    pauses: int
    """Times that accepting paused for want of descriptors or memory."""
    refused: int
    """Connections closed unserved, after their clients had waited for a second of such pauses."""
    aborted: int
    """Connections that were gone before they could be accepted."""


class Socket(socket.socket):
    """A ``socket.socket`` that waits on the loop.

    In a coroutine (a handler of a loop server, or what ``fastsock.spawn`` has started) a call that would block parks
    the coroutine, and the thread's loop goes on with the others. Anywhere else (another thread, a forked child, no
    loop) it blocks like any socket. Timeouts hold in both.

    The descriptor itself is non-blocking always; ``gettimeout()`` and ``getblocking()`` tell what was asked for. Two
    coroutines may send on one socket: each ``sendall`` goes out in one piece. Two that read from one are an error
    (``RuntimeError``). Not for use by two threads at once, as far as the loop is concerned.

    Reference: https://docs.python.org/3/library/socket.html#socket-objects
    """

    # The hot methods are slots that hold methods of the native channel, so that a call goes straight there.
    __slots__ = ("_channel", "recv", "recv_into", "send", "sendall")

    _channel: Channel
    if TYPE_CHECKING:

        def recv(self, bufsize: int, flags: int = ..., /) -> bytes: ...
        def recv_into(self, buffer: WriteableBuffer, nbytes: int = ..., flags: int = ...) -> int: ...
        def send(self, data: ReadableBuffer, flags: int = ..., /) -> int: ...
        def sendall(self, data: ReadableBuffer, flags: int = ..., /) -> None: ...

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        super().__init__(family, type, proto, fileno)
        # What socket.setdefaulttimeout asked for; the C class itself must never wait.
        timeout = super().gettimeout()
        if timeout is not None:
            super().settimeout(None)
        channel = Channel(self.fileno(), _FAMILY(self), _RAW_TYPE(self), _PROTO(self), False)
        channel.settimeout(timeout)
        self._channel = channel
        for name, method in zip(("recv", "recv_into", "send", "sendall"), channel.methods(), strict=True):
            # By the slot itself: a subclass may have methods of these names, which must stay.
            _SLOTS[name].__set__(self, method)

    @classmethod
    def adopt(cls, sock: socket.socket) -> Socket:
        """Takes over the descriptor of another socket object, which is detached (closed, as far as it knows)."""
        timeout = sock.gettimeout()
        new = cls(_FAMILY(sock), _RAW_TYPE(sock), _PROTO(sock), sock.detach())
        new.settimeout(timeout)
        return new

    # -- connections

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection, as a ``Socket``, and the peer's address.

        When the process has run out of descriptors this raises ``OSError`` (``EMFILE``) and the connection stays in
        the queue; a loop server then pauses accepting and resumes by itself.
        """
        sock, address = self._channel.accept(Socket, _INIT)
        timeout = socket.getdefaulttimeout()
        if timeout is not None:
            _socket.socket.settimeout(sock, None)
            sock._channel.set_nonblocking()
            sock.settimeout(timeout)
        return sock, address

    def accept_stats(self) -> AcceptStats:
        """What has come of accepting on this socket so far."""
        return AcceptStats(*self._channel.accept_stats())

    def connect(self, address: Any) -> None:
        """Connect; on the loop, the others run meanwhile. (A host name is looked up first, which blocks.)"""
        error = self.connect_ex(address)
        if error == errno.EAGAIN and self._channel.gettimeout():
            raise TimeoutError("timed out")
        if error:
            raise OSError(error, os.strerror(error))

    def connect_ex(self, address: Any) -> int:
        """As ``connect``, with the errno as its result: 0 is success, ``EAGAIN`` is the timeout."""
        error = super().connect_ex(address)
        timeout = self._channel.gettimeout()
        if timeout == 0:
            return error
        if error == errno.EAGAIN and _FAMILY(self) == socket.AF_UNIX:
            return self._connect_when_room(address, timeout)
        if error != errno.EINPROGRESS:
            return error
        if not self._channel.await_connect(timeout):
            return errno.EAGAIN
        # Writable is not connected yet: the outcome is here (connect(2)).
        return self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def _connect_when_room(self, address: Any, timeout: float | None) -> int:
        """The listener's queue is full; for Unix sockets nothing tells when it is not (connect(2), EAGAIN)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.001
        while deadline is None or time.monotonic() < deadline:
            sleep(pause if deadline is None else max(0.0, min(pause, deadline - time.monotonic())))
            error = super().connect_ex(address)
            if error != errno.EAGAIN:
                return error
            pause = min(2 * pause, 0.05)
        return errno.EAGAIN

    # -- what the C class would do by blocking

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """Receive, and tell the sender's address; see ``socket.socket.recvfrom``.

        A loop server's datagrams come in batches while it serves, and are handed out by this method, ``recv``,
        ``recv_into`` and ``recvfrom_into``. (``recvmsg`` and ``select`` do not see those that have come already.)
        """
        if self._channel.batching:
            datagram = self._channel.recvfrom(bufsize, flags)
            if datagram is not None:
                return datagram
        return _recvfrom(self, bufsize, flags)  # type: ignore[no-any-return]

    def recvfrom_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As ``recvfrom``, into a buffer; see ``socket.socket.recvfrom_into``."""
        if self._channel.batching:
            with memoryview(buffer) as view, view.cast("B") as room:
                datagram = self._channel.recvfrom(min(nbytes or len(room), len(room)), flags)
                if datagram is not None:
                    data, address = datagram
                    room[: len(data)] = data
                    return len(data), address
        return _recvfrom_into(self, buffer, nbytes, flags)  # type: ignore[no-any-return]

    def sendto(self, data: ReadableBuffer, *args: Any) -> int:
        """Send to an address; see ``socket.socket.sendto``."""
        channel = self._channel
        channel.in_turn()
        try:
            sent = _SENDTO(self, data, *args)
        except BlockingIOError:
            flags = args[0] if len(args) > 1 else 0
            if flags & _AT_ONCE or channel.gettimeout() == 0:
                channel.pay(0)
                raise
            sent = self._send_when_room(_SENDTO, data, *args)
        channel.pay(sent)
        return sent

    def sendmsg(self, buffers: Iterable[ReadableBuffer], ancdata: Any = (), flags: int = 0, *address: Any) -> int:
        """Send several buffers and ancillary data; see ``socket.socket.sendmsg``."""
        channel = self._channel
        channel.in_turn()
        buffers = list(buffers)
        try:
            sent = _SENDMSG(self, buffers, ancdata, flags, *address)
        except BlockingIOError:
            if flags & _AT_ONCE or channel.gettimeout() == 0:
                channel.pay(0)
                raise
            sent = self._send_when_room(_SENDMSG, buffers, ancdata, flags, *address)
        channel.pay(sent)
        return sent

    def _send_when_room(self, call: Callable[..., int], *args: Any) -> int:
        """The call, again and again, as the timeout allows."""
        channel = self._channel
        timeout = channel.gettimeout()
        deadline = None if timeout is None else time.monotonic() + timeout
        # The queue of a Unix datagram's receiver is full: nothing tells when it is not, unless connected to it (the
        # socket counts as writable all the while).
        is_blind = _FAMILY(self) == socket.AF_UNIX and _RAW_TYPE(self) == socket.SOCK_DGRAM
        pause = 0.001
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("timed out")
            if is_blind:
                sleep(pause if left is None else min(pause, left))
                pause = min(2 * pause, 0.05)
            else:
                channel.blocked(True)
            channel.in_turn()
            try:
                return call(self, *args)
            except BlockingIOError:
                pass

    recvmsg = _cooperative("recvmsg", place=2)

    def recvmsg_into(self, buffers: Iterable[WriteableBuffer], *args: Any) -> tuple[int, list[Any], int, Any]:
        """Receive into several buffers, and ancillary data; see ``socket.socket.recvmsg_into``."""
        return _recvmsg_into(self, list(buffers), *args)  # type: ignore[no-any-return]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file; see ``socket.socket.sendfile``. Returns the number of bytes sent."""
        # The stdlib's sendfile(2) path waits in a selector of its own; its fallback uses send().
        return self._sendfile_use_send(file, offset, count)  # type: ignore[attr-defined, no-any-return]

    # -- timeouts

    def settimeout(self, value: float | None) -> None:
        self._channel.settimeout(value)

    def gettimeout(self) -> float | None:
        return self._channel.gettimeout()

    def setblocking(self, flag: bool) -> None:
        self._channel.set_nonblocking()  # as it is already; an error if it is no descriptor any more
        self._channel.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self._channel.gettimeout() != 0

    @property
    def timeout(self) -> float | None:
        return self._channel.gettimeout()

    # -- the end

    def shutdown(self, how: int) -> None:
        """Shut down one or both directions; what was written before is sent before."""
        if how != socket.SHUT_RD:
            self._channel.flush()
        _SHUTDOWN(self, how)

    def close(self) -> None:
        """Close, after what was written; the descriptor stays open for as long as a file made of it does."""
        try:
            with contextlib.suppress(OSError):
                self._channel.flush()
        finally:  # also when the coroutine is ended while it waits for that
            self._closed = True
            if self._io_refs <= 0:  # type: ignore[attr-defined]
                self._real_close()

    def detach(self) -> int:
        """The descriptor, off the loop and in the blocking mode that ``gettimeout()`` told; this object is closed."""
        channel = self._channel
        channel.flush()
        timeout = channel.gettimeout()
        channel.close()
        with contextlib.suppress(OSError):  # the number is no descriptor any more: then it has no mode either
            super().settimeout(timeout)
        return super().detach()

    def _real_close(self, _ss: type[_socket.socket] = _socket.socket) -> None:
        # Off the loop first: the number may be someone else's the moment after.
        self._channel.close()
        _ss.close(self)


# The plain integers: the properties of socket.socket make enumerations of them, for each connection.
_FAMILY: Callable[[socket.socket], int] = _socket.socket.family.__get__
_RAW_TYPE: Callable[[socket.socket], int] = _socket.socket.type.__get__
_PROTO: Callable[[socket.socket], int] = _socket.socket.proto.__get__

_SLOTS: dict[str, Any] = {name: Socket.__dict__[name] for name in Socket.__slots__}
_INIT = _socket.socket.__init__
_SHUTDOWN = _socket.socket.shutdown
_SENDTO: Callable[..., int] = _socket.socket.sendto
_SENDMSG: Callable[..., int] = _socket.socket.sendmsg
