"""What programs do to greenlets, and what happens to coroutines in unlucky moments."""

from __future__ import annotations

import gc
import random
import weakref
from typing import Any

import greenlet
import pytest
from support import PATIENCE, all_of, eventually, pair

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_greenlet_of_the_programs_own_may_wait_inside_a_coroutine() -> None:
    with pair() as (ours, peer):
        got: list[Any] = []

        def body() -> None:
            inner = greenlet.greenlet(lambda: ours.recv(5))
            got.append(inner.switch())

        all_of(body, lambda: peer.sendall(b"hello"))
        assert got == [b"hello"]


def test_a_coroutine_that_switches_to_the_loop_by_hand_is_parked_until_it_is_killed() -> None:
    ends: list[Any] = []

    def wanderer() -> None:
        try:
            greenlet.getcurrent().parent.switch()  # type: ignore[union-attr]
            # Whatever brings it back, it is a coroutine still.
            fastsock.sleep(PATIENCE)
        except greenlet.GreenletExit:
            ends.append("killed")
            raise

    def main() -> None:
        group = fastsock.Group()
        group.spawn(wanderer)
        fastsock.sleep(0.001)
        for _ in range(5):
            group.kill()
            if group.join(timeout=0.05):
                return

    fastsock.run(main)
    assert ends == ["killed"]


def test_a_coroutine_that_is_switched_to_by_hand_looks_again() -> None:
    with pair() as (ours, peer):
        got: list[bytes] = []
        waiting: list[greenlet.greenlet] = []

        def wait() -> None:
            waiting.append(greenlet.getcurrent())
            got.append(ours.recv(5))

        def meddle() -> None:
            me = greenlet.getcurrent()
            fastsock.sleep(0.001)
            for _ in range(3):
                # It waits on, by way of the loop: this one must see to its own return.
                fastsock.spawn(me.switch)
                waiting[0].switch()
            assert got == []
            peer.sendall(b"hello")

        all_of(wait, meddle)
        assert got == [b"hello"]


def test_an_exception_thrown_into_a_waiting_coroutine_leaves_no_waiter_behind() -> None:
    with pair() as (ours, peer):
        got: list[Any] = []
        waiting: list[greenlet.greenlet] = []

        def wait() -> None:
            waiting.append(greenlet.getcurrent())
            try:
                ours.recv(5)
            except LookupError as error:
                got.append(type(error))
            got.append(ours.recv(5))

        def thrower() -> None:
            me = greenlet.getcurrent()
            fastsock.sleep(0.001)
            fastsock.spawn(me.switch)
            waiting[0].throw(LookupError)
            peer.sendall(b"hello")

        all_of(wait, thrower)
        assert got == [LookupError, b"hello"]


def test_a_killed_coroutine_leaves_the_socket_to_the_next_one() -> None:
    with pair() as (ours, peer):

        def main() -> None:
            for call in (lambda: ours.recv(1), lambda: ours.sendall(bytes(10_000_000))):
                group = fastsock.Group()
                group.spawn(call)
                fastsock.sleep(0)
                group.kill()
                assert group.join(timeout=PATIENCE)
            peer.sendall(b"x")
            assert ours.recv(1) == b"x"

        fastsock.run(main)


def test_clean_up_after_a_kill_may_wait_without_a_timeout_of_the_past() -> None:
    with pair() as (ours, peer):
        got: list[bytes] = []

        def wait() -> None:
            ours.settimeout(0.01)
            try:
                ours.recv(1)
            finally:
                ours.settimeout(None)
                got.append(ours.recv(5))

        def main() -> None:
            group = fastsock.Group()
            group.spawn(wait)
            fastsock.sleep(0)
            group.kill()
            # Its alarm is due in the same turn as the kill, or soon after.
            fastsock.sleep(0.02)
            peer.sendall(b"hello")
            assert group.join(timeout=PATIENCE)

        fastsock.run(main)
        assert got == [b"hello"]


def test_jobs_are_never_lost_or_mixed_when_coroutines_are_killed_at_random() -> None:
    random.seed(1)
    begun = ended = 0

    def job(sock: fastsock.Socket) -> None:
        nonlocal begun, ended
        begun += 1
        try:
            sock.settimeout(random.choice([0.0001, 0.001, None]))
            sock.recv(1)
        except TimeoutError:
            pass
        finally:
            ended += 1

    with pair() as (ours, peer):
        copies = [ours.dup() for _ in range(20)]

        def main() -> None:
            groups = [fastsock.Group() for _ in range(4)]
            spawned = 0
            for turn in range(400):
                for group in groups:
                    sock = random.choice(copies)
                    group.spawn(lambda s=sock: _quietly(job, s))
                    spawned += 1
                if turn % 3 == 0:
                    random.choice(groups).kill()
                if turn % 5 == 0:
                    peer.sendall(b"x" * random.randrange(1, 5))
                fastsock.sleep(random.choice([0, 0, 0.0001]))
            for group in groups:
                group.kill()
                assert group.join(timeout=PATIENCE)
            assert spawned == 1600

        fastsock.run(main)
        for copy in copies:
            copy.close()
    assert begun == ended > 0


def _quietly(call: Any, *args: Any) -> None:
    """Two of them may meet at one socket, which is an error that is tested elsewhere."""
    try:
        call(*args)
    except RuntimeError as error:
        assert "one reader at a time" in str(error)  # noqa: PT017


def test_collections_during_switches_find_everything_alive() -> None:
    def churn() -> None:
        for _ in range(30):
            with pair() as (ours, peer):
                peer.sendall(b"x")
                cycle: list[Any] = [ours]
                cycle.append(cycle)
                gc.collect(0)
                assert ours.recv(1) == b"x"
                fastsock.sleep(0)

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        all_of(*[churn] * 10)
    finally:
        gc.set_threshold(*threshold)


def test_a_destructor_may_wait() -> None:
    order: list[str] = []

    class Slow:
        def __del__(self) -> None:
            order.append("begun")
            fastsock.sleep(0.002)
            order.append("ended")

    def holder(_: Any) -> None:
        pass

    def main() -> None:
        group = fastsock.Group()
        group.spawn(holder, Slow())
        group.spawn(eventually, lambda: order)
        assert group.join(timeout=PATIENCE)

    fastsock.run(main)
    assert order == ["begun", "ended"]


def test_arguments_and_results_are_let_go_of_when_a_coroutine_has_ended() -> None:
    class Thing:
        pass

    things = [Thing()]
    alive = weakref.ref(things[0])

    def main() -> None:
        group = fastsock.Group()
        group.spawn(lambda thing: fastsock.sleep(0), things.pop())
        group.join()

    fastsock.run(main)
    gc.collect()
    assert alive() is None
