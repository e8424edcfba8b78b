"""Blocking-style ``socketserver`` handlers, unchanged, at epoll speed on one thread.

>>> from fastsock import socketserver        # the one changed line

or, for a server class that exists already:

>>> import fastsock, http.server
>>> class Server(fastsock.LoopMixIn, http.server.HTTPServer): ...

or, with no line changed at all: ``python -m fastsock run script.py``.
"""

from fastsock import socketserver
from fastsock._fastsock import __version__
from fastsock.handlers import DatagramRequestHandler, StreamRequestHandler
from fastsock.loop import Group, in_loop, run, sleep, spawn
from fastsock.mixin import LoopMixIn
from fastsock.servers import LoopTCPServer, LoopUDPServer, LoopUnixDatagramServer, LoopUnixStreamServer, serve
from fastsock.sockets import AcceptStats, Socket

__all__ = [
    "AcceptStats",
    "DatagramRequestHandler",
    "Group",
    "LoopMixIn",
    "LoopTCPServer",
    "LoopUDPServer",
    "LoopUnixDatagramServer",
    "LoopUnixStreamServer",
    "Socket",
    "StreamRequestHandler",
    "__version__",
    "in_loop",
    "run",
    "serve",
    "sleep",
    "socketserver",
    "spawn",
]
