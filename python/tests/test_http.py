"""The stdlib's HTTP server on the loop."""

from __future__ import annotations

import http.client
import http.server
import threading
import xmlrpc.client
import xmlrpc.server
from typing import Any

import pytest
from support import PATIENCE, in_thread, serving

import fastsock

pytestmark = pytest.mark.usefixtures("nothing_left")


class Server(fastsock.LoopMixIn, http.server.HTTPServer):
    pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.path} {threading.get_ident()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, format: str, *args: Any) -> None:
        pass


def client(address: tuple[str, int]) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*address, timeout=PATIENCE)


def get(connection: http.client.HTTPConnection, path: str) -> str:
    connection.request("GET", path)
    answer, thread = connection.getresponse().read().decode().split()
    return f"{answer} {thread}"


def test_many_kept_alive_connections_take_turns_on_one_thread() -> None:
    with serving(Server(("127.0.0.1", 0), Handler)) as address:
        connections = [client(address) for _ in range(50)]
        answers = [get(connection, f"/{turn}") for turn in range(4) for connection in connections]
        for connection in connections:
            connection.close()
    assert len({answer.split()[1] for answer in answers}) == 1
    assert [answer.split()[0] for answer in answers[::50]] == ["/0", "/1", "/2", "/3"]


@pytest.mark.parametrize("size", [0, 1, 65536, 1_000_000])
def test_bodies_of_any_size_come_and_go_whole(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    with serving(Server(("127.0.0.1", 0), Handler)) as address:
        connection = client(address)
        connection.request("POST", "/", body[:size])
        assert connection.getresponse().read() == body[:size][::-1]
        connection.close()


def test_a_bad_request_is_answered_and_the_server_goes_on() -> None:
    with serving(Server(("127.0.0.1", 0), Handler)) as address:
        connection = client(address)
        connection.request("BREW", "/pot")
        assert connection.getresponse().status == 501
        connection.close()
        connection = client(address)
        assert get(connection, "/fine").startswith("/fine")
        connection.close()


def test_a_handlers_timeout_ends_an_idle_connection() -> None:
    class Impatient(Handler):
        timeout = 0.05

    with serving(Server(("127.0.0.1", 0), Impatient)) as address:
        connection = client(address)
        get(connection, "/")
        assert connection.sock.recv(1) == b""
        connection.close()


def test_xml_rpc_calls_work_side_by_side() -> None:
    class Rpc(fastsock.LoopMixIn, xmlrpc.server.SimpleXMLRPCServer):
        pass

    server = Rpc(("127.0.0.1", 0), logRequests=False)
    server.register_function(lambda a, b: a + b, "add")
    sums: list[Any] = []

    def call(url: str, number: int) -> None:
        with xmlrpc.client.ServerProxy(url) as proxy:
            sums.append(proxy.add(number, 1))

    with serving(server) as (host, port):
        url = f"http://{host}:{port}"
        with in_thread(call, url, 1), in_thread(call, url, 2), in_thread(call, url, 3):
            pass
    assert sorted(sums) == [2, 3, 4]
