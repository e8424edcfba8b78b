"""``run``, ``spawn``, ``sleep`` and ``Group``."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from typing import Any

import greenlet
import pytest
from support import PATIENCE, all_of, eventually, in_thread, pair, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_run_gives_the_result_and_raises_what_is_raised() -> None:
    assert fastsock.run(divmod, 7, 2) == (3, 1)
    assert fastsock.run(dict, a=1) == {"a": 1}
    with pytest.raises(ZeroDivisionError):
        fastsock.run(divmod, 1, 0)
    with pytest.raises(SystemExit):
        fastsock.run(sys.exit, 3)


def test_run_in_a_coroutine_is_a_plain_call() -> None:
    assert fastsock.run(lambda: fastsock.run(fastsock.in_loop))


def test_in_loop_tells_where_one_is() -> None:
    assert not fastsock.in_loop()
    assert fastsock.run(fastsock.in_loop)
    seen: list[bool] = []
    with in_thread(lambda: seen.append(fastsock.in_loop())):
        pass
    assert seen == [False]


def test_spawned_coroutines_begin_at_the_next_wait_in_their_order() -> None:
    order: list[int] = []

    def main() -> None:
        for number in range(5):
            fastsock.spawn(order.append, number)
        assert order == []
        fastsock.sleep(0)

    fastsock.run(main)
    assert order == [0, 1, 2, 3, 4]


def test_coroutines_spawned_before_run_run_then_and_are_left_parked_after_it() -> None:
    order: list[str] = []

    def parked() -> None:
        order.append("begun")
        fastsock.sleep(0.02)
        order.append("ended")

    fastsock.spawn(parked)
    fastsock.run(fastsock.sleep, 0)
    assert order == ["begun"]
    fastsock.run(eventually, lambda: order == ["begun", "ended"])


def test_spawn_takes_keywords() -> None:
    seen: list[Any] = []
    all_of(lambda: fastsock.spawn(lambda *args, **kwargs: seen.append((args, kwargs)), 1, two=2), lambda: None)
    fastsock.run(eventually, lambda: seen == [((1,), {"two": 2})])


def test_an_exception_of_a_coroutine_reaches_the_excepthook_with_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append((args.exc_type, args.thread)))
    all_of(lambda: fastsock.spawn(divmod, 1, 0), lambda: fastsock.sleep(0.001))
    assert seen == [(ZeroDivisionError, threading.current_thread())]


def test_greenlet_exit_is_the_quiet_end_of_a_coroutine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)

    def leave() -> None:
        raise greenlet.GreenletExit

    fastsock.run(lambda: (fastsock.spawn(leave), fastsock.sleep(0.001)))
    assert seen == []


@pytest.mark.parametrize("where", ["loop", "plain"])
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.02])
def test_sleep_is_never_early(where: str, seconds: float) -> None:
    begin = time.monotonic()
    if where == "loop":
        fastsock.run(fastsock.sleep, seconds)
    else:
        fastsock.sleep(seconds)
    assert time.monotonic() - begin >= seconds


def test_sleep_of_zero_gives_everyone_a_turn() -> None:
    turns: list[int] = []

    def take(number: int) -> None:
        for _ in range(3):
            turns.append(number)
            fastsock.sleep(0)

    all_of(lambda: take(1), lambda: take(2), lambda: take(3))
    assert turns == [1, 2, 3] * 3


def test_a_group_counts_waits_and_ends_its_coroutines() -> None:
    ends: list[Any] = []

    def wait() -> None:
        try:
            fastsock.sleep(PATIENCE)
        except greenlet.GreenletExit as error:
            ends.append(type(error))
            raise

    def main() -> None:
        group = fastsock.Group()
        assert len(group) == 0
        assert group.join()
        for _ in range(3):
            group.spawn(wait)
        assert len(group) == 3
        begin = time.monotonic()
        assert not group.join(timeout=0.01)
        assert time.monotonic() - begin >= 0.01
        assert group.join(below=4)
        assert group.kill() == 3
        assert group.join(timeout=PATIENCE)
        assert group.kill() == 0

    fastsock.run(main)
    assert ends == [greenlet.GreenletExit] * 3


def test_join_returns_as_soon_as_there_are_few_enough() -> None:
    def main() -> int:
        group = fastsock.Group()
        for number in range(10):
            group.spawn(fastsock.sleep, 0.001 * number)
        assert group.join(below=5, timeout=PATIENCE)
        return len(group)

    assert fastsock.run(main) <= 4


def test_several_may_join_one_group() -> None:
    group = fastsock.Group()
    joined: list[bool] = []
    all_of(
        lambda: group.spawn(fastsock.sleep, 0.005),
        lambda: joined.append(group.join()),
        lambda: joined.append(group.join(timeout=PATIENCE)),
    )
    assert joined == [True, True]


def test_interrupt_ends_an_interruptible_join_only() -> None:
    group = fastsock.Group()

    def main() -> None:
        group.spawn(fastsock.sleep, PATIENCE)
        with in_thread(group.interrupt):
            assert not group.join(timeout=PATIENCE, interruptible=True)
        group.interrupt()
        assert not group.join(timeout=0.001)
        assert not group.join(timeout=PATIENCE, interruptible=True)
        group.kill()
        assert group.join(timeout=PATIENCE)

    fastsock.run(main)


variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


def test_each_coroutine_has_a_copy_of_the_context_it_was_started_in() -> None:
    seen: dict[int, int] = {}

    def body(number: int) -> None:
        assert variable.get() == 100
        variable.set(number)
        fastsock.sleep(0.001)
        seen[number] = variable.get()

    def main() -> None:
        variable.set(100)
        group = fastsock.Group()
        for number in range(10):
            group.spawn(body, number)
        group.join()
        assert variable.get() == 100

    fastsock.run(main)
    assert seen == {number: number for number in range(10)}
    assert variable.get() == 0


def test_each_handler_has_a_context_of_its_own() -> None:
    class Count(fastsock.StreamRequestHandler):
        def handle(self) -> None:
            for _ in self.rfile:
                variable.set(variable.get() + 1)
                self.wfile.write(b"%d" % variable.get())

    from support import connect, receive

    with serving(fastsock.LoopTCPServer(("127.0.0.1", 0), Count)) as address:
        clients = [connect(address) for _ in range(3)]
        for turn in (b"1", b"2", b"3"):
            for client in clients:
                client.sendall(b"\n")
                assert receive(client, 1) == turn
        for client in clients:
            client.close()


def test_a_worker_is_used_again_with_nothing_of_its_past() -> None:
    seen: list[int] = []

    def body() -> None:
        seen.append(variable.get())
        variable.set(5)

    def main() -> None:
        for _ in range(5):
            group = fastsock.Group()
            group.spawn(body)
            group.join()

    fastsock.run(main)
    assert seen == [0] * 5


def test_exceptions_being_handled_do_not_leak_into_another_coroutine() -> None:
    seen: list[Any] = []

    def handling() -> None:
        try:
            raise LookupError
        except LookupError:
            fastsock.sleep(0.002)
            seen.append(sys.exc_info()[0])

    def other() -> None:
        fastsock.sleep(0.001)
        seen.append(sys.exc_info()[0])

    all_of(handling, other)
    assert seen == [None, LookupError]


def test_a_timer_that_ran_out_does_not_ring_for_the_next_wait() -> None:
    with pair() as (ours, peer):

        def body() -> None:
            for _ in range(50):
                ours.settimeout(0.0005)
                with pytest.raises(TimeoutError):
                    ours.recv(1)
                ours.settimeout(None)
                fastsock.spawn(peer.sendall, b"x")
                assert ours.recv(1) == b"x"

        all_of(body)
