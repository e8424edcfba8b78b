"""An echo server in blocking style, standard library only.

One handler per connection, each written as if it had the world to itself:

    python examples/python/echo_socketserver.py [PORT]                   a thread for each connection
    python -m fastsock run examples/python/echo_socketserver.py [PORT]   all of them on one thread

Not a line differs between the two. PORT defaults to 8000; 0 lets the kernel choose one. Try it with

    nc 127.0.0.1 8000
"""

import socketserver
import sys


class EchoHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with EchoServer(("127.0.0.1", port), EchoHandler) as server:
        print("listening on {}:{}".format(*server.server_address), flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
