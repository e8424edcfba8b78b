"""Puts fastsock in the place of the stdlib's modules, in this process and in its children.

A ``.pth`` file in the environment imports this when ``FASTSOCK_SWAP`` is set:

``drop-in``  ``import socketserver`` gives ``fastsock.socketserver``
``loop``     the same, and its plain servers are on the loop too, one request at a time
``socket``   ``socket.socket`` is ``fastsock.Socket``

Each server of ours that runs, or each process with the number of its sockets, is a line in the file
``FASTSOCK_SWAP_LOG``: a run that used none has tested nothing.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import types
from typing import Any


def note(line: str) -> None:
    """One line in the log, whole whoever else writes."""
    path = os.environ.get("FASTSOCK_SWAP_LOG")
    if path:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(fd, line.encode() + b"\n")
        os.close(fd)


def count_servers() -> None:
    """Notes each server of ours, the first time that it serves."""
    from fastsock import LoopMixIn
    from fastsock.forking import ForkingMixIn

    def counting(cls: type, name: str) -> None:
        inner = getattr(cls, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not self.__dict__.get("_noted"):
                self.__dict__["_noted"] = True
                note(f"server {type(self).__module__}.{type(self).__qualname__}")
            return inner(self, *args, **kwargs)

        setattr(cls, name, method)

    counting(LoopMixIn, "serve_forever")
    counting(LoopMixIn, "handle_request")
    counting(ForkingMixIn, "process_request")


def all_on_the_loop(drop_in: Any) -> types.ModuleType:
    """The drop-in, whose plain servers are on the loop too: serial, as is their contract."""
    from fastsock import LoopMixIn

    module = types.ModuleType("socketserver", drop_in.__doc__)
    module.__dict__.update({key: value for key, value in vars(drop_in).items() if not key.startswith("__")})
    module.__dict__.update(__all__=drop_in.__all__, __version__=drop_in.__version__)

    def derive(name: str, *bases: type, **attributes: Any) -> None:
        setattr(module, name, type(name, bases, {"__module__": "socketserver", **attributes}))

    for kind in ("TCPServer", "UDPServer", "UnixStreamServer", "UnixDatagramServer"):
        derive(kind, LoopMixIn, getattr(drop_in, kind), concurrency=1)
        derive(f"Threading{kind}", drop_in.ThreadingMixIn, getattr(module, kind), concurrency=None)
    return module


def count_sockets() -> None:
    """Notes, at the end of the process, how many sockets of ours it has made."""
    import atexit

    import fastsock

    made = [0]
    inner = fastsock.Socket.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        made[0] += 1
        inner(self, *args, **kwargs)

    fastsock.Socket.__init__ = init  # type: ignore[method-assign]
    atexit.register(lambda: note(f"sockets {made[0]}"))


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives fastsock's module to who imports ``socketserver``; until then nothing of it is imported."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.is_ours = True

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != "socketserver" or not self.is_ours:
            return None
        self.is_ours = False  # it imports the stdlib's itself
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        import fastsock.socketserver

        count_servers()
        return all_on_the_loop(fastsock.socketserver) if self.mode == "loop" else fastsock.socketserver

    def exec_module(self, module: types.ModuleType) -> None:
        """It has run already."""


def install(mode: str) -> None:
    """Does what the mode says; see the module's text."""
    if mode == "socket":
        import socket

        import fastsock

        count_sockets()
        socket.socket = fastsock.Socket  # type: ignore[misc]
    elif mode in ("drop-in", "loop"):
        sys.meta_path.insert(0, Finder(mode))
    else:
        sys.exit(f"FASTSOCK_SWAP={mode!r} is none of drop-in, loop, socket")


if os.environ.get("FASTSOCK_SWAP"):
    install(os.environ["FASTSOCK_SWAP"])
