"""Requests and responses of every shape arrive whole, on trio and on asyncio."""

import gzip
import warnings
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import h2.settings
import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions, open_server
from discordianai.transport import MultiplexedTransport
from tests.transport.builders import echo, http2, patient, scene

MEGABYTE = bytes(range(256)) * 4096


async def ask_all(url: str, context: Any) -> list[int]:
    """Small and large bodies at once, over one client."""
    sizes: list[int] = []

    async def ask(client: httpx.AsyncClient, body: bytes) -> None:
        response = await client.post(url, content=body)
        assert response.content == body
        assert response.http_version == "HTTP/2"
        sizes.append(len(body))

    async with (
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=context)) as client,
        anyio.create_task_group() as tasks,
    ):
        for size in (0, 1, 16_384, 65_536, 300_000, 1_048_576):
            tasks.start_soon(ask, client, MEGABYTE[:size])
    return sorted(sizes)


async def test_bodies_larger_than_every_window_arrive_on_trio(authority: Authority) -> None:
    async with open_server(echo, authority=authority) as server:
        assert len(await ask_all(server.url, authority.client_context())) == 6


async def test_the_same_on_asyncio(authority: Authority) -> None:
    async with open_server(echo, authority=authority) as server:
        run = partial(anyio.run, ask_all, server.url, authority.client_context(), backend="asyncio")
        assert len(await trio.to_thread.run_sync(run)) == 6


async def test_the_pieces_of_a_stream_come_as_they_are_sent(authority: Authority) -> None:
    async with scene(authority, patient) as s, s.client.stream("GET", s.url("/drip")) as response:
        times, text = [], ""
        async for piece in response.aiter_text():
            times.append(trio.current_time())
            text += piece
    assert text == "0;1;2;3;4;5;6;7;8;9;"
    assert len(times) >= 5
    assert times[-1] - times[0] > 0.1


async def shapes(exchange: ServerExchange) -> None:
    """Responses that are easily got wrong."""
    match exchange.path:
        case "/head":
            await exchange.start(200, [("content-length", "1000")])
            await exchange.finish()
        case "/204":
            await exchange.start(204)
            await exchange.finish()
        case "/early":
            await exchange.inform(103, [("link", "</style.css>")])
            await exchange.respond(200, body=b"after the hints")
        case "/trailers":
            await exchange.start(200)
            await exchange.send(b"body")
            await exchange.finish([("x-checksum", "42")])
        case "/gzip":
            await exchange.respond(200, [("content-encoding", "gzip")], gzip.compress(b"unpacked"))
        case "/large-headers":
            await exchange.respond(200, [(f"x-{n}", "v" * 1000) for n in range(40)], b"continued")
        case "/too-large-headers":
            await exchange.respond(200, [(f"x-{n}", "v" * 1000) for n in range(80)])
        case "/too-long":
            await exchange.start(200, [("content-length", "3")])
            await exchange.send(b"more than three")
            await exchange.finish()
        case "/413":
            await exchange.respond(413, body=b"enough")
        case _:
            await echo(exchange)


async def test_responses_without_a_body_are_empty(authority: Authority) -> None:
    async with scene(authority, shapes) as s:
        head = await s.client.head(s.url("/head"))
        assert (head.headers["content-length"], head.content) == ("1000", b"")
        assert (await s.get("/204")).content == b""


async def test_hints_trailers_encodings_and_continued_headers_disturb_nothing(authority: Authority) -> None:
    async with scene(authority, shapes) as s:
        assert (await s.get("/early")).content == b"after the hints"
        assert (await s.get("/trailers")).content == b"body"
        assert (await s.get("/gzip")).text == "unpacked"
        large = await s.get("/large-headers")
        assert (large.content, len(large.headers["x-39"])) == (b"continued", 1000)
        assert s.server.connections_opened == 1


@pytest.mark.parametrize("path", ["/too-large-headers", "/too-long"])
async def test_a_server_that_breaks_the_rules_is_an_error_and_the_next_request_works(
    authority: Authority, path: str
) -> None:
    async with scene(authority, shapes) as s:
        with pytest.raises(httpx.TransportError):
            await s.get(path)
        assert (await s.get("/204")).status_code == 204


async def test_an_answer_before_the_whole_request_is_taken_and_the_upload_stops(
    authority: Authority,
) -> None:
    async with scene(authority, shapes) as s:
        response = await s.client.post(s.url("/413"), content=MEGABYTE * 8)
        assert (response.status_code, response.content) == (413, b"enough")
        await s.until(lambda: s.open_streams == 0)
        assert (await s.get("/204")).status_code == 204
        assert s.server.connections_opened == 1


async def test_a_body_that_is_generated_arrives(authority: Authority) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(5):
            yield str(number).encode()

    async with scene(authority, echo) as s:
        assert (await s.client.post(s.url(), content=parts())).content == b"01234"


async def test_headers_that_http2_forbids_are_left_out_and_secrets_arrive(authority: Authority) -> None:
    seen: dict[str, str] = {}

    async def note(exchange: ServerExchange) -> None:
        seen.update(exchange.headers)
        await exchange.respond(200)

    async with scene(authority, note) as s:
        await s.get("/a?b=c", headers={"Connection": "close", "Authorization": "Bearer key", "X-Upper": "Y"})
    assert (seen[":path"], seen["authorization"], seen["x-upper"]) == ("/a?b=c", "Bearer key", "Y")
    assert "connection" not in seen
    assert "host" not in seen


@pytest.mark.parametrize("value", ["a\r\nx-injected: 1", "a\nb", "a\0b"])
async def test_a_line_break_in_a_header_is_refused(authority: Authority, value: str) -> None:
    async with scene(authority, echo) as s:
        with pytest.raises(httpx.LocalProtocolError):
            await s.get(headers={"x-bad": value})
        assert s.server.connections_opened == 0


async def test_a_reader_that_does_not_read_bounds_what_is_kept_and_harms_no_neighbour(
    authority: Authority,
) -> None:
    async with (
        scene(authority, patient) as s,
        s.client.stream("GET", s.url("/flood")) as flood,
        s.client.stream("GET", s.url("/flood")),
    ):
        await trio.sleep(0.3)
        assert (await s.client.post(s.url("/"), content=MEGABYTE)).content == MEGABYTE
        assert s.server.connections_opened == 1
        got = 0
        async for piece in flood.aiter_raw():
            assert len(piece) <= 2**18
            got += len(piece)
            if got > 2**21:  # far beyond what one window allows: it was replenished
                break


async def test_a_window_that_the_server_changes_while_streams_are_open_is_obeyed(
    authority: Authority,
) -> None:
    async def handler(exchange: ServerExchange) -> None:
        codes = h2.settings.SettingCodes
        await http2(exchange).connection.update_settings(
            {codes.INITIAL_WINDOW_SIZE: 1000, codes.HEADER_TABLE_SIZE: 0}
        )
        await echo(exchange)

    async with scene(authority, handler, ServerOptions(initial_window_size=100_000)) as s:
        for _ in range(3):
            assert (await s.client.post(s.url(), content=MEGABYTE[:200_000])).content == MEGABYTE[:200_000]


async def test_nothing_is_sent_through_a_transport_that_is_not_open_or_is_closed(
    authority: Authority,
) -> None:
    async with open_server(echo, authority=authority) as server:
        transport = MultiplexedTransport(ssl_context=authority.client_context())
        with pytest.raises(RuntimeError, match="not open.*async with"):
            await httpx.AsyncClient(transport=transport).get(server.url)
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.get(server.url)).status_code == 200
            await transport.aclose()
            await transport.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await transport.handle_async_request(httpx.Request("GET", server.url))
        await transport.aclose()
        with pytest.raises(RuntimeError, match="opened only once"):
            await transport.__aenter__()


async def test_what_is_in_flight_fails_when_the_transport_is_closed(authority: Authority) -> None:
    failures: list[type[Exception]] = []

    async with scene(authority, patient, max_connections=1, streams_per_connection=1) as s:

        async def ask() -> None:
            try:
                await s.get("/silent")
            except httpx.TransportError as error:
                failures.append(type(error))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
            await s.until(lambda: s.open_streams == 1)
            await s.transport.aclose()
        assert len(failures) == 3


async def test_a_caller_that_is_cancelled_closes_the_transport_and_leaves_nothing(
    authority: Authority,
) -> None:
    with trio.move_on_after(0.3) as caller:
        async with scene(authority, patient) as s, s.client.stream("GET", s.url("/stall")):
            await trio.sleep_forever()
    assert caller.cancelled_caught
    assert s.server.connections == []
    assert s.transport.statistics().open_connections == 0


async def test_an_error_in_the_callers_block_passes_as_it_is(authority: Authority) -> None:
    with pytest.raises(ZeroDivisionError):
        async with httpx.AsyncClient(transport=MultiplexedTransport()):
            raise ZeroDivisionError


async def test_a_listener_that_raises_stops_no_request(authority: Authority) -> None:
    def listener(_event: object) -> None:
        raise ZeroDivisionError

    transport = MultiplexedTransport(ssl_context=authority.client_context(), on_event=listener)
    async with (
        open_server(echo, authority=authority) as server,
        httpx.AsyncClient(transport=transport) as client,
    ):
        assert (await client.get(server.url)).status_code == 200


def test_impossible_limits_are_refused() -> None:
    for wrong in ({"max_connections": 0}, {"max_keepalive": -1}, {"ping_timeout": 0}):
        with warnings.catch_warnings(), pytest.raises(ValueError, match="should be"):
            MultiplexedTransport(**wrong)  # type: ignore[arg-type]  # int or float, as the key says
