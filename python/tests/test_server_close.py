"""``server_close``: handlers are waited for, then ended, and nothing is left."""

from __future__ import annotations

import logging
import socketserver
import threading
import time
from typing import Any

import greenlet
import pytest
from support import PATIENCE, connect, eventually, receive

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")

HERE = ("127.0.0.1", 0)


class Waiting(socketserver.BaseRequestHandler):
    """Waits for its client; notes how it ended."""

    def handle(self) -> None:
        server: Any = self.server
        self.request.sendall(b"hello")
        try:
            server.ends.append(self.request.recv(100))
        except BaseException as error:
            server.ends.append(type(error))
            raise


class Server(fastsock.LoopTCPServer):
    def __init__(self, handler: Any = Waiting, **attributes: Any) -> None:
        self.ends: list[Any] = []
        vars(self).update(attributes)
        super().__init__(HERE, handler)

    def clients(self, count: int) -> list[Any]:
        """So many clients, all of them being handled."""
        clients = [connect(self.server_address) for _ in range(count)]
        for client in clients:
            assert receive(client, 5) == b"hello"
        return clients


def serve(server: Server) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    return thread


def stop(server: Server, thread: threading.Thread) -> None:
    server.shutdown()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    server.server_close()


def test_handlers_that_end_in_time_are_waited_for() -> None:
    server = Server()
    thread = serve(server)
    clients = server.clients(10)
    server.shutdown()
    for client in clients:
        client.sendall(b"bye")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    server.server_close()
    assert server.ends == [b"bye"] * 10
    for client in clients:
        client.close()


def test_handlers_that_do_not_end_get_greenlet_exit_after_the_timeout(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(shutdown_timeout=0.05)
    thread = serve(server)
    clients = server.clients(10)
    begin = time.monotonic()
    with caplog.at_level(logging.WARNING, "fastsock"):
        stop(server, thread)
    assert time.monotonic() - begin >= 0.05
    assert server.ends == [greenlet.GreenletExit] * 10
    assert "10 handlers still ran" in caplog.text
    for client in clients:
        assert client.recv(1) == b""
        client.close()


@pytest.mark.parametrize("attributes", [{"daemon_threads": True}, {"block_on_close": False}, {"shutdown_timeout": 0}])
def test_handlers_of_daemon_threads_are_not_waited_for(attributes: dict[str, Any]) -> None:
    server = Server(**attributes)
    thread = serve(server)
    clients = server.clients(5)
    begin = time.monotonic()
    stop(server, thread)
    assert time.monotonic() - begin < server.shutdown_timeout or server.shutdown_timeout == 0
    assert server.ends == [greenlet.GreenletExit] * 5
    for client in clients:
        client.close()


def test_a_handlers_clean_up_may_wait_and_talk_to_its_client() -> None:
    class Polite(Waiting):
        def handle(self) -> None:
            try:
                super().handle()
            finally:
                fastsock.sleep(0.01)
                self.request.sendall(b"goodbye")
                self.server.ends.append("cleaned")  # type: ignore[attr-defined]

    server = Server(Polite, shutdown_timeout=0)
    thread = serve(server)
    (client,) = server.clients(1)
    stop(server, thread)
    assert receive(client, 7) == b"goodbye"
    assert server.ends == [greenlet.GreenletExit, "cleaned"]
    client.close()


def test_a_handler_that_will_not_end_is_given_up_with_a_message(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(Waiting):
        def handle(self) -> None:
            self.request.sendall(b"hello")
            for _ in range(12):
                try:
                    self.request.recv(1)
                except greenlet.GreenletExit:
                    continue
                return

    server = Server(Stubborn, shutdown_timeout=0)
    thread = serve(server)
    (client,) = server.clients(1)
    stop(server, thread)
    assert "catch GreenletExit" in caplog.text
    client.close()


def test_a_handler_blocked_in_sendall_is_ended_too() -> None:
    class Flood(Waiting):
        def handle(self) -> None:
            self.request.sendall(b"hello")
            try:
                self.request.sendall(bytes(50_000_000))
            except BaseException as error:
                self.server.ends.append(type(error))  # type: ignore[attr-defined]
                raise

    server = Server(Flood, shutdown_timeout=0.05)
    thread = serve(server)
    clients = server.clients(3)
    stop(server, thread)
    assert server.ends == [greenlet.GreenletExit] * 3
    for client in clients:
        client.close()


def test_handlers_on_the_main_thread_are_left_for_server_close() -> None:
    server = Server(shutdown_timeout=0.05)
    clients: list[Any] = []

    def stop_later() -> None:
        clients.extend(server.clients(3))
        server.shutdown()

    other = threading.Thread(target=stop_later)
    other.start()
    server.serve_forever()
    other.join(PATIENCE)
    assert server.ends == []
    server.server_close()
    assert server.ends == [greenlet.GreenletExit] * 3
    for client in clients:
        client.close()


def test_a_thread_that_ends_ends_the_coroutines_that_it_leaves() -> None:
    ends: list[Any] = []

    def wait() -> None:
        try:
            fastsock.sleep(PATIENCE)
        except BaseException as error:
            ends.append(type(error))
            raise

    def body() -> None:
        def main() -> None:
            for _ in range(5):
                fastsock.spawn(wait)
            fastsock.sleep(0)

        fastsock.run(main)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    eventually(lambda: len(ends) == 5)
    assert ends == [greenlet.GreenletExit] * 5


def test_a_long_wait_for_handlers_says_what_it_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(shutdown_timeout=0.6)
    thread = serve(server)
    clients = server.clients(3)
    stop(server, thread)
    waiting, ended = [record.getMessage() for record in caplog.records]
    assert "waiting up to 0.6 s for 3 handlers" in waiting
    assert "3 handlers" in ended
    for client in clients:
        client.close()
