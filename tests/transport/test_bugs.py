"""A bug in the pool's own bookkeeping fails requests at once, and leaves none of them to its timeouts."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.transport import (
    connection,
    dialing,
    exchange,
    http2_protocol,
    multiplexer,
    origin_pool,
    pool,
    request_queue,
)
from tests.transport.builders import http2, scene

BOOKKEEPING: list[tuple[type, str]] = [
    (origin_pool.OriginPool, "opened"),
    (origin_pool.OriginPool, "capacity_changed"),
    (origin_pool.OriginPool, "_pick_connection"),
    (origin_pool.OriginPool, "_expected_slots"),
    (origin_pool.OriginPool, "_enqueue"),
    (origin_pool.OriginPool, "_may_connect"),
    (origin_pool.OriginPool, "_connect"),
    (origin_pool.OriginPool, "_connecting"),
    (origin_pool.OriginPool, "_replay"),
    (origin_pool.OriginPool, "_reserve"),
    (request_queue.RequestQueue, "push"),
    (request_queue.RequestQueue, "pop"),
    (request_queue.RequestQueue, "set_connecting"),
    (dialing.ConnectBackoff, "allowed"),
    (dialing.ConnectBackoff, "succeeded"),
    (request_queue.ReplayBudget, "allow"),
    (pool.ConnectionPool, "may_connect"),
    (pool.ConnectionPool, "connect"),
    (pool.ConnectionPool, "connection_idle"),
    (pool.ConnectionPool, "connection_closed"),
    (connection.Connection, "submit"),
    (connection.Connection, "submit_dedicated"),
    (multiplexer.Multiplexer, "submit"),
    (http2_protocol.Http2Protocol, "data_to_send"),
    (multiplexer.Multiplexer, "_open_stream"),
    (multiplexer.Multiplexer, "give_back_waiting"),
    (multiplexer.Multiplexer, "_on_response"),
    (exchange.Exchange, "enter"),
]


class Bug(Exception):
    """What no code here raises."""


def with_bug(method: Callable[..., Any], call: int) -> Callable[..., Any]:
    """Raises at that call, and not before or after."""
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Bug
        return method(*args, **kwargs)

    return wrapped


async def troubled(exchange: ServerExchange) -> None:
    """Ends every connection after its third request, which it refuses."""
    stream = http2(exchange)
    await trio.sleep(0.02)
    if stream.stream_id >= 5:
        await stream.connection.goaway(stream.stream_id - 2)
    else:
        await exchange.respond(200)


@pytest.mark.parametrize("call", [1, 4])
@pytest.mark.parametrize(("kind", "name"), BOOKKEEPING, ids=lambda value: getattr(value, "__name__", value))
async def test_a_bug_leaves_no_request_waiting(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, kind: type, name: str, call: int
) -> None:
    """Whatever raises, for whomever; the pool goes on, and only httpx's errors leave it."""
    met: list[Exception | int] = []
    options = ServerOptions(max_concurrent_streams=2)
    async with scene(authority, troubled, options, max_connections=2, keepalive_expiry=0.3) as s:

        async def ask() -> None:
            try:
                met.append((await s.get(timeout=60)).status_code)
            except httpx.TransportError as error:
                met.append(error)

        with monkeypatch.context() as patched, trio.fail_after(4):
            patched.setattr(kind, name, with_bug(getattr(kind, name), call))
            async with trio.open_nursery() as nursery:
                for _ in range(8):
                    nursery.start_soon(ask)
        assert len(met) == 8
        with trio.fail_after(4):
            assert (await s.get(timeout=60)).status_code == 200
        await s.until(lambda: s.transport.statistics().requests_waiting == 0)
        await s.until(lambda: s.transport.statistics().streams_in_use == 0)
