"""A pool whose limits change while requests are in flight and wait."""

import anyio
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerOptions
from discordianai.transport.options import PoolOptions
from tests.transport.backends import on_both
from tests.transport.builders import patient, scene

HTTP1_ONLY = ServerOptions(alpn=("http/1.1",))


@on_both
async def test_a_larger_pool_serves_those_who_wait(authority: Authority) -> None:
    async with (
        scene(authority, patient, max_connections=1, streams_per_connection=1) as s,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(4):
            tasks.start_soon(s.get, "/stall")
        await s.until(lambda: s.open_streams == 1)
        s.transport.reconfigure(PoolOptions(max_connections=3, streams_per_connection=1))
        await s.until(lambda: s.open_streams == 3)
        tasks.cancel_scope.cancel()


@on_both
async def test_fewer_idle_connections_are_kept_and_none_in_use_is_closed(authority: Authority) -> None:
    async with (
        scene(authority, patient, max_connections=4, streams_per_connection=1) as s,
        anyio.create_task_group() as tasks,
    ):
        for path in ("/stall", "/slow", "/slow", "/slow"):
            tasks.start_soon(s.get, path)
        await s.until(lambda: s.transport.statistics().idle_connections == 3)
        s.transport.reconfigure(PoolOptions(max_connections=1, max_keepalive=1, streams_per_connection=1))
        await s.until(lambda: s.transport.statistics().open_connections == 2)
        assert s.open_streams == 1
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
@on_both
async def test_over_http1_too_and_what_is_in_flight_goes_on(
    authority: Authority, before: int, after: int
) -> None:
    async with scene(authority, patient, HTTP1_ONLY, max_connections=before) as s:
        await s.get()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(s.get, "/slow")
            await s.until(lambda: s.transport.statistics().http1_requests == 1)
            s.transport.reconfigure(PoolOptions(max_connections=after))
            for _ in range(5):
                tasks.start_soon(s.get, "/slow")
            await s.until(lambda: s.transport.statistics().http1_requests == 6)
            await anyio.sleep(0.1)
            assert len(s.server.connections) <= after + 1  # and the one that was in flight
        await s.get()
        await s.until(lambda: len(s.server.connections) <= after)
