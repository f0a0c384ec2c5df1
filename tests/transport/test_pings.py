"""Signs of life: what the socket takes is one, and a PING waits behind nothing."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import Server, ServerExchange, ServerOptions, open_server
from discordianai.transport import ConnectionClosed, MultiplexedTransport, PingTimedOut, PoolEvent
from tests.transport.builders import echo, patient, scene


@asynccontextmanager
async def slow_link(server: Server, bytes_per_second: int) -> AsyncIterator[str]:
    """A way to the server that carries so much upwards, and keeps little on the way; its address."""

    async def carry(source: trio.SocketStream, target: trio.SocketStream, rate: int | None) -> None:
        try:
            while data := await source.receive_some(8192):
                if rate:
                    await trio.sleep(len(data) / rate)
                await target.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            await trio.aclose_forcefully(target)

    async def link(near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry, near, far, bytes_per_second)
            nursery.start_soon(carry, far, near, None)

    async with trio.open_nursery() as nursery:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        listener.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 8192)
        nursery.start_soon(trio.serve_listeners, link, [listener])
        yield f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_slow_upload_is_no_dead_connection(authority: Authority) -> None:
    """1.5 MB at 300 KB/s with windows for all of it: five times as long as the PING's time."""
    events: list[PoolEvent] = []
    transport = MultiplexedTransport(
        ssl_context=authority.client_context(), on_event=events.append, ping_interval=0.6, ping_timeout=0.4
    )
    options = ServerOptions(initial_window_size=2**24)

    async def count(exchange: ServerExchange) -> None:
        await exchange.respond(200, body=str(len(await exchange.body())).encode())

    async with (
        open_server(count, authority=authority, options=options) as server,
        slow_link(server, 300_000) as url,
        httpx.AsyncClient(transport=transport, timeout=20) as client,
    ):
        began = time.perf_counter()
        assert (await client.post(url, content=b"x" * 1_500_000)).text == "1500000"
        assert time.perf_counter() - began > 3
        assert not [event for event in events if isinstance(event, PingTimedOut | ConnectionClosed)]


async def test_a_ping_goes_ahead_of_a_body(authority: Authority) -> None:
    """While an upload is under way over a slow link, the server gets PINGs."""
    transport = MultiplexedTransport(
        ssl_context=authority.client_context(), ping_interval=0.05, ping_timeout=5
    )
    options = ServerOptions(initial_window_size=2**24)
    async with (
        open_server(echo, authority=authority, options=options) as server,
        slow_link(server, 400_000) as url,
        httpx.AsyncClient(transport=transport, timeout=20) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(lambda: client.post(url, content=b"x" * 2_000_000))
        with trio.fail_after(4):
            while not any(c.pings_received for c in server.connections):  # noqa: ASYNC110  # no event tells
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def test_a_server_that_reads_nothing_is_not_declared_dead_but_gets_no_more(
    authority: Authority,
) -> None:
    """A PING that is not on the wire has no deadline; the next request goes elsewhere."""
    options = ServerOptions(initial_window_size=2**24)
    async with (
        scene(authority, patient, options, ping_interval=0.2, ping_timeout=0.1) as s,
        trio.open_nursery() as nursery,
    ):
        await s.get()
        connection = s.connection()
        connection.machine.increment_flow_control_window(2**25)
        await connection.flush()
        await s.get()
        connection.stall()
        nursery.start_soon(lambda: s.client.post(s.url("/silent"), content=b"x" * 2**25, timeout=20))
        await trio.sleep(1.0)
        assert s.told(PingTimedOut) == []
        with trio.fail_after(10):
            assert (await s.get()).status_code == 200
        assert s.server.connections_opened == 2
        # Once its request has left, nothing is expected of it any more, and its place is free.
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await s.until(lambda: s.transport.statistics().open_connections == 1)


async def test_a_peer_that_is_gone_is_noticed_though_requests_keep_coming(authority: Authority) -> None:
    """What finds room in the socket at once is no sign of life."""
    async with scene(authority, patient, ping_interval=0.3, ping_timeout=0.2) as s:
        await s.get()
        s.connection().stall()
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(httpx.TransportError):
                    await s.client.post(s.url("/silent"), content=b"x" * 2000)

            began = trio.current_time()
            for _ in range(8):
                nursery.start_soon(ask)
                await trio.sleep(0.05)
            await s.until(lambda: len(s.told(PingTimedOut)) == 1)
            assert trio.current_time() - began < 1.0
            nursery.cancel_scope.cancel()


async def test_each_connection_is_told_with_its_load_its_age_and_its_last_ping(authority: Authority) -> None:
    """A connection that has data to receive needs no PING, and has none to tell."""
    async with (
        scene(authority, patient, ping_interval=0.2, ping_timeout=5) as s,
        trio.open_nursery() as nursery,
    ):
        await s.get()
        idle = s.transport.statistics().connections
        assert [(each.origin, each.protocol, each.streams) for each in idle] == [
            (f"127.0.0.1:{s.server.port}", "HTTP/2", 0)
        ]
        assert idle[0].last_ping is None
        nursery.start_soon(s.client.get, s.url("/silent"))
        await s.until(lambda: s.transport.statistics().connections[0].last_ping is not None)
        (busy,) = s.transport.statistics().connections
        assert busy.streams == 1
        assert busy.last_ping is not None
        assert 0 <= busy.last_ping < busy.age < 10
        nursery.cancel_scope.cancel()
