"""``wfile`` as a file like others."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from support import ask, connect, pair, serving

import fastsock
from fastsock._fastsock import Writer

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


def served(handle: Callable[[Any], object], **attributes: Any) -> Any:
    """A server whose handler does this."""
    handler = type("Handler", (fastsock.StreamRequestHandler,), {"handle": handle} | attributes)
    return serving(fastsock.LoopTCPServer(HERE, handler))


def test_a_closed_file_says_so() -> None:
    with pair() as (ours, _):
        file = Writer(ours._channel)
        assert (file.readable(), file.writable(), file.seekable(), file.mode) == (False, True, False, "wb")
        assert isinstance(file, io.BufferedIOBase)
        file.close()
        file.close()
        assert file.closed
        with pytest.raises(ValueError, match="closed"):
            file.write(b"x")
        with pytest.raises(ValueError, match="closed"):
            file.flush()


def test_text_may_be_written_through_it() -> None:
    def handle(self: Any) -> None:
        text = io.TextIOWrapper(self.wfile, encoding="utf-8", newline="\r\n")
        print("größe", 5, file=text)
        text.flush()
        text.detach()

    with served(handle) as address:
        assert ask(address, b"") == "größe 5\r\n".encode()


def test_the_handlers_timeout_holds_for_its_files() -> None:
    caught: list[str] = []

    def handle(self: Any) -> None:
        try:
            self.rfile.readline()
        except TimeoutError as error:
            caught.append(str(error))

    with served(handle, timeout=0.01) as address, connect(address) as client:
        assert client.recv(1) == b""
    assert caught == ["timed out"]
