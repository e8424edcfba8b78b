"""gevent: lines in, lines out, through the file object of the socket."""

import common
from gevent.server import StreamServer
from gevent.socket import socket


def echo_lines(sock: socket, _peer: tuple[str, int]) -> None:
    with sock.makefile("rb") as lines:
        for line in lines:
            sock.sendall(line)


server = StreamServer(common.address(), echo_lines, backlog=common.BACKLOG)
server.start()
common.ready(server.server_port)
server.serve_forever()
