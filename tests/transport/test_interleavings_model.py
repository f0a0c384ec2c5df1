"""Any interleaving of requests, cancels and what a server may say, against a model of streams and windows.

It runs in memory and on a clock of its own, so that each moment between two steps of a task is reached.
`pytest --hypothesis-profile=thorough` tries 10,000 of them.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from discordianai.transport.connection import Connection
from discordianai.transport.http2 import Http2Sender
from discordianai.transport.options import PoolOptions
from discordianai.transport.pool_events import ConnectionClosed, Origin, PoolEvent
from tests.examples import examples
from tests.transport.model import INTERNAL_ERROR, REFUSED_STREAM, ClientEnd, ModelServer, ModelStream, Record

ORIGIN = Origin("model", 443)
POOL_TIMEOUT = 0.5
PORTION = 131_072
"""Bytes that may be read and not announced yet, for each window."""

SIZES = [0, 10, 3_000, 70_000, 200_000]
LIMITS = [0, 1, 2, 5, 100, 100, 100, 100]
WINDOWS = [0, 200, 5_000, 65_535, 2**20]
STEPS = [
    *["ask"] * 4,
    *["answer"] * 3,
    *["turn", "settle", "early", "refuse", "goaway", "leave", "stall", "wait"] * 2,
    *["cancel", "late", "streams", "window", "hoard", "reset", "cut"],
]

scripts = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 40)), min_size=4, max_size=40)


@dataclass(frozen=True)
class Scene:
    """What holds for a whole run."""

    max_streams: int
    window: int
    handshake: float
    max_connections: int
    streams: int
    """How many requests share a connection."""
    crowd: int
    """How many ask at the start."""
    hoarding: bool
    """Whether the servers give back no window for what is uploaded, until they are told to."""


scenes = st.builds(
    Scene,
    max_streams=st.sampled_from(LIMITS),
    window=st.sampled_from(WINDOWS),
    handshake=st.sampled_from([0.0, 0.2]),
    max_connections=st.integers(1, 3),
    hoarding=st.booleans(),
    streams=st.sampled_from([1, 3, 4, 4]),
    crowd=st.integers(0, 10),
)


@dataclass
class Request:
    """One request: how it is made, and what became of it."""

    number: int
    size: int
    streamed: bool
    held: bool
    """Whether the answer is left unread until the end."""
    asked_at: float
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended_at: float = 0.0
    ends: list[str] = field(default_factory=list)
    error: str = ""
    response: httpx.Response | None = None


def answer_of(number: int) -> bytes:
    return str(number).encode() * SIZES[number % len(SIZES)]


class Pieces:
    """So many bytes in pieces. No generator: one that is left with its request would be warned about."""

    def __init__(self, size: int) -> None:
        self._left = size

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._left:
            raise StopAsyncIteration
        piece = bytes(min(1000, self._left))
        self._left -= len(piece)
        return piece


dialing: ContextVar[Connection] = ContextVar("dialing")


class PairedHttp2(Http2Sender):
    """Tells the dial for which connection it is."""

    async def _run(self, connection: Connection, connect_timeout: float) -> None:
        dialing.set(connection)
        await super()._run(connection, connect_timeout)


class Play:
    """One run."""

    def __init__(self, scene: Scene, nursery: trio.Nursery) -> None:
        self.scene = scene
        self.nursery = nursery
        self.record = Record()
        self.servers: list[ModelServer] = []
        self.connections: dict[ModelServer, Connection] = {}
        self.handshakes: list[tuple[float, float]] = []
        self.requests: list[Request] = []
        self.lost: list[PoolEvent] = []
        self.stalled = False
        """Whether a server has ever not read, so that a request may wait on a connection."""
        self.release = trio.Event()
        self.limit, self.window = scene.max_streams, scene.window
        self.http2: Http2Sender

    async def dial(self, origin: Origin) -> tuple[ClientEnd, str]:
        began = trio.current_time()
        try:
            await trio.sleep(self.scene.handshake)
        finally:
            self.handshakes.append((began, trio.current_time()))
        server = ModelServer(self.record, self.limit, self.window, answer_of)
        server.hoarding = self.scene.hoarding
        self.servers.append(server)
        self.connections[server] = dialing.get()
        return ClientEnd(server), "h2"

    def tell(self, event: PoolEvent) -> None:
        if isinstance(event, ConnectionClosed) and event.lost:
            self.lost.append(event)

    # The client

    async def ask(self, one: Request) -> None:
        content = Pieces(one.size) if one.streamed else bytes(one.size)
        request = httpx.Request("POST", f"https://model/{one.number}", content=content)
        timeouts = {"pool": POOL_TIMEOUT, "connect": 10.0, "read": None, "write": None}
        request.extensions = {"timeout": timeouts}
        with one.scope:
            try:
                one.response = await self.http2.send(request, ORIGIN)
                assert one.response is not None
                if one.held:
                    await self.release.wait()
                body = await one.response.aread()
                number = int(one.response.headers["x-number"])
            except httpx.TransportError as error:
                one.error = str(error)
                self.end(one, type(error).__name__)
            else:
                self.end(one, "answered" if (number, body) == (one.number, answer_of(number)) else "garbled")
            finally:
                self.record.left.add(one.number)
                if one.response is not None:
                    with trio.CancelScope(shield=True):
                        await one.response.aclose()
        if one.scope.cancelled_caught:
            self.end(one, "cancelled")

    def end(self, one: Request, how: str) -> None:
        one.ends.append(how)
        one.ended_at = trio.current_time()

    # The script

    async def step(self, what: str, which: int) -> None:
        self.stalled |= what == "stall"
        match what:
            case "ask":
                size = SIZES[which % len(SIZES)]
                one = Request(len(self.requests), size, which % 7 == 6, which % 3 == 2, trio.current_time())
                self.requests.append(one)
                self.nursery.start_soon(self.ask, one)
            case "cancel" if self.requests:
                one = self.requests[which % len(self.requests)]
                self.record.left.add(one.number)
                one.scope.cancel()
            case "leave":
                # Somebody whose request was given back, and who may be on another connection by now.
                if again := [
                    one for one in self.requests if one.number in self.record.given_back and not one.ends
                ]:
                    self.record.left.add(again[which % len(again)].number)
                    again[which % len(again)].scope.cancel()
            case "turn":
                await trio.lowlevel.checkpoint()
            case "settle":
                await trio.testing.wait_all_tasks_blocked()
                self.check_windows()
            case "wait":
                await trio.sleep(which / 50)
            case _:
                self.server_step(what, which)

    def server_step(self, what: str, which: int) -> None:
        servers = [server for server in self.servers if not server.cut and not server.closed]
        if not servers:
            return
        which, index = divmod(which, len(servers))
        server = servers[index]
        match what:
            case "streams":
                self.limit = LIMITS[which % len(LIMITS)]
                server.settings({3: self.limit})
            case "window":
                self.window = WINDOWS[which % len(WINDOWS)]
                server.settings({4: self.window})
            case "stall":
                server.stall(not server.stalled)
                if server.stalled:
                    # The connection's writer is stuck at once, and what it gets next waits.
                    self.connections[server]._protocol.send_ping()
            case "hoard":
                server.hoarding = not server.hoarding
                server.push()
            case "goaway":
                server.goaway(max(max(server.streams, default=0) - 2 * (which % 3), 0))
            case "cut":
                server.end()
            case _:
                self.stream_step(server, what, which)

    def stream_step(self, server: ModelServer, what: str, which: int) -> None:
        if what == "late":
            if over := [stream for stream in server.streams.values() if stream.reset_by_client]:
                server.late(over[which % len(over)])
            return
        open_ones = [stream for stream in server.streams.values() if stream.can_answer]
        if not open_ones:
            return
        stream: ModelStream = open_ones[which % len(open_ones)]
        match what:
            case "answer":
                server.answer(stream, length=which % 2 == 0)
            case "early":
                server.answer(stream, length=which % 2 == 0, with_reset=True)
            case "refuse":
                server.reset(stream, REFUSED_STREAM)
            case "reset":
                server.reset(stream, INTERNAL_ERROR)

    async def finale(self) -> None:
        """The servers become well and answer everything; then all has ended."""
        self.limit, self.window = 100, 2**20
        await self.wait_for(lambda one: bool(one.ends) or one.response is not None)
        self.check_windows()
        self.release.set()
        await self.wait_for(lambda one: bool(one.ends))
        self.check_windows()

    async def wait_for(self, condition: Callable[[Request], bool]) -> None:
        for _ in range(80):
            for server in self.servers:
                if not server.cut and not server.closed:
                    self.make_well(server)
            await trio.testing.wait_all_tasks_blocked()
            if all(map(condition, self.requests)):
                return
            await trio.sleep(0.1)

    def make_well(self, server: ModelServer) -> None:
        server.stall(False)
        server.hoarding = False
        if not server.well:
            server.well = True
            server.settings({3: 100, 4: 2**20})
        for stream in list(server.streams.values()):
            if stream.can_answer and stream.request_ended:
                server.answer(stream, length=stream.number % 2 == 0)
        server.push()

    # What must hold

    def check_windows(self) -> None:
        """Nothing is under way: both sides agree on every window, and what was read is given back."""
        held = {one.number for one in self.requests if one.held and not one.ends}
        for server in self.servers:
            if server.cut or server.closed or server.stalled or server.to_client or not server.whole:
                continue
            unread = sum(
                s.sent for s in server.streams.values() if s.number in held and not s.reset_by_client
            )
            assert server.may_send <= server.whole
            assert server.whole - server.may_send < unread + PORTION, "credit is kept back"
            streams = self.connections[server]._streams
            assert streams._send_queue.window.available == server.may_receive
            for stream_id, stream in streams._streams.items():
                assert stream.send_window.available == server.streams[stream_id].may_receive
                assert stream.receive_window._available == server.streams[stream_id].may_send
            assert streams._window._available == server.may_send

    def check(self) -> None:
        assert not self.record.complaints, self.record.complaints
        assert not [one for one in self.requests if len(one.ends) != 1]
        for one in self.requests:
            self.check_end(one, one.ends[0])
        harmful = self.record.harmed
        assert not self.lost or harmful or any(server.cut for server in self.servers)
        for server in self.servers:
            if not server.cut and not server.closed:
                assert not [stream for stream in server.streams.values() if stream.open], "left open"
        figures = self.http2.pool.statistics()
        assert (figures.streams_in_use, figures.requests_waiting) == (0, 0)

    def check_end(self, one: Request, how: str) -> None:
        number = one.number
        waited = one.ended_at - one.asked_at
        placed_at = self.record.seen_at.get(number, one.ended_at)
        if not self.stalled:
            # The pool timeout covers all of the wait for a place but handshakes.
            in_line = placed_at - one.asked_at - self.connecting(one.asked_at, placed_at)
            assert in_line <= POOL_TIMEOUT + 0.01, f"{one} was in line for {in_line} s"
        match how:
            case "answered" | "cancelled":
                pass
            case "PoolTimeout":
                assert waited >= POOL_TIMEOUT - 1e-6
            case "RemoteProtocolError" | "ReadError" | "WriteError":
                given_back = self.record.given_back.get(number, 0)
                # What was on its way to a server that ended may have been processed, for all that is known.
                ended = any(server.cut or server.goaway_after is not None for server in self.servers)
                on_its_way = ended and (given_back or number not in self.record.seen_at)
                blamed = number in self.record.harmed or given_back >= (1 if one.streamed else 2)
                assert blamed or on_its_way, one
            case "ConnectError":
                assert any(server.cut or server.goaway_after is not None for server in self.servers)
            case _:
                raise AssertionError(f"request {number} ended in {how}")

    def connecting(self, since: float, until: float) -> float:
        """Seconds between these in which a connection was being opened."""
        total, covered = 0.0, since
        for began, ended in sorted(self.handshakes):
            start, stop = max(began, covered), min(ended, until)
            if stop > start:
                total, covered = total + stop - start, stop
        return total


async def play(scene: Scene, script: list[tuple[str, int]]) -> None:
    options = PoolOptions(
        max_connections=scene.max_connections, streams_per_connection=scene.streams, ping_interval=1e6
    )
    async with trio.open_nursery() as nursery:
        run = Play(scene, nursery)
        async with trio.open_nursery() as asking:
            run.nursery = asking
            async with anyio.create_task_group() as tasks:
                run.http2 = PairedHttp2(options, run.dial, tasks, run.tell)
                for number in range(scene.crowd):
                    await run.step("ask", number)
                await run.step("settle", 0)
                for what, which in script:
                    await run.step(what, which)
                await run.finale()
                run.check()
                await run.http2.aclose()


def example_of(what: str, *steps: tuple[str, int], **differences: Any) -> example:
    """An example that found a fault of the past when it was put back: `what` says which."""
    del what
    usual = Scene(
        max_streams=100, window=65_535, handshake=0.0, max_connections=2, hoarding=False, streams=4, crowd=5
    )
    return example(replace(usual, **differences), list(steps))


@example_of(
    "a reset of a stream that was over was taken for a broken connection",
    *[("ask", 1), ("ask", 2), ("settle", 0), ("early", 0), ("settle", 0)],
    window=0,
    crowd=0,
)
@example_of(
    "a request that was sent anew kept its former stream id, which was another's by then",
    *[("stall", 1), ("settle", 0), ("refuse", 0), ("settle", 0), ("leave", 0), ("settle", 0)],
)
@example_of(
    "the same, the other way round",
    *[("stall", 0), ("settle", 0), ("refuse", 1), ("settle", 0), ("leave", 0), ("settle", 0)],
)
@example_of("there were two accounts of the connection's window", ("settle", 0), max_streams=0)
@example_of(
    "what a request waits for was worked out once",
    *[("ask", 0), ("ask", 0), ("ask", 0), ("wait", 30)],
    max_streams=0,
    max_connections=1,
    crowd=0,
)
@given(scenes, scripts)
@settings(max_examples=examples(80), deadline=None)
def test_any_interleaving_keeps_streams_windows_and_clocks_in_order(
    scene: Scene, script: list[tuple[str, int]]
) -> None:
    """Each request ends once and for a cause, nobody is reset for another, and both sides count alike."""
    trio.run(play, scene, script, clock=trio.testing.MockClock(autojump_threshold=0))
