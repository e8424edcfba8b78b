"""What must still happen when a coroutine is ended, or ends, at an awkward moment."""

from __future__ import annotations

import os
import socket

import pytest

import fastsock


def test_ctrl_c_in_a_coroutine_is_raised_even_when_who_runs_the_loop_ends_in_the_same_turn() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def main() -> None:
        group = fastsock.Group()
        group.spawn(lambda: None)  # its end wakes main before the interrupt is known
        fastsock.spawn(interrupt)
        group.join()

    with pytest.raises(KeyboardInterrupt):
        fastsock.run(main)


def test_a_close_that_is_ended_while_it_waits_to_send_closes_all_the_same() -> None:
    def main() -> None:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock = fastsock.Socket.adopt(ours)
        number = sock.fileno()

        def write_and_close() -> None:
            fastsock._fastsock.Writer(sock._channel).write(b"x" * 60000)
            sock.close()

        group = fastsock.Group()
        group.spawn(write_and_close)
        fastsock.sleep(0)
        assert len(group) == 1  # it waits: nobody reads
        group.kill()
        assert group.join(timeout=10)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        theirs.close()

    fastsock.run(main)
