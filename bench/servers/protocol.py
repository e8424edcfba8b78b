"""asyncio protocols (callbacks, no coroutine for each connection) on uvloop.

protocol.py HOST PORT
"""

import asyncio

import common
import uvloop


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def main() -> None:
    host, port = common.address()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, host, port, backlog=common.BACKLOG)
    common.ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


uvloop.run(main())
