"""gevent: a greenlet for each connection, its own sockets."""

import common
from gevent.server import StreamServer
from gevent.socket import socket


def echo(sock: socket, _peer: tuple[str, int]) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


server = StreamServer(common.address(), echo, backlog=common.BACKLOG)
server.start()
common.ready(server.server_port)
server.serve_forever()
