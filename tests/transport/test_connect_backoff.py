"""How often connections are opened where they are of no use; and that the origin is served in the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import h2.settings
import httpx
import pytest
import trio
import trio.testing
from anyio.abc import ByteStream

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.transport import GoawayReceived, MultiplexedTransport
from discordianai.transport.dialing import TlsDial
from discordianai.transport.pool_events import Origin
from tests.transport.builders import echo, http2, patient, scene

Codes = h2.settings.SettingCodes


@dataclass
class Attempts:
    """A dial that fails as it is told, and when it was asked to."""

    outcome: Exception | ByteStream | None = None
    times: list[float] = field(default_factory=list)
    real: TlsDial | None = None
    released: trio.Event | None = None
    """What a dial waits for, where it is to wait."""

    async def __call__(self, origin: Origin) -> tuple[ByteStream, str | None]:
        self.times.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.released is not None:
            await self.released.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.real is not None
        return await self.real(origin)


@asynccontextmanager
async def dialing(attempts: Attempts, streams_per_connection: int = 10) -> AsyncIterator[httpx.AsyncClient]:
    transport = MultiplexedTransport(streams_per_connection=streams_per_connection)
    async with httpx.AsyncClient(transport=transport) as client:
        assert transport._http2 is not None
        transport._http2.pool._dial = attempts
        yield client


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        OverflowError("port must be 0-65535"),
        UnicodeError("label too long"),
        ValueError("no such thing"),
        anyio.EndOfStream(),
        RuntimeError("a bug in the system's resolver"),
    ],
)
async def test_an_origin_that_cannot_be_dialed_is_tried_ever_more_seldom(error: Exception) -> None:
    """Whatever the error: each request is a ConnectError, and requests without end are few attempts."""
    attempts = Attempts(error)
    async with dialing(attempts) as client:
        errors: list[str] = []

        async def insist() -> None:
            while True:
                with pytest.raises(httpx.ConnectError) as caught:
                    await client.get("https://127.0.0.1:9/")
                errors.append(str(caught.value))

        with trio.move_on_after(1.5):
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(insist)
        assert len(attempts.times) <= 6
        assert len(errors) >= 20
        assert all(type(error).__name__ in message for message in errors)


async def test_a_port_that_does_not_exist_is_a_connect_error_at_once() -> None:
    """The system's resolver raises OverflowError for it."""
    async with httpx.AsyncClient(transport=MultiplexedTransport()) as client:
        with pytest.raises(httpx.ConnectError), trio.fail_after(1):
            await client.get("https://127.0.0.1:99999/")


async def test_after_a_failure_one_connection_is_opened_at_a_time(authority: Authority) -> None:
    """A crowd that waits does not knock all at once."""
    attempts = Attempts(ConnectionRefusedError("refused"), real=TlsDial(authority.client_context()))
    async with scene(authority, patient) as s, dialing(attempts, streams_per_connection=1) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(s.url())
        attempts.outcome, attempts.released = None, trio.Event()
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(client.get, s.url("/slow"))
            await trio.sleep(0.02)
            assert len(attempts.times) == 1
            await s.until(lambda: len(attempts.times) == 2)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert len(attempts.times) == 2
            attempts.released.set()
        # All were served, by more connections once the first had answered.
        assert len(attempts.times) > 3


async def test_settings_that_allow_no_stream_at_first_are_waited_for(authority: Authority) -> None:
    """Few connections are opened meanwhile, and the request is served when there is room."""
    async with scene(authority, echo, ServerOptions(max_concurrent_streams=0)) as s:

        async def allow_later() -> None:
            await trio.sleep(1)
            s.server.options = ServerOptions()
            for connection in range(len(s.server.connections)):
                await s.connection(connection).update_settings({Codes.MAX_CONCURRENT_STREAMS: 100})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(allow_later)
            began = trio.current_time()
            assert (await s.get()).status_code == 200
            assert trio.current_time() - began < 1.5
        assert s.server.connections_opened <= 6


async def test_settings_that_never_allow_a_stream_are_a_pool_timeout_that_says_so(
    authority: Authority,
) -> None:
    """It is a place that is waited for, whatever is opened meanwhile."""
    async with scene(authority, echo, ServerOptions(max_concurrent_streams=0)) as s:
        began = trio.current_time()
        with pytest.raises(
            httpx.PoolTimeout, match="no free connection .* within 0.7 s; .*allows no streams"
        ):
            await s.get(timeout=httpx.Timeout(10, pool=0.7))
        assert trio.current_time() - began < 5.0
        assert s.server.connections_opened <= 5


async def test_a_server_that_goes_away_before_anything_was_asked_is_an_error_after_a_few_tries(
    authority: Authority,
) -> None:
    """GOAWAY at once, each time: with pauses, then ConnectError."""
    async with scene(authority, echo) as s:
        dial = Attempts(real=TlsDial(authority.client_context()))
        assert s.transport._http2 is not None
        s.transport._http2.pool._dial = Leaving(dial)
        began = trio.current_time()
        with pytest.raises(httpx.ConnectError, match="sent GOAWAY at once"):
            await s.get()
        assert len(dial.times) == 5
        assert trio.current_time() - began > 0.5


@dataclass
class Leaving:
    """A dial after which the server's first word is GOAWAY."""

    dial: Attempts

    async def __call__(self, origin: Origin) -> tuple[ByteStream, str | None]:
        stream, protocol = await self.dial(origin)
        goaway = b"\0\0\x08\x07\0\0\0\0\0" + bytes(8)
        return Scripted(stream, goaway), protocol


class Scripted(ByteStream):
    """Receives what it was told to, whatever the peer says."""

    def __init__(self, inner: ByteStream, received: bytes) -> None:
        self._inner = inner
        self._received = received

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        data, self._received = self._received, b""
        if not data:
            await anyio.sleep_forever()
        return data

    async def send(self, item: bytes) -> None:
        await self._inner.send(item)

    async def send_eof(self) -> None:
        """Not for TLS."""

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize("how", ["cut", "goaway", "garbage"])
async def test_connections_that_end_before_an_answer_are_opened_ever_more_seldom(
    authority: Authority, how: str
) -> None:
    """Whoever keeps asking makes few connections, and is served as soon as the server is well."""
    well = False

    async def handler(exchange: ServerExchange) -> None:
        connection = http2(exchange).connection
        if well:
            await echo(exchange)
        elif how == "cut":
            await connection.abort()
        elif how == "garbage":
            await connection.send_raw(b"\0\0\x05\x00\x00\0\0\0\0hello")
            await trio.sleep_forever()
        else:
            await connection.goaway(0)

    async with scene(authority, handler) as s:

        async def insist() -> None:
            while not well:
                try:
                    await s.get()
                except httpx.TransportError:
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(insist)
            await trio.sleep(1.5)
            assert s.server.connections_opened <= 12
            well = True
            with trio.fail_after(4):
                assert (await s.get()).status_code == 200
        assert how != "goaway" or s.told(GoawayReceived)


async def test_another_origin_is_not_held_up(authority: Authority) -> None:
    """The backoff is that origin's own."""
    async with scene(authority, echo) as s:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await s.client.get("https://127.0.0.1:1/")
        began = trio.current_time()
        assert (await s.get()).status_code == 200
        assert trio.current_time() - began < 0.3
