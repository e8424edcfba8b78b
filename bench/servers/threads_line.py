"""The standard library's socketserver, a thread for each connection: lines in, lines out, through file objects."""

import socketserver

import common


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
