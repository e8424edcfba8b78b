"""Handlers that raise: what is told, and that everyone else goes on."""

from __future__ import annotations

import logging
import socketserver
import sys
import threading
from typing import Any

import pytest
from support import ask, connect, eventually, receive, reset, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Raising(socketserver.BaseRequestHandler):
    """Raises what the client names; echoes for others."""

    errors: dict[bytes, BaseException] = {  # noqa: RUF012
        b"error": LookupError("lost"),
        b"exit": SystemExit(5),
        b"base": BaseException("base"),
        b"reset": ConnectionResetError(104, "reset"),
        b"timeout": TimeoutError("timed out"),
    }

    def handle(self) -> None:
        word = self.request.recv(100)
        if word in self.errors:
            raise self.errors[word]
        self.request.sendall(word)


def test_an_exception_is_printed_as_the_stdlib_does_and_closes_the_connection(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(fastsock.LoopTCPServer(HERE, Raising)) as address:
        assert ask(address, b"error") == b""
        assert ask(address, b"hello") == b"hello"
    errors = capsys.readouterr().err
    assert "Exception occurred during processing of request from ('127.0.0.1'" in errors
    assert "LookupError: lost" in errors


def test_others_go_on_while_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    class Server(fastsock.LoopTCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            assert sys.exc_info()[0] is LookupError

    class Echo(Raising):
        def handle(self) -> None:
            while word := self.request.recv(100):
                if word == b"error":
                    raise LookupError
                self.request.sendall(word)

    with serving(Server(HERE, Echo)) as address, connect(address) as steady:
        for _ in range(20):
            assert ask(address, b"error") == b""
            steady.sendall(b"ping")
            assert receive(steady, 4) == b"ping"
    assert capsys.readouterr().err == ""


def test_system_exit_ends_the_handler_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    with serving(fastsock.LoopTCPServer(HERE, Raising)) as address:
        assert ask(address, b"exit") == b""
        assert ask(address, b"hello") == b"hello"
    assert capsys.readouterr().err == ""


def test_other_base_exceptions_reach_the_threads_excepthook(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    with serving(fastsock.LoopTCPServer(HERE, Raising)) as address:
        assert ask(address, b"base") == b""
        assert ask(address, b"exit") == b""
        eventually(lambda: seen == [BaseException, SystemExit])
        assert ask(address, b"hello") == b"hello"


def test_an_excepthook_that_raises_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[Any] = []

    def hook(args: Any) -> None:
        raise ValueError("hook")

    monkeypatch.setattr(threading, "excepthook", hook)
    monkeypatch.setattr(sys, "unraisablehook", lambda what: unraisable.append(what.exc_type))
    with serving(fastsock.LoopTCPServer(HERE, Raising)) as address:
        assert ask(address, b"base") == b""
        assert ask(address, b"hello") == b"hello"
    assert unraisable == [ValueError]


def test_a_vanished_peer_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "fastsock"), serving(fastsock.LoopTCPServer(HERE, Raising)) as address:
        for _ in range(5):
            assert ask(address, b"reset") == b""
    assert capsys.readouterr().err == ""
    assert len(caplog.records) == 5
    assert all("is gone" in record.getMessage() for record in caplog.records)


def test_a_reset_by_the_peer_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "fastsock"), serving(fastsock.LoopTCPServer(HERE, Raising)) as address:
        for _ in range(5):
            reset(connect(address))
        eventually(lambda: len(caplog.records) == 5)
        assert ask(address, b"hello") == b"hello"
    assert capsys.readouterr().err == ""


def test_a_handle_error_of_ones_own_gets_vanished_peers_too() -> None:
    seen: list[Any] = []

    class Base(socketserver.TCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            seen.append(sys.exc_info()[0])

    class Server(fastsock.LoopMixIn, Base):
        pass

    with serving(Server(HERE, Raising)) as address:
        ask(address, b"reset")
        ask(address, b"timeout")
        eventually(lambda: len(seen) == 2)
    assert seen == [ConnectionResetError, TimeoutError]


def test_finish_runs_when_handle_raises_and_setup_failing_skips_it(capsys: pytest.CaptureFixture[str]) -> None:
    stages: list[str] = []

    class Staged(socketserver.BaseRequestHandler):
        def setup(self) -> None:
            stages.append("setup")
            if self.request.recv(10) == b"setup":
                raise LookupError("setup")

        def handle(self) -> None:
            stages.append("handle")
            raise LookupError("handle")

        def finish(self) -> None:
            stages.append("finish")

    with serving(fastsock.LoopTCPServer(HERE, Staged)) as address:
        ask(address, b"x")
        ask(address, b"setup")
    assert stages == ["setup", "handle", "finish", "setup"]
    assert capsys.readouterr().err.count("Exception occurred") == 2
