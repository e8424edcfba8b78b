"""asyncio streams, on asyncio's own loop or on uvloop.

streams.py HOST PORT asyncio|uvloop echo|line
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

import common


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def echo_lines(reader: StreamReader, writer: StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def main() -> None:
    host, port = common.address()
    handler = {"echo": echo, "line": echo_lines}[sys.argv[4]]
    server = await asyncio.start_server(handler, host, port, backlog=common.BACKLOG)
    common.ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if sys.argv[3] == "uvloop":
    import uvloop

    uvloop.run(main())
else:
    asyncio.run(main())
