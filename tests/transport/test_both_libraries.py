"""What the pool promises, on asyncio as on trio; some other modules here go into a promise on trio alone."""

import gc
from collections.abc import AsyncIterator, Iterator
from functools import partial

import anyio
import httpx
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.transport import ConnectionClosed, MultiplexedTransport, PoolEvent, PoolOptions
from tests.transport.backends import on_both, server_beside
from tests.transport.builders import TIMEOUT, patient


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    with server_beside(authority, patient) as url:
        yield url


class Ours:
    """A client over a pool, and what it tells."""

    def __init__(self, authority: Authority, **options: float) -> None:
        self.events: list[PoolEvent] = []
        self.pool = MultiplexedTransport(
            ssl_context=authority.client_context(),
            on_event=self.events.append,
            **options,  # type: ignore[arg-type]  # counts and seconds
        )
        self.client = httpx.AsyncClient(transport=self.pool, timeout=TIMEOUT)


@on_both
async def test_many_requests_share_few_connections(authority: Authority, url: str) -> None:
    """Ten on each, and each gets its own answer."""
    ours, bodies = Ours(authority), dict[int, bytes]()

    async def ask(number: int) -> None:
        bodies[number] = (await ours.client.post(url, content=b"%d" % number)).content

    async with ours.client:
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(ask, number)
        assert ours.pool.statistics().connections_opened == 5
    assert bodies == {number: b"%d" % number for number in range(50)}


@on_both
async def test_a_cancelled_request_resets_its_stream_and_nothing_else(authority: Authority, url: str) -> None:
    """Its neighbours stream on, and its place is free."""
    ours = Ours(authority, max_connections=1)
    texts: list[str] = []

    async def drip() -> None:
        texts.append((await ours.client.get(f"{url}/drip")).text)

    async with ours.client:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(drip)
            for path in ("/stall", "/silent", "/flood"):
                with anyio.move_on_after(0.05):
                    await ours.client.get(url + path)
        assert ours.pool.statistics().streams_in_use == 0
        assert ours.pool.statistics().connections_opened == 1
    assert texts == ["".join(f"{number};" for number in range(10))] * 3


@on_both
async def test_each_timeout_belongs_to_one_request(authority: Authority, url: str) -> None:
    """A read that is late, and a place that is not free in time, end themselves alone."""
    ours = Ours(authority, max_connections=1, streams_per_connection=1)
    async with ours.client, ours.client.stream("GET", f"{url}/drip") as response:
        with pytest.raises(httpx.PoolTimeout):
            await ours.client.get(url, timeout=httpx.Timeout(5, pool=0.05))
        await response.aread()
        assert response.text.endswith("9;")
    late = Ours(authority)
    async with late.client, late.client.stream("GET", f"{url}/drip") as response:
        with pytest.raises(httpx.ReadTimeout):
            await late.client.get(f"{url}/silent", timeout=httpx.Timeout(5, read=0.05))
        assert (await response.aread()).endswith(b"9;")


@on_both
async def test_large_bodies_go_up_and_come_down_whole(authority: Authority, url: str) -> None:
    """Beyond every flow-control window; from memory, and from an iterator that is sent as it comes."""
    body = bytes(range(256)) * 8192

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    async with Ours(authority).client as client:
        assert (await client.post(url, content=body)).content == body
        assert (await client.post(url, content=pieces())).content == body


@on_both
async def test_a_response_that_is_left_early_is_given_up(authority: Authority, url: str) -> None:
    """A server that would send for ever is told to stop, and the connection is good for others."""
    ours = Ours(authority, max_connections=1)
    async with ours.client as client:
        for _ in range(3):
            async with client.stream("GET", f"{url}/flood") as response:
                async for _ in response.aiter_raw():
                    break
        assert (await client.get(url)).is_success
        assert ours.pool.statistics().connections_opened == 1
    gc.collect()


@on_both
async def test_idle_connections_expire_and_limits_change_while_it_runs(
    authority: Authority, url: str
) -> None:
    """The clock of either library."""
    ours = Ours(authority, keepalive_expiry=0.2, streams_per_connection=1)
    async with ours.client as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(partial(client.get, f"{url}/slow"))
        ours.pool.reconfigure(PoolOptions(max_keepalive=1, streams_per_connection=1))
        with anyio.fail_after(5):
            while ours.pool.statistics().open_connections:  # noqa: ASYNC110  # figures tell nobody
                await anyio.sleep(0.01)
    reasons = [event.why for event in ours.events if isinstance(event, ConnectionClosed)]
    assert reasons.count("idle") == 1
    assert len(reasons) == 3


@on_both
async def test_a_server_that_is_not_there_is_a_connect_error(authority: Authority) -> None:
    """Before any timeout."""
    async with Ours(authority).client as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("https://127.0.0.1:1/")
