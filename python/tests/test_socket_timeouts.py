"""Timeouts and blocking modes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from support import PATIENCE, all_of, pair

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

CALLS: dict[str, Callable[[fastsock.Socket], object]] = {
    "recv": lambda sock: sock.recv(1),
    "recv_into": lambda sock: sock.recv_into(bytearray(1)),
    "recvfrom": lambda sock: sock.recvfrom(1),
    "recvmsg": lambda sock: sock.recvmsg(1),
    "sendall": lambda sock: sock.sendall(bytes(10_000_000)),
    "makefile": lambda sock: sock.makefile("rb").read(1),
}


@pytest.mark.parametrize("place", ["loop", "plain"])
@pytest.mark.parametrize("call", CALLS)
def test_every_call_times_out_when_it_should_and_never_early(call: str, place: str) -> None:
    ticks: list[float] = []

    def tick() -> None:
        for _ in range(5):
            fastsock.sleep(0.002)
            ticks.append(time.monotonic())

    with pair() as (ours, _):
        ours.settimeout(0.03)

        def body() -> None:
            begin = time.monotonic()
            with pytest.raises(TimeoutError, match="timed out"):
                CALLS[call](ours)
            assert time.monotonic() - begin >= 0.03
            ticks.append(0.0)

        if place == "loop":
            all_of(body, tick)
            # The others ran meanwhile: once at least, even if the machine stood still until all was due.
            assert ticks.index(0.0) >= 1
        else:
            body()


@pytest.mark.parametrize("place", ["loop", "plain"])
def test_a_socket_works_on_after_a_timeout(place: str) -> None:
    def body() -> None:
        with pair() as (ours, peer):
            ours.settimeout(0.01)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    ours.recv(1)
            peer.sendall(b"x")
            ours.settimeout(PATIENCE)
            assert ours.recv(1) == b"x"

    all_of(body) if place == "loop" else body()


@pytest.mark.parametrize("place", ["loop", "plain"])
@pytest.mark.parametrize("call", [call for call in CALLS if call != "makefile"])
def test_a_non_blocking_socket_never_waits(call: str, place: str) -> None:
    def body() -> None:
        with pair() as (ours, _):
            ours.setblocking(False)
            with pytest.raises(BlockingIOError):
                CALLS[call](ours)

    all_of(body) if place == "loop" else body()


def test_the_blocking_mode_that_was_set_is_the_one_that_is_told() -> None:
    with pair() as (ours, _):
        assert (ours.gettimeout(), ours.timeout, ours.getblocking()) == (None, None, True)
        ours.settimeout(0.1)
        assert (ours.gettimeout(), ours.timeout, ours.getblocking()) == (0.1, 0.1, True)
        ours.setblocking(False)
        assert (ours.gettimeout(), ours.timeout, ours.getblocking()) == (0.0, 0.0, False)
        ours.setblocking(True)
        assert (ours.gettimeout(), ours.getblocking()) == (None, True)


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError)])
def test_senseless_timeouts_are_refused(value: float, error: type[Exception]) -> None:
    with pair() as (ours, _):
        with pytest.raises(error):
            ours.settimeout(value)
        assert ours.gettimeout() is None


def test_the_shortest_timeout_is_still_a_timeout() -> None:
    with pair() as (ours, _):
        ours.settimeout(1e-12)
        assert ours.getblocking()
        with pytest.raises(TimeoutError):
            ours.recv(1)


def test_a_timeout_changed_while_someone_waits_holds_from_the_next_call() -> None:
    with pair() as (ours, peer):
        ours.settimeout(PATIENCE)
        got: list[bytes] = []

        def change() -> None:
            ours.settimeout(0.001)
            fastsock.sleep(0.02)
            peer.sendall(b"x")

        all_of(lambda: got.append(ours.recv(1)), change)
        assert got == [b"x"]


def test_a_thousand_timeouts_run_out_in_order() -> None:
    order: list[int] = []

    def wait(number: int) -> None:
        fastsock.sleep(0.01 + number * 0.0001)
        order.append(number)

    all_of(*[lambda n=number: wait(n) for number in range(1000)])  # type: ignore[misc]
    assert order == sorted(order)


def test_connect_is_refused_as_the_stdlib_says_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

    def body() -> None:
        with fastsock.Socket() as ours, pytest.raises(ConnectionRefusedError):
            ours.connect(address)
        with fastsock.Socket() as ours, socket.socket() as theirs:
            assert ours.connect_ex(address) == theirs.connect_ex(address)

    all_of(body)
    body()


def test_connect_lets_the_others_run_and_times_out() -> None:
    # A queue that is full answers nobody.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        ran: list[int] = []

        def body() -> None:
            with fastsock.Socket() as ours:
                ours.settimeout(0.05)
                begin = time.monotonic()
                with pytest.raises(TimeoutError, match="timed out"):
                    ours.connect(address)
                assert time.monotonic() - begin >= 0.05

        all_of(body, lambda: ran.append(1))
        assert ran == [1]
        for filler in fillers:
            filler.close()


def test_connect_to_a_full_unix_listener_waits_for_room(tmp_path: object) -> None:
    with fastsock.Socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/socket")
        listener.listen(0)
        address = listener.getsockname()
        clients = [fastsock.Socket(socket.AF_UNIX) for _ in range(5)]
        accepted: list[socket.socket] = []

        def accept() -> None:
            fastsock.sleep(0.01)
            for _ in clients:
                accepted.append(listener.accept()[0])

        clients[0].connect(address)
        all_of(*[lambda c=client: c.connect(address) for client in clients[1:]], accept)  # type: ignore[misc]
        assert len(accepted) == 5
        for sock in [*clients, *accepted]:
            sock.close()


@pytest.mark.parametrize("place", ["loop", "plain"])
def test_connect_to_a_full_unix_listener_times_out(tmp_path: object, place: str) -> None:
    def body() -> None:
        with fastsock.Socket(socket.AF_UNIX) as listener, fastsock.Socket(socket.AF_UNIX) as late:
            listener.bind(f"{tmp_path}/{place}")
            listener.listen(0)
            fillers = [fastsock.Socket(socket.AF_UNIX) for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            late.settimeout(0.01)
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                late.connect(listener.getsockname())
            assert time.monotonic() - begin >= 0.01
            for filler in fillers:
                filler.close()

    all_of(body) if place == "loop" else body()
