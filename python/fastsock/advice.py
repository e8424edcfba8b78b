"""What to do about an error, in the words of who meets it."""

from __future__ import annotations

import errno
import socket
from typing import Any

__all__ = ["bind_advice"]


def bind_advice(error: OSError, address: Any) -> str | None:
    """A sentence for an error of ``bind`` that its reader can mend."""
    if isinstance(error, socket.gaierror):
        return f"fastsock: the host of {address!r} is no known name and no address; '' listens on every interface"
    if error.errno == errno.EADDRINUSE:
        if isinstance(address, (str, bytes)):
            return f"fastsock: {address!r} exists: remove it if no server listens there any more, or choose another"
        return (
            f"fastsock: {address!r} is taken: end what listens there (`ss -ltnp` names it), choose another port (0: a "
            "free one), or, if a server there has just ended, set allow_reuse_address = True on the server's class"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"fastsock: no interface of this machine has the address of {address!r}; '' listens on every interface"
    if error.errno == errno.EACCES and isinstance(address, tuple):
        return "fastsock: ports below 1024 need the privilege CAP_NET_BIND_SERVICE: choose a port from 1024 on"
    return None
