"""Deep recursion, and the end of the process."""

from __future__ import annotations

import sys

import pytest
from support import all_of, run_program

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_deep_recursion_in_a_handler_is_a_recursion_error_and_no_crash() -> None:
    depths: list[int] = []

    def dive(depth: int) -> None:
        depths.append(depth)
        if depth % 100 == 0:
            fastsock.sleep(0)
        dive(depth + 1)

    def body() -> None:
        with pytest.raises(RecursionError):
            dive(1)

    all_of(body, body)
    assert max(depths) > sys.getrecursionlimit() // 2


def test_each_coroutine_has_the_whole_recursion_limit() -> None:
    reached: list[int] = []

    def dive(depth: int) -> None:
        if depth == 300:
            fastsock.sleep(0.001)
            reached.append(depth)
        else:
            dive(depth + 1)

    all_of(*[lambda: dive(0)] * 50)
    assert len(reached) == 50


@pytest.mark.parametrize(
    "ending",
    ["pass", "sys.exit(3)", "os.kill(os.getpid(), signal.SIGTERM)", "raise LookupError"],
    ids=["end", "exit", "signal", "error"],
)
def test_a_process_ends_in_peace_with_coroutines_parked(ending: str) -> None:
    status, _, errors = run_program(
        f"""
        import os, signal, socket, sys, threading
        import fastsock

        pairs = [socket.socketpair() for _ in range(20)]
        ours = [fastsock.Socket.adopt(left) for left, _ in pairs]

        def loop():
            for sock in ours[:10]:
                fastsock.spawn(sock.recv, 1)
            fastsock.sleep(0.01)

        def for_ever():
            fastsock.run(lambda: (loop(), ready.set(), fastsock.sleep(1000)))

        ready = threading.Event()
        ours = ours[::-1]
        threading.Thread(target=for_ever, daemon=True).start()
        ready.wait()
        ours = ours[::-1]
        fastsock.run(loop)
        {ending}
        """
    )
    assert status == {"pass": 0, "sys.exit(3)": 3, "raise LookupError": 1}.get(ending, -15)
    assert "Fatal" not in errors
    assert "panicked" not in errors
    assert ("LookupError" in errors) == (ending == "raise LookupError")
