"""``ForkingMixIn``: a process for each request, of which only its own are reaped."""

from __future__ import annotations

import contextlib
import os
import select
import socketserver

__all__ = ["ForkingMixIn"]


class ForkingMixIn(socketserver.ForkingMixIn):
    """The stdlib's mix-in: each request is handled by a process of its own.

    What differs: with ``max_children`` running, it waits for one of its own. (The stdlib's waits for any child of the
    program, and takes the exit status away from who started it.)
    """

    def collect_children(self, *, blocking: bool = False) -> None:
        """Reap children that have ended; all of them if ``blocking``; one at least if there are ``max_children``."""
        children = self.active_children
        if not blocking and children is not None and len(children) >= self.max_children:
            _await_one(children)
            for pid in children.copy():
                _reap(children, pid)
        super().collect_children(blocking=blocking)


def _await_one(pids: set[int]) -> None:
    """Blocks until one of these children has ended; none is reaped."""
    poll = select.poll()
    with contextlib.ExitStack() as stack:
        for pid in pids:
            try:
                fd = os.pidfd_open(pid)
            except ProcessLookupError:
                return  # reaped by someone else: nothing to wait for
            stack.callback(os.close, fd)
            poll.register(fd, select.POLLIN)
        poll.poll()


def _reap(pids: set[int], pid: int) -> None:
    try:
        ended, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        ended = pid  # by someone else
    if ended:
        pids.discard(pid)
