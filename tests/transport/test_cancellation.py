"""A request that is cancelled, a client that is closed, at each single await: nothing hangs or is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.transport import MultiplexedTransport
from discordianai.transport.connection import Connection
from tests.transport.backends import on_both, server_beside
from tests.transport.builders import patient

LONGEST = 20.0
"""Seconds that anything here may take; the timeouts of the requests are far longer."""

MAX_AWAITS = 60


class Interrupted:
    """Awaits `run`, and calls `act` while it is suspended at its await number `at`."""

    def __init__(self, run: Callable[[], Awaitable[None]], at: int, act: Callable[[], None]) -> None:
        self._run, self._at, self._act = run, at, act
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._run().__await__()
        resume: Callable[[], Any] = partial(next, steps)
        while True:
            try:
                wanted = resume()
            except StopIteration:
                return
            self.awaits += 1
            if self.awaits == self._at:
                self._act()
            try:
                resume = partial(steps.send, (yield wanted))
            except BaseException as error:  # it is thrown on
                resume = partial(steps.throw, error)


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    with server_beside(authority, patient) as url:
        yield url


def make(authority: Authority) -> tuple[MultiplexedTransport, httpx.AsyncClient]:
    transport = MultiplexedTransport(
        ssl_context=authority.client_context(), max_connections=1, streams_per_connection=2
    )
    return transport, httpx.AsyncClient(transport=transport, timeout=60)


def living_tasks() -> int:
    if trio.lowlevel.in_trio_task():
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


def sockets() -> int:
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            found += str(descriptor.readlink()).startswith("socket:")
    return found


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(LONGEST):
        while not condition():  # noqa: ASYNC110  # what ends tells nobody
            await anyio.sleep(0.005)


async def parts() -> AsyncIterator[bytes]:
    for _ in range(3):
        await anyio.sleep(0.005)
        yield b"x" * 50_000


async def get(client: httpx.AsyncClient, url: str) -> None:
    await client.get(f"{url}/slow")


async def stream(client: httpx.AsyncClient, url: str) -> None:
    async with client.stream("GET", f"{url}/drip") as response:
        async for _ in response.aiter_raw():
            pass


async def upload(client: httpx.AsyncClient, url: str) -> None:
    await client.post(url, content=parts())


RequestOf = Callable[[httpx.AsyncClient, str], Awaitable[None]]
REQUESTS: list[RequestOf] = [get, stream, upload]


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("request_of", REQUESTS, ids=lambda request: request.__name__)
@on_both
async def test_a_request_is_cancelled_at_each_await(
    authority: Authority,
    url: str,
    request_of: RequestOf,
    warm: bool,
) -> None:
    """Its neighbour is answered, its place is free, and no task is left."""
    transport, client = make(authority)
    async with client:
        for at in range(1, MAX_AWAITS):
            if warm:
                await client.get(url)
            with anyio.fail_after(LONGEST):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(client.get, f"{url}/slow")
                    with anyio.CancelScope() as scope:
                        run = Interrupted(lambda: request_of(client, url), at, scope.cancel)
                        await run
                for _ in range(3):
                    assert (await client.get(url)).status_code == 200
            await until(lambda: transport.statistics().requests_in_flight == 0)
            assert transport.statistics().requests_waiting == 0
            if run.awaits < at:
                break
            if not warm:
                transport._http2.pool.connections[0].close("for the next one")  # type: ignore[union-attr]  # open
        assert at > 1, "it was cancelled somewhere"


@pytest.mark.parametrize("request_of", REQUESTS, ids=lambda request: request.__name__)
@on_both
async def test_a_client_is_closed_at_each_await_of_a_request(
    authority: Authority, url: str, request_of: RequestOf
) -> None:
    """While a connection is being opened, or written to, or read: the request ends, and so does all else."""
    tasks_before, sockets_before = living_tasks(), sockets()
    for at in range(1, MAX_AWAITS):
        _transport, client = make(authority)
        await client.__aenter__()
        now = anyio.Event()

        async def close(client: httpx.AsyncClient = client, now: anyio.Event = now) -> None:
            await now.wait()
            await client.aclose()

        ended = False
        with anyio.fail_after(LONGEST):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(close)
                run = Interrupted(lambda c=client: request_of(c, url), at, now.set)  # type: ignore[misc]  # bound
                try:
                    await run
                except (httpx.TransportError, RuntimeError):
                    ended = True
                now.set()
        await until(lambda: living_tasks() <= tasks_before)
        if not ended and run.awaits < at:
            break
    await until(lambda: sockets() <= sockets_before)


@pytest.mark.parametrize("at", range(1, 8))
@on_both
async def test_closing_is_cancelled_at_each_await(authority: Authority, url: str, at: int) -> None:
    """It is finished all the same, within its time, and may be repeated."""
    tasks_before, sockets_before = living_tasks(), sockets()
    _transport, client = make(authority)
    await client.__aenter__()
    met: list[Exception] = []
    asked = anyio.Event()

    async def ask() -> None:
        asked.set()
        try:
            await client.get(f"{url}/silent")
        except httpx.TransportError as error:
            met.append(error)

    with anyio.fail_after(LONGEST):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await asked.wait()
            await anyio.sleep(0.01 * at)
            with anyio.CancelScope() as scope:
                await Interrupted(client.aclose, at, scope.cancel)
        await client.aclose()
    assert len(met) == 1
    await until(lambda: living_tasks() <= tasks_before)
    await until(lambda: sockets() <= sockets_before)


@pytest.mark.parametrize("part", ["run", "_open", "_serve"])
@on_both
async def test_a_task_of_a_connection_is_cancelled_at_each_await(
    authority: Authority, url: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests end with httpx's errors, its socket is closed, and the next request has a new one."""
    sockets_before = sockets()
    for at in range(1, 12):
        _transport, client = make(authority)
        real = getattr(Connection, part)
        done = False

        async def cut(self: Connection, *args: Any, real: Any = real, at: int = at) -> Any:
            nonlocal done
            if done:
                return await real(self, *args)
            done = True
            result: list[Any] = [None]

            async def run() -> None:
                result[0] = await real(self, *args)

            with anyio.CancelScope() as scope:
                await Interrupted(run, at, scope.cancel)
            return result[0]

        with monkeypatch.context() as patched, anyio.fail_after(LONGEST):
            patched.setattr(Connection, part, cut)
            async with client:

                async def ask(client: httpx.AsyncClient = client) -> None:
                    with anyio.move_on_after(0.15):
                        try:
                            await client.get(f"{url}/drip")
                        except httpx.TransportError:
                            return

                async with anyio.create_task_group() as tasks:
                    for _ in range(3):
                        tasks.start_soon(ask)
                with suppress(httpx.TransportError):  # it may be the first to meet it
                    await client.get(url)
                assert (await client.get(url)).status_code == 200
    await until(lambda: sockets() <= sockets_before)
