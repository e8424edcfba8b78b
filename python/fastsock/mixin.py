"""``LoopMixIn``: each request is a coroutine on the thread's loop."""

from __future__ import annotations

import _socket
import contextlib
import errno
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fastsock._fastsock import Channel, Group, in_loop, sleep
from fastsock.advice import bind_advice
from fastsock.loop import run
from fastsock.sockets import Socket

__all__ = ["LoopMixIn"]

_log = logging.getLogger("fastsock")


_KIND = _socket.socket.type.__get__


#: ``fastsock.tls``, once the program has imported ``ssl``: it takes long to import, and few need it.
_tls: ModuleType | None = None


def _has_tls() -> bool:
    global _tls
    if _tls is None and "ssl" in sys.modules:
        from fastsock import tls

        tls.install()
        _tls = tls
    return _tls is not None


def _cooperative(sock: Any) -> Any:
    """A socket of the stdlib's classes as one of ours; anything else as it is."""
    kind = type(sock)
    if kind is socket.socket:
        return Socket.adopt(sock)
    if _has_tls() and kind is _tls.ssl.SSLSocket:  # type: ignore[union-attr]
        return _tls.TLSSocket.adopt(sock)  # type: ignore[union-attr]
    return sock


class _Coroutines:
    """A server's handlers, in the place where ``ThreadingMixIn`` keeps its threads."""

    def __init__(self, server: LoopMixIn) -> None:
        self.group = Group()
        self.thread = threading.get_ident()
        self._server = server
        self._serving = 0
        self._over = threading.Event()
        self._over.set()

    def __len__(self) -> int:
        return len(self.group)

    def append(self, thread: object) -> None:
        """Part of what ``ThreadingMixIn`` uses; there are no threads to keep."""

    def begin(self) -> None:
        """The loop of this thread serves from now on."""
        self.thread = threading.get_ident()
        self._serving += 1
        self._over.clear()

    def end(self, drain: bool) -> None:
        """The loop serves no more. On a thread that may end now, its handlers must end before."""
        try:
            if drain:
                self.drain()
        finally:
            self._serving -= 1
            if self._serving == 0:
                self._over.set()

    def join(self) -> None:
        """What ``server_close`` does: waits for the handlers, then ends those that are left."""
        if threading.get_ident() != self.thread:
            self._over.wait(self._server.shutdown_timeout + 1)
        elif not in_loop():
            self.drain()

    def drain(self) -> None:
        if len(self.group) == 0:
            return
        server = self._server
        patience = 0.0 if server.daemon_threads or not server.block_on_close else server.shutdown_timeout
        try:
            run(self._drain, patience)
        except KeyboardInterrupt as second:
            # The second Ctrl-C: no more patience.
            run(self._drain, 0.0)
            raise second from None

    def _drain(self, patience: float) -> None:
        brief = min(patience, 0.5)
        if self.group.join(timeout=brief):
            return
        if patience > brief:
            # Whoever sits before it must know what it waits for.
            text = "waiting up to %.3g s for %d handlers to end; Ctrl-C again ends them now"
            _log.warning(text, patience, len(self.group))
            if self.group.join(timeout=patience - brief):
                return
        if patience:
            _log.warning("%d handlers still ran %.3g s after the shutdown and were ended", len(self.group), patience)
        # A handler may catch the exception and wait again, for a while.
        for _ in range(10):
            self.group.kill()
            if self.group.join(timeout=0.2):
                return
        _log.error("%d handlers do not end: they catch GreenletExit and wait again", len(self.group))


class LoopMixIn(socketserver.ThreadingMixIn):
    """Mix-in that handles each request in a coroutine of the thread that serves.

    Used like the stdlib's mix-ins, and with its servers and handlers, unchanged::

        class Server(fastsock.LoopMixIn, http.server.HTTPServer):
            pass

    A handler is written in the blocking style. Where it waits for its request's socket, the others run: thousands of
    connections need one thread. What waits elsewhere (``time.sleep``, a database, ``threading.Lock``) holds all of
    them: use ``fastsock.sleep``, or a thread.

    What differs from ``ThreadingMixIn``: handlers share ``threading.local`` and ``threading.get_ident`` (each has a
    ``contextvars`` context of its own); the queue of connections not yet accepted is as long as the system allows
    (``request_queue_size``); a peer that vanishes is one line in the log ``fastsock`` (level INFO), not a traceback;
    ``TCP_NODELAY`` is set; ``server_close`` ends what still runs after ``shutdown_timeout`` seconds by raising
    ``greenlet.GreenletExit`` where it waits.
    """

    #: The longest queue that the system allows, instead of 5.
    request_queue_size = socket.SOMAXCONN
    #: At most this many requests at once; further connections wait in the queue. 1: serial. None: no limit.
    concurrency: int | None = None
    #: Seconds that ``server_close`` waits for handlers (not at all with ``daemon_threads``).
    shutdown_timeout: float = 5.0

    # What BaseServer calls its own; programs know and use these names.
    _BaseServer__shutdown_request: bool
    _BaseServer__is_shut_down: threading.Event

    _threads: _Coroutines
    _listener: Channel | None = None
    if TYPE_CHECKING:
        socket: Any

    def _coroutines(self) -> _Coroutines:
        threads = self._threads
        if not isinstance(threads, _Coroutines):  # the class's own, before the first request
            threads = self._threads = _Coroutines(self)
        return threads

    # -- the listening socket

    def server_bind(self) -> None:
        """Bind, after making the socket one that waits on the loop."""
        sock = getattr(self, "socket", None)
        if type(sock) is socket.socket:
            self.socket = Socket.adopt(sock)
        try:
            super().server_bind()  # type: ignore[misc]
        except OSError as error:
            advice = bind_advice(error, self.server_address)  # type: ignore[attr-defined]
            if advice:
                error.add_note(advice)
            raise

    @contextlib.contextmanager
    def _listening(self, batching: bool) -> Iterator[Channel]:
        """The channel to wait on. Meanwhile no accept of the server's socket waits: ``shutdown`` must be heard.

        ``batching``: more datagrams may be received than are asked for.
        """
        sock = getattr(self, "socket", None)
        if type(sock) is not socket.socket:  # a plain one is still its owner's: only waited for
            sock = _cooperative(sock)
        channel: Channel | None = getattr(sock, "_channel", None)
        mine = channel is not None
        if channel is None:
            channel = Channel.foreign(self.fileno())  # type: ignore[attr-defined]
        channel.impatient = True
        channel.batching = mine and batching
        self._listener = channel
        try:
            yield channel
        finally:
            self._listener = None
            channel.impatient = False
            channel.batching = False
            if not mine:
                channel.close()

    # -- serving

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Handle requests until ``shutdown()``, or until the server's socket is closed. Runs the thread's loop.

        On the main thread, handlers that still run are left for ``server_close()``; on another, which may end now, they
        are drained here as ``server_close()`` would.
        """
        self._BaseServer__is_shut_down.clear()
        coroutines = self._coroutines()
        coroutines.begin()
        try:
            run(self._serve, poll_interval)
        finally:
            self._BaseServer__shutdown_request = False
            self._BaseServer__is_shut_down.set()
            coroutines.end(drain=threading.current_thread() is not threading.main_thread() and not in_loop())

    def _may_shake_hands(self) -> bool:
        """Whether ``get_request`` may wait for the client: a TLS handshake, or whatever else a server's own does."""
        sock = getattr(self, "socket", None)
        is_overridden = getattr(self.get_request, "__func__", None) is not socketserver.TCPServer.get_request  # type: ignore[attr-defined]
        is_stream = isinstance(sock, socket.socket) and _KIND(sock) == socket.SOCK_STREAM
        return is_stream and (is_overridden or type(sock) is not Socket)

    def _handle_apart(self, failures: list[BaseException], channel: Channel) -> None:
        _has_tls()
        try:
            self._handle_request_noblock()  # type: ignore[attr-defined]
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # As if it had been raised where the server waits.
            failures.append(error)
            channel.interrupt()

    def _serve(self, poll_interval: float | None) -> None:
        failures: list[BaseException] = []
        with self._listening(batching=True) as channel:
            apart = self._may_shake_hands()
            # Closed from another thread while all places are taken: nobody would find out by waiting for it.
            while not self._BaseServer__shutdown_request and channel.fileno() >= 0:
                try:
                    ready = self._has_room(poll_interval) and channel.wait_read(poll_interval)
                except OSError as error:
                    if error.errno == errno.EBADF:
                        return
                    raise
                if self._BaseServer__shutdown_request:
                    return
                if apart and failures:
                    raise failures[0]
                if ready and apart:
                    # It has accepted when it waits for the first time; then the next may come.
                    self._coroutines().group.spawn(self._handle_apart, failures, channel)
                    sleep(0)
                elif ready:
                    self._handle_request_noblock()  # type: ignore[attr-defined]
                self.service_actions()  # type: ignore[attr-defined]

    def _has_room(self, timeout: float | None) -> bool:
        """Waits until one more request may run."""
        return self.concurrency is None or self._coroutines().group.join(self.concurrency, timeout, interruptible=True)

    def handle_request(self) -> None:
        """Take one request, within ``timeout`` if there is one, and let it and the earlier ones run until they wait.

        A handler that waits goes on in the next ``handle_request``, ``serve_forever`` or ``server_close``. With a
        ``concurrency`` of 1 it has ended when this returns, as with a plain server.
        """
        timeout = self.socket.gettimeout() if hasattr(self, "socket") else None
        limits = [limit for limit in (timeout, self.timeout) if limit is not None]  # type: ignore[attr-defined]
        if not run(self._take_one, min(limits) if limits else None):
            self.handle_timeout()  # type: ignore[attr-defined]

    def _take_one(self, timeout: float | None) -> bool:
        """Whether a request came in time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._listening(batching=False) as channel:
            while True:
                if self._has_room(timeout) and channel.wait_read(timeout, sure=True):
                    self._handle_request_noblock()  # type: ignore[attr-defined]
                    break
                if deadline is not None:
                    timeout = deadline - time.monotonic()
                    if timeout <= 0:
                        return False
        if self.concurrency == 1:
            self._coroutines().group.join()
        else:
            sleep(0)
        return True

    def shutdown(self) -> None:
        """Stop ``serve_forever``: at once from a handler, and from another thread when it has stopped accepting."""
        self._BaseServer__shutdown_request = True
        channel = self._listener
        if channel is None:
            return  # not serving (yet): serve_forever returns as soon as it is called
        channel.interrupt()
        coroutines = self._coroutines()
        coroutines.group.interrupt()
        if threading.get_ident() != coroutines.thread:
            self._BaseServer__is_shut_down.wait()

    # -- requests

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a coroutine for the request; with no loop on this thread, handle it to the end here."""
        kind = type(request)
        if kind is not Socket and kind is not tuple:  # a tuple is a datagram
            request = _cooperative(request)
        if not self._coroutines().group.spawn_in_loop(self.process_request_thread, request, client_address):
            run(self.process_request_thread, request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """As the stdlib's, but a peer that vanished is one line in the log, not a traceback.

        A class with a ``handle_error`` of its own gets every error.
        """
        error = sys.exc_info()[1]
        inherited = super().handle_error  # type: ignore[misc]
        if isinstance(error, ConnectionError) and inherited.__func__ is socketserver.BaseServer.handle_error:
            _log.info("%s is gone: %s", client_address, error)
            return
        inherited(request, client_address)
