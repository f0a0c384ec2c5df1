"""A request that goes out again has nothing left of the connection that it was on; and takes its time."""

import time

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.transport import ConnectionClosed
from discordianai.transport.replays import MAX_REPLAYS, REPLAY_BUDGET
from tests.transport.builders import http2, patient, scene


async def test_rapid_cancels_beside_connections_that_end_reset_nobody_else(authority: Authority) -> None:
    """Connections end after each 20 requests, as nginx's do; bystanders are answered, all of them."""
    served: dict[object, int] = {}

    async def handler(exchange: ServerExchange) -> None:
        connection = http2(exchange).connection
        served[connection] = served.get(connection, 0) + 1
        if served[connection] == 20:
            await connection.goaway(None)
        await trio.sleep(0.002)
        await patient(exchange)

    async with scene(authority, handler, streams_per_connection=5) as s:
        bystanders: list[bool] = []

        async def stand_by(number: int) -> None:
            body = str(number).encode() * 1000
            bystanders.append((await s.client.post(s.url(), content=body)).content == body)

        async def leave(number: int) -> None:
            with trio.move_on_after(number % 7 / 1000):
                await s.client.post(s.url("/silent"), content=b"x" * 2000)

        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(leave, number)
                if number % 3 == 0:
                    nursery.start_soon(stand_by, number)
                    await trio.sleep(0.001)
        assert bystanders == [True] * 100
        await s.until(lambda: s.open_streams == 0)
        figures = s.transport.statistics()
        assert (figures.streams_in_use, figures.requests_waiting) == (0, 0)


async def test_a_request_that_is_refused_for_good_is_an_error_after_a_few_tries(authority: Authority) -> None:
    """With pauses between them, so that a server in trouble has time."""
    async with scene(authority, patient, ServerOptions(refuse_streams=10_000)) as s:
        began = time.perf_counter()
        with pytest.raises(httpx.RemoteProtocolError, match="refused the stream; it was tried 5 times"):
            await s.get()
        assert time.perf_counter() - began > 0.3
        assert sum(connection.streams_opened for connection in s.server.history) == 1 + MAX_REPLAYS


async def test_requests_that_are_refused_for_good_share_one_budget(authority: Authority) -> None:
    """Fifty of them go out little more than twice."""
    async with scene(authority, patient, ServerOptions(refuse_streams=10_000)) as s:
        failures: list[str] = []

        async def ask() -> None:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await s.get()
            failures.append(str(caught.value))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask)
        assert len(failures) == 50
        sent = sum(connection.streams_opened for connection in s.server.history)
        assert sent <= 50 + 50 + REPLAY_BUDGET
        # The budget is earned back by answers.
        s.server.options = ServerOptions()
        for connection in list(s.server.connections):
            await connection.abort()
        await s.until(lambda: s.transport.statistics().open_connections == 0)
        assert (await s.get()).status_code == 200


async def test_who_waits_to_go_out_again_is_under_the_pool_timeout_and_can_leave(
    authority: Authority,
) -> None:
    """Neither a cancel nor a timeout leaves anything."""
    async with scene(authority, patient, ServerOptions(refuse_streams=10_000)) as s:
        with pytest.raises(httpx.PoolTimeout):
            await s.get(timeout=httpx.Timeout(5, pool=0.02))
        with trio.move_on_after(0.02) as scope:
            await s.get()
        assert scope.cancelled_caught
        assert s.transport.statistics().requests_waiting == 0


async def test_a_request_whose_connections_ended_twice_has_the_third_for_itself(authority: Authority) -> None:
    """There it cannot be caught between two others; and that is its last try."""
    company: list[int] = []

    async def handler(exchange: ServerExchange) -> None:
        stream = http2(exchange)
        if exchange.path == "/unlucky":
            company.append(stream.connection.open_streams)
            if len(company) < 3:
                await stream.connection.goaway(max(stream.stream_id - 2, 0))
                await trio.sleep(0.1)
                return
            await trio.sleep(0.1)
            company.append(stream.connection.open_streams)
        await patient(exchange)

    async with scene(authority, handler, streams_per_connection=5) as s, trio.open_nursery() as nursery:

        async def others() -> None:
            while True:
                await s.get("/slow")

        for _ in range(12):
            nursery.start_soon(others)
        await s.until(lambda: s.open_streams == 12)
        assert (await s.get("/unlucky")).status_code == 200
        assert company[2:] == [1, 1]
        nursery.cancel_scope.cancel()
    assert not any(event.lost for event in s.told(ConnectionClosed))


async def test_the_last_try_ends_in_an_error(authority: Authority) -> None:
    """A server that goes away before every request has had three of them."""
    seen = 0

    async def handler(exchange: ServerExchange) -> None:
        nonlocal seen
        seen += 1
        stream = http2(exchange)
        await stream.connection.goaway(max(stream.stream_id - 2, 0))

    async with scene(authority, handler) as s:
        with pytest.raises(httpx.RemoteProtocolError, match="sent GOAWAY .*; it was tried 3 times"):
            await s.get()
        assert seen == 3
        assert s.transport.statistics().requests_waiting == 0
