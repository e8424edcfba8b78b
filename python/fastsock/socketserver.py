"""The drop-in for the stdlib's ``socketserver``: ``from fastsock import socketserver`` is the one changed line.

Every public name of the stdlib's module is here. **``ThreadingMixIn`` here means the loop**: the requests of a
``ThreadingTCPServer`` are coroutines of one thread, see ``fastsock.LoopMixIn``. ``ForkingMixIn`` still forks, and the
plain servers are the stdlib's own: one request at a time is their contract.
"""

from __future__ import annotations

import socketserver as _stdlib
import sys
from socketserver import *  # noqa: F403

from fastsock.forking import ForkingMixIn as _ForkingMixIn
from fastsock.handlers import DatagramRequestHandler as DatagramRequestHandler
from fastsock.handlers import StreamRequestHandler as StreamRequestHandler
from fastsock.mixin import LoopMixIn as _LoopMixIn

__all__ = list(_stdlib.__all__)
__version__ = _stdlib.__version__  # type: ignore[attr-defined]

ForkingMixIn = _ForkingMixIn  # type: ignore[misc]


class ThreadingMixIn(_LoopMixIn):  # type: ignore[no-redef]
    """The loop, under the stdlib's name: each request is a coroutine of the thread that serves. See ``LoopMixIn``."""


class ThreadingTCPServer(ThreadingMixIn, _stdlib.TCPServer):  # type: ignore[no-redef]
    """A TCP server whose requests are coroutines of the thread that serves."""


class ThreadingUDPServer(ThreadingMixIn, _stdlib.UDPServer):  # type: ignore[no-redef]
    """A UDP server whose requests are coroutines of the thread that serves."""


class ThreadingUnixStreamServer(ThreadingMixIn, _stdlib.UnixStreamServer):  # type: ignore[no-redef]
    """A Unix stream server whose requests are coroutines of the thread that serves."""


class ThreadingUnixDatagramServer(ThreadingMixIn, _stdlib.UnixDatagramServer):  # type: ignore[no-redef]
    """A Unix datagram server whose requests are coroutines of the thread that serves."""


class ForkingTCPServer(_ForkingMixIn, _stdlib.ForkingTCPServer):  # type: ignore[no-redef]
    """A TCP server that forks for each request."""


class ForkingUDPServer(_ForkingMixIn, _stdlib.ForkingUDPServer):  # type: ignore[no-redef]
    """A UDP server that forks for each datagram."""


if sys.version_info >= (3, 12):

    class ForkingUnixStreamServer(_ForkingMixIn, _stdlib.ForkingUnixStreamServer):
        """A Unix stream server that forks for each request."""

    class ForkingUnixDatagramServer(_ForkingMixIn, _stdlib.ForkingUnixDatagramServer):
        """A Unix datagram server that forks for each datagram."""
