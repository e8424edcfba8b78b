"""An echo service on fastsock: blocking style, thousands of clients, one thread.

    python examples/python/echo.py [HOST] [PORT]        (port 0: the kernel's choice)

The same service: ../rust/echo.rs, ../c/echo.c. Try it with `nc 127.0.0.1 7777`.
"""

import sys

from fastsock import socketserver


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True  # Ctrl-C does not wait for the clients


def main() -> None:
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 7777
    with Server((host, port), Echo) as server:
        print("READY", server.server_address[1], flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("bye", file=sys.stderr)


if __name__ == "__main__":
    main()
