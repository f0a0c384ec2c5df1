"""The operator's numbers are what the words say: connections, streams, idle ones, and waiting for them."""

import threading

import anyio
import h2.settings
import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority, make_authority
from discordianai.sandbox.http import ServerExchange, ServerOptions, open_server
from discordianai.transport import ConnectionClosed, MultiplexedTransport
from tests.transport.backends import on_both
from tests.transport.builders import echo, http2, patient, scene


@on_both
async def test_a_cold_burst_opens_as_many_connections_as_it_needs(authority: Authority) -> None:
    async with scene(authority, patient, ServerOptions(handshake_delay=0.1)) as s:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(s.get, "/slow")
        assert s.server.connections_opened == 5
        assert [connection.streams_opened for connection in s.server.connections] == [10] * 5


@on_both
async def test_a_server_that_allows_fewer_streams_gets_more_connections(authority: Authority) -> None:
    most = 0

    async def handler(exchange: ServerExchange) -> None:
        nonlocal most
        most = max(most, http2(exchange).connection.open_streams)
        await anyio.sleep(0.1)
        await exchange.respond(200)

    async with scene(authority, handler, ServerOptions(max_concurrent_streams=3)) as s:
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(s.get)
        assert most == 3
        assert s.server.connections_opened >= 10
        assert s.transport.statistics().replays == 0


@on_both
async def test_streams_per_connection_one_gives_each_request_its_own(authority: Authority) -> None:
    async with scene(authority, patient, streams_per_connection=1) as s:
        async with anyio.create_task_group() as tasks:
            for _ in range(7):
                tasks.start_soon(s.get, "/slow")
        assert s.server.connections_opened == 7


@on_both
async def test_never_more_than_max_connections(authority: Authority) -> None:
    all_wait = threading.Event()

    async def handler(exchange: ServerExchange) -> None:
        while not all_wait.is_set():  # noqa: ASYNC110  # it is set in another thread
            await trio.sleep(0.01)
        await exchange.respond(200)

    async with scene(authority, handler, max_connections=2, streams_per_connection=1) as s:
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(s.get)
            await s.until(lambda: s.open_streams == 2)
            assert s.transport.statistics().requests_waiting == 4
            all_wait.set()
        assert s.server.connections_opened == 2


async def test_those_who_wait_are_served_in_the_order_they_came(authority: Authority) -> None:
    order: list[str] = []
    all_wait = trio.Event()

    async def handler(exchange: ServerExchange) -> None:
        order.append(exchange.path)
        await all_wait.wait()
        await exchange.respond(200)

    async with scene(authority, handler, max_connections=1, streams_per_connection=1) as s:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.get, "/0")
            await s.until(lambda: order == ["/0"])
            for number in range(1, 10):
                nursery.start_soon(s.get, f"/{number}")
                while s.transport.statistics().requests_waiting < number:  # noqa: ASYNC110  # no event tells
                    await trio.sleep(0.001)
            all_wait.set()
        assert order == [f"/{number}" for number in range(10)]


@on_both
async def test_who_waits_too_long_for_a_connection_times_out_and_disturbs_nobody(
    authority: Authority,
) -> None:
    async with scene(authority, patient, max_connections=1, streams_per_connection=1) as s:
        async with s.client.stream("GET", s.url("/drip")) as busy:
            began = anyio.current_time()
            with pytest.raises(httpx.PoolTimeout):
                await s.get(timeout=httpx.Timeout(5, pool=0.1))
            assert 0.1 <= anyio.current_time() - began < 0.3
            assert len(await busy.aread()) == 20
        assert (await s.get()).status_code == 200
        assert s.transport.statistics().requests_waiting == 0


@on_both
async def test_who_is_cancelled_in_the_line_leaves_it(authority: Authority) -> None:
    async with scene(authority, patient, max_connections=1, streams_per_connection=1) as s:
        async with s.client.stream("GET", s.url("/stall")):
            with anyio.move_on_after(0.1):
                await s.get()
            assert s.transport.statistics().requests_waiting == 0
        assert (await s.get()).status_code == 200


@on_both
async def test_the_least_loaded_connection_is_chosen(authority: Authority) -> None:
    async with scene(authority, patient, streams_per_connection=2) as s, anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(s.client.get, s.url("/slow"))
        await s.until(lambda: s.open_streams == 4)
        await s.until(lambda: s.transport.statistics().streams_in_use == 0)
        for _ in range(2):
            tasks.start_soon(s.client.get, s.url("/slow"))
        await s.until(lambda: s.open_streams == 2)
        assert [connection.open_streams for connection in s.server.connections] == [1, 1]


@on_both
async def test_more_idle_connections_than_max_keepalive_are_closed(authority: Authority) -> None:
    async with scene(authority, patient, streams_per_connection=1, max_keepalive=2) as s:
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(s.get, "/slow")
        await s.until(lambda: len(s.server.connections) == 2)
        assert s.transport.statistics().idle_connections == 2
        assert not any(event.lost for event in s.told(ConnectionClosed))


@on_both
async def test_a_connection_that_is_idle_for_keepalive_expiry_is_closed(authority: Authority) -> None:
    async with scene(authority, echo, keepalive_expiry=0.2) as s:
        await s.get()
        await anyio.sleep(0.1)
        await s.get()
        await anyio.sleep(0.15)
        assert len(s.server.connections) == 1
        await s.until(lambda: not s.server.connections)
        assert [event.why for event in s.told(ConnectionClosed)] == ["idle"]
        assert (await s.get()).status_code == 200


async def test_fewer_streams_under_load_are_obeyed(authority: Authority) -> None:
    lowered = trio.Event()
    most_after = 0

    async def handler(exchange: ServerExchange) -> None:
        nonlocal most_after
        connection = http2(exchange).connection
        if exchange.path == "/lower":
            await connection.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2})
            await exchange.respond(200)
            return
        if lowered.is_set():
            most_after = max(most_after, connection.open_streams)
        await trio.sleep(0.05)
        await exchange.respond(200)

    async with scene(authority, handler, max_connections=1) as s:
        await s.get("/lower")
        lowered.set()
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(s.get, "/")
        assert most_after == 2


@on_both
async def test_a_stalled_handshake_delays_only_those_who_need_it(authority: Authority) -> None:
    async with scene(authority, patient, streams_per_connection=1) as s:
        await s.get()
        slow = ServerOptions(handshake_delay=2.0)
        s.server.options = slow
        async with s.client.stream("GET", s.url("/drip")) as drip, anyio.create_task_group() as tasks:
            # The second one would open a connection, which stalls; the first connection is free before.
            tasks.start_soon(s.client.get, s.url("/second"))
            await drip.aread()
            began = anyio.current_time()
            assert (await s.get("/third")).status_code == 200
        assert anyio.current_time() - began < 0.5


@on_both
async def test_connecting_that_takes_too_long_is_a_connect_timeout(authority: Authority) -> None:
    async with scene(authority, echo, ServerOptions(handshake_delay=1.0)) as s:
        began = anyio.current_time()
        with pytest.raises(httpx.ConnectTimeout):
            await s.get(timeout=httpx.Timeout(5, connect=0.2))
        assert anyio.current_time() - began < 0.4


@on_both
async def test_an_origin_that_is_not_there_fails_all_that_wait_for_it(authority: Authority) -> None:
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    async with httpx.AsyncClient(transport=transport) as client:
        for _ in range(2):
            with pytest.raises(httpx.ConnectError), anyio.fail_after(1):
                await client.get("https://127.0.0.1:1/")


async def test_a_certificate_that_is_not_trusted_is_a_connect_error() -> None:
    async with (
        open_server(echo, authority=make_authority()) as server,
        httpx.AsyncClient(transport=MultiplexedTransport()) as client,
    ):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(server.url)


async def test_an_idle_connection_gives_way_to_another_origin(authority: Authority) -> None:
    async with (
        scene(authority, echo, max_connections=1) as s,
        open_server(echo, authority=authority) as other,
    ):
        await s.get()
        assert (await s.client.get(other.url)).status_code == 200
        await s.until(lambda: not s.server.connections)
        assert (await s.get()).status_code == 200
