"""The loop of a thread: run it, start coroutines on it, sleep on it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from fastsock import _fastsock
from fastsock._fastsock import Group, in_loop, sleep

__all__ = ["Group", "in_loop", "run", "sleep", "spawn"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

os.register_at_fork(before=_fastsock.flush, after_in_child=_fastsock.after_fork_in_child)


def run(call: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Calls ``call(*args, **kwargs)`` as a coroutine and runs this thread's loop until it returns. Gives its result.

    Other coroutines of the thread run meanwhile, and are left parked when it returns. In a coroutine already, this is a
    plain call. Ctrl-C raises ``KeyboardInterrupt`` where ``call`` waits, also while another coroutine runs.
    """
    if kwargs:
        return run(lambda: call(*args, **kwargs))
    if in_loop():
        return call(*args, **kwargs)
    with _signals():
        return _fastsock.run(call, *args)  # type: ignore[no-any-return]


_spawned = threading.local()


def spawn(call: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Starts ``call(*args, **kwargs)`` as a coroutine on this thread's loop.

    It begins when the caller next waits. An exception that it does not catch is shown by ``threading.excepthook``.
    Coroutines that are to be counted, waited for or ended together: ``Group``.
    """
    group: Group | None = getattr(_spawned, "group", None)
    if group is None:
        group = _spawned.group = Group()
    if kwargs:
        group.spawn(lambda: call(*args, **kwargs))
    else:
        group.spawn(call, *args)


def is_from_signal(error: BaseException) -> bool:
    """Whether a signal handler has raised it to end the program, in whichever coroutine ran at that moment."""
    if isinstance(error, Exception) or threading.current_thread() is not threading.main_thread():
        return False
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(handler, "__code__", None) for handler in handlers} - {None}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


#: The process, and the pipe that ends its main loop's wait when a signal comes just before it, which ``EINTR`` alone
#: would miss. Python's own signal handler writes a byte for each signal, from whichever thread.
_bell: tuple[int, int] | None = None


def _bell_pipe() -> int:
    global _bell
    # A forked child has left the loop on which the parent's pipe is read.
    if _bell is None or _bell[0] != os.getpid():
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _fastsock.ring_on(reader)
        _bell = os.getpid(), writer
    return _bell[1]


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """For the main thread, while its loop runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        before = signal.set_wakeup_fd(_bell_pipe(), warn_on_full_buffer=False)
    except ValueError:  # a sub-interpreter, or not Python's main thread after all
        yield
        return
    if before != -1:  # someone else's; a signal just before the wait is then seen at its end
        signal.set_wakeup_fd(before)
    try:
        yield
    finally:
        if before == -1:
            signal.set_wakeup_fd(-1)
