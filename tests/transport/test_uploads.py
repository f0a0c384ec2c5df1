"""Bodies that can be read once: sent while they are read, and never twice."""

from collections.abc import AsyncIterator

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.transport.uploads import AHEAD
from tests.transport.builders import echo, http2, patient, scene


class Source:
    """An endless or finite body, that knows how much of it was taken."""

    def __init__(self, pieces: int = 10**6, size: int = 1000, pause: float = 0.0) -> None:
        self.taken = 0
        self._left, self._size, self._pause = pieces, size, pause

    def __aiter__(self) -> "Source":
        # No generator: httpx does not close those that it iterates over.
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        await trio.sleep(self._pause)
        self._left -= 1
        self.taken += self._size
        return b"x" * self._size


async def nothing_more_is_read(source: Source) -> None:
    """Of an endless body, after a moment."""
    await trio.sleep(0.05)
    taken = source.taken
    await trio.sleep(0.1)
    assert source.taken == taken


async def test_a_streamed_body_is_sent_while_it_is_read(authority: Authority) -> None:
    """The server has its beginning before its end exists, and the caller may answer to what comes back."""
    first_seen = trio.Event()

    async def handler(exchange: ServerExchange) -> None:
        body = await exchange.receive()
        first_seen.set()
        while piece := await exchange.receive():
            body += piece
        await exchange.respond(200, body=body)

    async def talk() -> AsyncIterator[bytes]:
        yield b"first"
        await first_seen.wait()
        yield b"second"

    async with scene(authority, handler) as s:
        with trio.fail_after(3):
            assert (await s.client.post(s.url(), content=talk())).content == b"firstsecond"


async def test_the_answer_is_read_while_the_body_is_sent(authority: Authority) -> None:
    """An echo of more than all windows together does not lock up."""

    async def handler(exchange: ServerExchange) -> None:
        await exchange.start(200)
        while piece := await exchange.receive():
            await exchange.send(piece)
        await exchange.finish()

    async with scene(authority, handler) as s:
        with trio.fail_after(10):
            source = Source(pieces=300, size=16_000)
            assert len((await s.client.post(s.url(), content=source)).content) == 300 * 16_000


async def test_no_more_is_read_than_can_be_sent_soon(authority: Authority) -> None:
    """A server that takes nothing bounds what is kept of a body."""
    async with scene(authority, patient) as s:
        await s.get()
        s.connection().stall()
        source = Source()
        with pytest.raises(httpx.WriteTimeout):
            await s.client.post(s.url(), content=source, timeout=httpx.Timeout(5, write=0.3))
        assert source.taken <= 65_535 + AHEAD + 1000
        await nothing_more_is_read(source)


async def test_a_body_that_pauses_is_under_no_timeout(authority: Authority) -> None:
    """It is the caller that is waited for."""
    async with scene(authority, echo) as s:
        timeout = httpx.Timeout(5, write=0.1, read=0.1)
        source = Source(pieces=3, pause=0.3)
        assert len((await s.client.post(s.url(), content=source, timeout=timeout)).content) == 3000


async def test_an_empty_streamed_body_is_an_empty_body(authority: Authority) -> None:
    """END_STREAM comes by itself."""
    async with scene(authority, echo) as s:
        assert (await s.client.post(s.url(), content=Source(pieces=0))).content == b""


async def test_what_a_body_raises_is_the_callers_to_see(authority: Authority) -> None:
    """The stream is reset, its neighbour goes on."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ZeroDivisionError("in the caller's own generator")

    async with scene(authority, patient) as s, s.client.stream("GET", s.url("/drip")) as neighbour:
        with pytest.raises(ZeroDivisionError):
            await s.client.post(s.url(), content=broken())
        assert len(await neighbour.aread()) == 20
        await s.until(lambda: s.open_streams == 0)
        assert s.server.connections_opened == 1


async def test_who_is_cancelled_reads_no_more_of_the_body(authority: Authority) -> None:
    """No task stays behind."""
    async with scene(authority, patient) as s:
        source = Source(pause=0.01)
        with trio.move_on_after(0.1):
            await s.client.post(s.url("/silent"), content=source)
        await nothing_more_is_read(source)


async def test_an_early_answer_stops_the_reading(authority: Authority) -> None:
    """Nobody takes the rest."""

    async def handler(exchange: ServerExchange) -> None:
        await exchange.respond(413, body=b"enough")

    async with scene(authority, handler) as s:
        source = Source(pause=0.001)
        assert (await s.client.post(s.url(), content=source)).status_code == 413
        await nothing_more_is_read(source)


async def test_what_was_begun_is_never_sent_again(authority: Authority) -> None:
    """A refusal is an error then, though the server has processed nothing; in memory it is a replay."""
    async with scene(authority, echo, ServerOptions(refuse_streams=1)) as s:
        with pytest.raises(httpx.RemoteProtocolError, match="refused"):
            await s.client.post(s.url(), content=Source(pieces=3))
        assert s.transport.statistics().replays == 0


async def test_what_was_not_begun_goes_out_whole_elsewhere(authority: Authority) -> None:
    """A request in line has read nothing of its body."""

    async def handler(exchange: ServerExchange) -> None:
        connection = http2(exchange).connection
        if exchange.path == "/last":
            await trio.sleep(0.1)
            await connection.goaway(None)
        await echo(exchange)

    async with (
        scene(authority, handler, max_connections=1, streams_per_connection=1) as s,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(s.client.get, s.url("/last"))
        await s.until(lambda: s.open_streams == 1)
        response = await s.client.post(s.url(), content=Source(pieces=3))
        assert len(response.content) == 3000


async def test_a_streamed_body_goes_over_http1_too(authority: Authority) -> None:
    """An origin without HTTP/2 is found out before anything is read."""
    async with scene(authority, echo, ServerOptions(alpn=("http/1.1",))) as s:
        for _ in range(2):
            response = await s.client.post(s.url(), content=Source(pieces=3))
            assert (response.http_version, len(response.content)) == ("HTTP/1.1", 3000)


async def test_files_of_a_form_are_kept_and_can_be_sent_again(authority: Authority) -> None:
    """Their length is known, and not too large."""
    async with scene(authority, echo, ServerOptions(refuse_streams=1)) as s:
        response = await s.client.post(s.url(), files={"file": ("a.txt", b"content" * 1000)})
        assert b"content" * 1000 in response.content
        assert s.transport.statistics().replays >= 1
