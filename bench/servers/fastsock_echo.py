"""fastsock's socketserver, every connection on one thread: the plainest blocking handler."""

import common
from fastsock import socketserver


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = common.BACKLOG


with Server(common.address(), Echo) as server:
    common.ready(server.server_address[1])
    server.serve_forever()
