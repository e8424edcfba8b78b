"""fastsock's socketserver, every connection on one thread: lines in, lines out, through file objects."""

import common
from fastsock import socketserver


class EchoLines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = common.BACKLOG


with Server(common.address(), EchoLines) as server:
    common.ready(server.server_address[1])
    server.serve_forever()
