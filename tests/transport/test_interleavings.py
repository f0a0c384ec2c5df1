"""Any interleaving of requests, cancellations and faults: each request ends once, and nothing leaks."""

from collections import Counter
from dataclasses import dataclass, field

import h2.settings
import httpx
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.sandbox.http.http2_server import Http2Connection
from discordianai.transport import ConnectionClosed
from tests.examples import examples
from tests.transport.builders import Scene, http2, scene

Codes = h2.settings.SettingCodes
HARMFUL = ("cut", "reset")
"""What may make an uncancelled request fail; nothing else may."""

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["ask", "ask", "ask", "cancel", "goaway", "window", "streams", "wait", "reset", "cut"]
        ),
        st.integers(0, 20),
    ),
    min_size=5,
    max_size=25,
)


@dataclass
class Play:
    """One run: what was asked, what the server processed, how each request ended."""

    scene: Scene
    processed: Counter[str] = field(default_factory=Counter)
    ends: dict[int, list[str]] = field(default_factory=dict)
    scopes: dict[int, trio.CancelScope] = field(default_factory=dict)

    async def ask(self, number: int) -> None:
        with trio.CancelScope() as self.scopes[number]:
            try:
                body = str(number).encode() * 5000
                response = await self.scene.client.post(self.scene.url(f"/{number}"), content=body)
            except httpx.TransportError as error:
                self.ends[number].append(type(error).__name__)
            else:
                self.ends[number].append("answered" if response.content == body else "garbled")
        if self.scopes[number].cancelled_caught:
            self.ends[number].append("cancelled")

    async def step(self, what: str, which: int, nursery: trio.Nursery) -> None:
        connections = [c for c in self.scene.server.connections if isinstance(c, Http2Connection)]
        connection = connections[which % len(connections)] if connections else None
        match what:
            case "ask":
                number = len(self.ends)
                self.ends[number] = []
                nursery.start_soon(self.ask, number)
                await trio.lowlevel.checkpoint()
            case "cancel" if self.scopes:
                list(self.scopes.values())[which % len(self.scopes)].cancel()
            case "goaway" if connection:
                await connection.goaway(None)
            case "window" if connection:
                await connection.update_settings({Codes.INITIAL_WINDOW_SIZE: 500 + which * 5000})
            case "streams" if connection:
                await connection.update_settings({Codes.MAX_CONCURRENT_STREAMS: 1 + which % 5})
            case "cut" if connection:
                await connection.abort()
            case "reset" if connection:
                await connection.reset_some_stream()
            case "wait":
                await trio.sleep(which / 1000)


@given(steps)
@settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_every_request_ends_once_and_nothing_leaks(
    authority: Authority, script: list[tuple[str, int]]
) -> None:
    async def handler(exchange: ServerExchange) -> None:
        body = await exchange.body()
        play.processed[exchange.path] += 1
        await trio.sleep(http2(exchange).stream_id % 7 / 1000)
        await exchange.respond(200, body=body)

    options = ServerOptions(max_concurrent_streams=5)
    async with scene(authority, handler, options, max_connections=3, streams_per_connection=4) as s:
        play = Play(s)
        async with trio.open_nursery() as nursery:
            for what, which in script:
                await play.step(what, which, nursery)
        assert [complaint for c in s.server.history for complaint in c.complaints] == []
        assert all(len(ends) == 1 for ends in play.ends.values())
        # What a server has begun with is never sent again.
        assert [path for path, times in play.processed.items() if times > 1] == []
        if not set(HARMFUL) & {what for what, _ in script}:
            assert {end for ends in play.ends.values() for end in ends} <= {"answered", "cancelled"}
            assert not [event for event in s.told(ConnectionClosed) if event.lost]
        await s.until(lambda: s.open_streams == 0)
        figures = s.transport.statistics()
        assert (figures.streams_in_use, figures.requests_waiting) == (0, 0)
        assert figures.open_connections <= 3
        # All windows are whole: more than any of them goes through, both ways.
        large = b"x" * 400_000
        answers: list[int] = []

        async def check(number: int) -> None:
            response = await s.client.post(s.url(f"/large/{number}"), content=large)
            answers.append(len(response.content))

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(check, number)
        assert answers == [400_000] * 6
