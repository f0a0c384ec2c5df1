"""The server behind a proxy: HTTP/1.1, echoes the id of each request. `python -m ...backend PORT`."""

import asyncio
import sys

from tests.transport.servers.launching import LARGE

BODY = b"x" * 2048
PIECE = 65_536


async def serve(port: int) -> None:
    """Until the process ends."""
    server = await asyncio.start_server(answer_all, "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what comes on one connection."""
    try:
        while True:
            await answer(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("expect") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    else:
        await reader.readexactly(int(headers.get("content-length", 0)))
    body = LARGE if first.split()[1] == "/files/large" else BODY
    head = f"HTTP/1.1 200 OK\r\nx-id: {headers.get('x-id', '')}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode("latin-1"))
    for start in range(0, len(body), PIECE):  # no more than is taken: most of it is for clients that leave
        writer.write(body[start : start + PIECE])
        await writer.drain()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
