"""When the process has no descriptor left: accepting pauses, costs nothing, and resumes by itself."""

from __future__ import annotations

import contextlib
import socket

import pytest
from support import Program, connect, receive

SERVER = """
import resource, socketserver, threading, time
import fastsock

class Hello(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"hello")
        self.request.recv(1)

def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

def watch():
    while True:
        input()
        before, begin = cpu(), time.monotonic()
        time.sleep(1.2)
        used = (cpu() - before) / (time.monotonic() - begin)
        print(f"{used:.4f}", server.socket.accept_stats().accepted, server.socket.accept_stats().pauses, flush=True)

with fastsock.LoopTCPServer(("127.0.0.1", 0), Hello) as server:
    resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
    threading.Thread(target=watch, daemon=True).start()
    fastsock.spawn(print, "READY", server.server_address[1], flush=True)
    server.serve_forever()
"""


@pytest.mark.parametrize("backend", ["epoll", "poll", "select"])
def test_accepting_pauses_at_no_cost_and_resumes_when_clients_leave(backend: str) -> None:
    with Program(SERVER, env={"FASTSOCK_BACKEND": backend}) as program:
        address = program.ready()
        clients = [connect(address) for _ in range(60)]
        served = []
        for client in clients:
            client.settimeout(0.2)
            with contextlib.suppress(TimeoutError, ConnectionError):
                if receive(client, 5) == b"hello":
                    served.append(client)
            if len(served) < len(clients) and client not in served:
                break
        assert 5 < len(served) < 30
        program.write("\n")
        share, accepted, pauses = program.line().split()
        assert float(share) < 0.05
        assert int(accepted) >= len(served)
        assert int(pauses) >= 1
        for client in served:
            client.close()
        # Those who are still in the queue are served now, or were told that they will not be.
        late = connect(address)
        assert receive(late, 5) == b"hello"
        for client in [*clients, late]:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()
