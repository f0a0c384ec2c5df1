"""Small answers over real sockets: whatever comes, it is bounded in size and time."""

import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from discordianai import bounded_http
from discordianai.bounded_http import BodyOutOfBounds
from discordianai.discord.messages.rest import json_of

Answer = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """A server that reads the head of a request, and answers like this."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await stream.receive_some(65_536)
            await answer(stream)
            await stream.aclose()
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        nursery.cancel_scope.cancel()


async def ask(answer: Answer, seconds: float = 5.0) -> httpx.Response:
    outcome: httpx.Response | httpx.HTTPError
    with trio.fail_after(30):
        async with serving(answer) as url, httpx.AsyncClient(trust_env=False) as client:
            request = client.build_request("GET", url)
            try:
                outcome = await bounded_http.send(client, request, most_bytes=100_000, seconds=seconds)
            except httpx.HTTPError as error:  # outside the nursery, which would wrap it
                outcome = error
    if isinstance(outcome, httpx.HTTPError):
        raise outcome
    return outcome


async def without_end(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 65_536)


async def failing_without_end(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 503 Unavailable\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 65_536)


async def dripping(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(0.05)


async def compressed(stream: trio.SocketStream) -> None:
    body = gzip.compress(b"x" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
    await stream.send_all(head.encode() + body)


async def small(stream: trio.SocketStream) -> None:
    await stream.send_all(b'HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 8\r\n\r\n{"a": 1}')


async def test_a_body_without_end_is_refused() -> None:
    """Unbounded, it would take all memory."""
    with pytest.raises(BodyOutOfBounds, match="over 100,000 bytes"):
        await ask(without_end)


async def test_an_error_keeps_its_status_whatever_its_body() -> None:
    response = await ask(failing_without_end)
    assert (response.status_code, response.content) == (503, b"")


async def test_a_body_that_drips_ends_at_its_time() -> None:
    """Each of its bytes comes in time."""
    began = trio.current_time()
    with pytest.raises(httpx.ReadTimeout):
        await ask(dripping, seconds=0.3)
    assert trio.current_time() - began < 5


async def test_what_is_compressed_is_not_unpacked() -> None:
    with pytest.raises(BodyOutOfBounds, match="compressed"):
        await ask(compressed)


async def test_an_answer_within_bounds_comes_whole() -> None:
    response = await ask(small)
    assert (response.json(), response.headers["x-a"]) == ({"a": 1}, "1")


def test_whatever_discord_answers_takes_little_memory() -> None:
    """A small object takes thirty times as much as in the text, and a second is long for all others."""
    value = b'{"a":1},'
    body = b'{"id": "1", "x": [' + value * (bounded_http.MOST_BYTES // len(value) - 4) + b"1]}"
    tracemalloc.start()
    try:
        assert json_of(httpx.Response(200, content=body)) is not None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 40 * 2**20
