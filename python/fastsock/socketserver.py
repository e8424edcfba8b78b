"""The drop-in for the stdlib's ``socketserver``: ``from fastsock import socketserver`` is the one changed line.

Every public name of the stdlib's module is here. **``ThreadingMixIn`` here means the loop**: the requests of a
``ThreadingTCPServer`` are coroutines of one thread, see ``fastsock.LoopMixIn``. ``ForkingMixIn`` still forks, and the
plain servers are the stdlib's own: one request at a time is their contract.
"""

from __future__ import annotations

import socketserver as _stdlib
from socketserver import *  # noqa: F403

from fastsock.handlers import StreamRequestHandler as StreamRequestHandler
from fastsock.mixin import LoopMixIn

__all__ = list(_stdlib.__all__)
__version__ = _stdlib.__version__  # type: ignore[attr-defined]


class ThreadingMixIn(LoopMixIn):  # type: ignore[no-redef]
    """The loop, under the stdlib's name: each request is a coroutine of the thread that serves. See ``LoopMixIn``."""


class ThreadingTCPServer(ThreadingMixIn, _stdlib.TCPServer):  # type: ignore[no-redef]
    """A TCP server whose requests are coroutines of the thread that serves."""


class ThreadingUDPServer(ThreadingMixIn, _stdlib.UDPServer):  # type: ignore[no-redef]
    """A UDP server whose requests are coroutines of the thread that serves."""


class ThreadingUnixStreamServer(ThreadingMixIn, _stdlib.UnixStreamServer):  # type: ignore[no-redef]
    """A Unix stream server whose requests are coroutines of the thread that serves."""


class ThreadingUnixDatagramServer(ThreadingMixIn, _stdlib.UnixDatagramServer):  # type: ignore[no-redef]
    """A Unix datagram server whose requests are coroutines of the thread that serves."""
