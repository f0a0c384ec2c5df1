"""Servers that want HTTP/1.1 for what was asked over HTTP/2, in every way that they can say so."""

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from h2.errors import ErrorCodes

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange
from discordianai.transport import FellBackToHttp1
from tests.transport.backends import on_both
from tests.transport.builders import echo, http2, scene

WANTED = int(ErrorCodes.HTTP_1_1_REQUIRED)


async def wanting(exchange: ServerExchange) -> None:
    """Over HTTP/2, `/reset` and `/goaway` say so at once, `/late` after the headers; HTTP/1.1 is served."""
    if exchange.http_version != "HTTP/2":
        await echo(exchange)
    elif exchange.path == "/goaway":
        stream = http2(exchange)
        await stream.connection.goaway(stream.stream_id - 1, WANTED)
    elif exchange.path == "/late":
        await exchange.start(200)
        await exchange.reset(WANTED)
    else:
        await exchange.reset(WANTED)


@pytest.mark.parametrize("path", ["/reset", "/goaway"])
@on_both
async def test_what_was_not_processed_goes_over_http1(authority: Authority, path: str) -> None:
    """Many at once, those in line included: one connection finds out, and all are answered."""
    async with scene(authority, wanting, max_connections=2, streams_per_connection=5) as s:
        versions: list[str] = []

        async def ask(number: int) -> None:
            response = await s.client.post(s.url(path), content=str(number).encode())
            assert response.content == str(number).encode()
            versions.append(response.http_version)

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(ask, number)
        assert versions == ["HTTP/1.1"] * 20
        assert sum(connection.protocol == "HTTP/2" for connection in s.server.history) <= 3


@on_both
async def test_a_goaway_that_wants_http1_is_remembered(authority: Authority) -> None:
    """The next request asks no more over HTTP/2."""
    async with scene(authority, wanting) as s:
        assert (await s.get("/goaway")).http_version == "HTTP/1.1"
        connections = s.server.connections_opened
        assert (await s.get("/goaway")).http_version == "HTTP/1.1"
        assert s.server.connections_opened == connections
        assert len(s.told(FellBackToHttp1)) >= 1


@on_both
async def test_after_the_headers_it_is_an_error_of_httpx(authority: Authority) -> None:
    """What the caller has begun to read cannot begin again; nothing of ours leaves."""
    async with scene(authority, wanting) as s:
        with pytest.raises(httpx.RemoteProtocolError, match=r"requires HTTP/1\.1"):
            await s.get("/late")


@on_both
async def test_a_body_that_was_read_for_nothing_is_an_error_of_httpx(authority: Authority) -> None:
    """It cannot be sent again, over any protocol."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"once"

    async with scene(authority, wanting) as s:
        with pytest.raises(httpx.RemoteProtocolError, match=r"requires HTTP/1\.1"):
            await s.client.post(s.url("/reset"), content=parts())
