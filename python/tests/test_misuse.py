"""What is asked for wrongly, or is not there: an error that says what to do."""

from __future__ import annotations

import socket
import socketserver
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, in_thread, run_program

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


class Nothing(socketserver.BaseRequestHandler):
    pass


def notes_of(address: Any, kind: type[Any] = fastsock.LoopTCPServer) -> str:
    """What the error of a server at this address advises."""
    with pytest.raises(OSError, match=r".") as caught:
        kind(address, Nothing)
    return " ".join(getattr(caught.value, "__notes__", []))


def test_a_port_that_is_taken_comes_with_advice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        advice = notes_of(other.getsockname())
    assert "is taken" in advice
    assert "allow_reuse_address" in advice
    assert "ss -ltnp" in advice


def test_a_path_that_exists_comes_with_advice(tmp_path: Path) -> None:
    (tmp_path / "socket").touch()
    assert "remove it" in notes_of(str(tmp_path / "socket"), fastsock.LoopUnixStreamServer)


def test_an_address_of_another_machine_comes_with_advice() -> None:
    assert "no interface" in notes_of(("192.0.2.1", 0))


def test_a_host_that_is_no_address_comes_with_advice() -> None:
    assert "no known name" in notes_of(("256.0.0.1", 0))


def test_bad_ports_are_the_stdlibs_errors_and_leak_nothing() -> None:
    for _ in range(50):
        with pytest.raises(OverflowError):
            fastsock.LoopTCPServer(("127.0.0.1", 70_000), Nothing)
    with pytest.raises(TypeError):
        fastsock.LoopTCPServer(("127.0.0.1", "http"), Nothing)  # type: ignore[arg-type]


def test_without_greenlet_the_error_says_how_to_get_it() -> None:
    status, _, errors = run_program(
        """
        import sys
        sys.modules["greenlet"] = None
        import fastsock
        fastsock.run(print)
        """
    )
    assert status == 1
    assert "python -m pip install greenlet" in errors
    assert "ImportError" in errors.splitlines()[-1]


def test_an_unknown_backend_is_an_error_that_names_the_known_ones() -> None:
    status, _, errors = run_program("import fastsock; fastsock.run(print)", env={"FASTSOCK_BACKEND": "nonsense"})
    assert status == 1
    last = errors.splitlines()[-1]
    assert last.startswith("OSError")
    assert all(word in last for word in ("FASTSOCK_BACKEND", "epoll", "poll", "select"))


def test_waiting_on_the_loops_own_greenlet_is_an_error_and_not_a_spin() -> None:
    status, output, errors = run_program(
        """
        import os, signal, socket
        import fastsock

        left, right = socket.socketpair()
        ours = fastsock.Socket.adopt(left)

        def handler(*_):
            for call in (lambda: ours.recv(1), lambda: fastsock.sleep(1), lambda: fastsock.Group().join(0)):
                try:
                    call()
                except RuntimeError as error:
                    print(error, flush=True)
            ours.sendall(b"x")

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        # Idle: so the signal handler runs on the loop's own greenlet.
        fastsock.run(fastsock.sleep, 0.3)
        print(right.recv(1))
        """
    )
    assert status == 0, errors
    lines = output.splitlines()
    assert len(lines) == 4
    assert all("loop's own greenlet" in line for line in lines[:3])
    assert lines[3] == "b'x'"


def test_a_signal_handler_may_send_much_on_the_loops_own_greenlet() -> None:
    status, output, errors = run_program(
        """
        import signal, socket
        import fastsock

        left, right = socket.socketpair()
        ours = fastsock.Socket.adopt(left)

        def handler(*_):
            for _ in range(1000):
                ours.sendall(b"x")
                right.recv(1)
            print("sent", flush=True)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        fastsock.run(fastsock.sleep, 0.2)
        """
    )
    assert (status, output.strip()) == (0, "sent"), errors


def test_join_outside_a_coroutine_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="call it in a coroutine"):
        fastsock.Group().join(0)


def test_a_group_belongs_to_one_threads_loop() -> None:
    group = fastsock.Group()

    def main() -> None:
        group.spawn(fastsock.sleep, PATIENCE)
        fastsock.sleep(0)
        errors: list[str] = []

        def other() -> None:
            for call in (group.kill, lambda: group.spawn(print), lambda: fastsock.run(group.join)):
                try:
                    call()
                except RuntimeError as error:
                    errors.append(str(error))

        with in_thread(other):
            pass
        assert len(errors) == 3
        assert all("another thread's loop" in error for error in errors)
        group.kill()
        assert group.join(timeout=PATIENCE)

    fastsock.run(main)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_senseless_sleeps_are_refused_on_the_loop_and_off_it(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"."):
        fastsock.sleep(seconds)
    with pytest.raises(ValueError, match=r"."):
        fastsock.run(fastsock.sleep, seconds)
