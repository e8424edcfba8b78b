"""Fixtures."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
import support

import fastsock


@pytest.fixture(scope="session", autouse=True)
def main_loop() -> None:
    """The main thread's loop stays until the end, with what it keeps open: it is not to be taken for a leak."""
    fastsock.run(lambda: None)


@pytest.fixture(params=["epoll", "poll", "select"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each backend in turn, for the loops of threads started in the test."""
    monkeypatch.setenv("FASTSOCK_BACKEND", request.param)
    return str(request.param)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails a test that leaves descriptors, threads or parked greenlets behind."""
    gc.collect()
    before = support.open_fds(), threading.active_count(), support.parked_greenlets()
    yield
    gc.collect()
    after = support.open_fds(), threading.active_count(), support.parked_greenlets()
    assert after[0] <= before[0], "descriptors were left open"
    assert after[1] <= before[1], "threads were left running"
    assert after[2] <= before[2], "greenlets were left parked"
