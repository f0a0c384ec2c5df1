"""The library's gateway client, limited to one session and to waits that end.

Over real sockets, against a server that plays scripts.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from interactions import Client, Intents
from interactions.api.http.route import Route
from interactions.client.errors import WebSocketClosed

from discordianai.discord.gateway import http_client, identifies, session
from discordianai.discord.gateway.http_client import ListenerHTTPClient
from discordianai.discord.gateway.identifies import Identifies, IdentifyPacer
from discordianai.discord.gateway.session import GatewaySession
from discordianai.discord.gateway.session_limit import SessionEnded, StartLimit
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.shard_statistics import ShardCounter

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)

NO_INTERVALS: tuple[object, ...] = (0, -1, None, "x", [], 1e300, 10**400)
HELLO = {"op": 10, "d": {"heartbeat_interval": 40_000}}

Script = Callable[[web.WebSocketResponse], Awaitable[None]]
"""What the server does on one connection."""


def ready(url: str) -> dict[str, Any]:
    data = {"session_id": "s", "resume_gateway_url": url, "user": {"id": "1"}, "guilds": []}
    return {"op": 0, "t": "READY", "s": 1, "d": data}


class Server:
    """Plays a script for each connection, the last one again and again, and notes the opcodes that come."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.opcodes: list[int] = []
        self.url = ""

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        await script(response)
        return response

    async def hear(self, response: web.WebSocketResponse, opcode: int) -> None:
        """Wait for this opcode; heartbeats are passed over."""
        while True:
            heard = json.loads((await response.receive()).data)["op"]
            if heard != 1:
                self.opcodes.append(heard)
            if heard == opcode:
                return


async def me(_request: web.Request) -> web.Response:
    return web.json_response({"id": "1"})


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[None]:
    app = web.Application()
    app.add_routes([web.get("/users/@me", me), web.get("/gateway", server.websocket)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"127.0.0.1:{runner.addresses[0][1]}"
        yield
    finally:
        await runner.cleanup()


async def never() -> StartLimit:
    """A session does not ask for the day's limit."""
    raise NotImplementedError


@asynccontextmanager
async def a_session(server: Server, url: str = "", route_base: str = "") -> AsyncIterator[GatewaySession]:
    """The library's connection, not begun yet."""
    client = Client(intents=Intents.GUILDS, sync_interactions=False)
    client.http = ListenerHTTPClient(ApplicationLimits())
    await client.http.login("token")
    session = GatewaySession(client, Intents.GUILDS, 0)
    session.starts, session.figures = IdentifyPacer(Identifies(never)), ShardCounter()
    session.gateway_url = url or f"ws://{server.url}/gateway"
    client._connection_state = session
    try:
        yield session
    finally:
        await client.http.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short timeouts, so that they pass within a test."""
    monkeypatch.setattr(http_client, "OPEN_TIMEOUT", 0.5)
    monkeypatch.setattr(session, "HELLO_TIMEOUT", 0.5)
    monkeypatch.setattr(session, "ANSWER_TIMEOUT", 0.5)
    monkeypatch.setattr(session, "CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(session, "RESUME_GAP", 0.05)
    monkeypatch.setattr(session, "LONGEST_RESUME_GAP", 0.75)
    monkeypatch.setattr(identifies, "INVALID_SESSION_PAUSE", (0.05, 0.1))


def play(server: Server, url: str = "", within: float = 8.0) -> str:
    """Run one session to its end; why it ended."""

    async def run() -> str:
        async with serving(server):
            previous, Route.BASE = Route.BASE, f"http://{server.url}"
            try:
                async with a_session(server, url) as session:
                    with pytest.raises(SessionEnded) as ended:
                        async with asyncio.timeout(within):
                            await session._ws_connect()
                    return str(ended.value)
            finally:
                Route.BASE = previous

    return asyncio.run(run())


async def silence(_response: web.WebSocketResponse) -> None:
    await asyncio.sleep(5)


def says(*messages: object) -> Script:
    """Sends this unasked, then stays silent."""

    async def script(response: web.WebSocketResponse) -> None:
        for message in messages:
            if isinstance(message, bytes):
                await response.send_bytes(message)
            else:
                await response.send_str(message if isinstance(message, str) else json.dumps(message))
        await silence(response)

    return script


@pytest.mark.parametrize(
    "first",
    [
        {"op": 10},
        {"op": 10, "d": None},
        {"op": 10, "d": 5},
        *({"op": 10, "d": {"heartbeat_interval": wrong}} for wrong in NO_INTERVALS),
        {"op": 10, "d": {"heartbeat_interval": float("nan")}},
        [],
        7,
        None,
        "<html>",
        b"\x78\x9cno zlib\x00\x00\xff\xff",
        b"\x00\x00\xff\xff",
    ],
)
def test_what_is_no_hello_ends_it_before_an_identify(first: object) -> None:
    """A heartbeat every 0 s would be a storm of its own."""
    server = Server(says(first))
    assert play(server) in {
        "the gateway's first message could not be read",
        "the gateway did not answer in time",  # what is no JSON is passed over
    }
    assert server.opcodes == []


def test_a_hello_that_never_comes_is_waited_for_within_a_limit() -> None:
    """The library waits for ever."""
    assert play(Server(silence)) == "the gateway did not answer in time"


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_port_that_accepts_and_stays_silent_is_given_up(scheme: str) -> None:
    """The upgrade, and TLS before it, have a limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/gateway"
        assert play(Server(silence), url) == "the gateway did not answer in time"


def test_an_address_that_cannot_be_reached_is_said_without_the_address() -> None:
    """Refused, with another protocol, with an HTTP error, or none at all."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    server = Server(silence)
    assert play(server, f"ws://127.0.0.1:{port}/") == "the gateway cannot be reached: ClientConnectorError"
    assert "cannot be reached: Invalid" in play(server, "ws://:0:0/")
    assert "cannot be reached: " in play(server, "nonsense://x/")


def test_an_http_error_and_a_server_without_tls_are_told() -> None:
    """The status, or that TLS failed."""

    async def run(path: str, scheme: str) -> str:
        server = Server(silence)
        async with serving(server):
            previous, Route.BASE = Route.BASE, f"http://{server.url}"
            try:
                async with a_session(server, f"{scheme}://{server.url}{path}") as session:
                    with pytest.raises(SessionEnded) as ended:
                        await session._ws_connect()
                    return str(ended.value)
            finally:
                Route.BASE = previous

    assert asyncio.run(run("/nothing", "ws")) == "the gateway's address answered 404"
    assert "SSL" in asyncio.run(run("/gateway", "wss"))


def answers(server: Server, opcode: int, *messages: object, close: int | None = None) -> Script:
    """HELLO; and to this opcode these messages, or a close."""

    async def script(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, opcode)
        for message in messages:
            await response.send_json(message)
        if close is not None:
            await response.close(code=close)
        else:
            while not response.closed:
                await response.receive()

    return script


@pytest.mark.parametrize("code", [1000, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009])
def test_a_refused_identify_is_not_sent_again(code: int) -> None:
    """The session ends, and whoever runs it waits."""
    server = Server()
    server.scripts = [answers(server, 2, close=code)]
    assert play(server) == f"the connection was closed with {code}"
    assert server.opcodes == [2]


@pytest.mark.parametrize("resumable", [False, True, None, "x", {}])
def test_op_9_to_an_identify_ends_the_session(resumable: object) -> None:
    """There is none to resume, whatever it says."""
    server = Server()
    server.scripts = [answers(server, 2, {"op": 9, "d": resumable})]
    assert play(server) == "Discord called the session invalid"
    assert server.opcodes == [2]


@pytest.mark.parametrize("said", [[], [{"op": 11}], [7, [], None, {"op": "x"}, {"op": None}, {}, {"op": 99}]])
def test_an_identify_without_an_answer_is_given_up(said: list[object]) -> None:
    """Also where something else comes."""
    server = Server()
    server.scripts = [answers(server, 2, *said)]
    assert play(server) == "Discord did not answer IDENTIFY within 0 s"
    assert server.opcodes == [2]


@pytest.mark.parametrize(
    "data",
    [
        *(None, 7, [], {}, {"session_id": "s"}, {"resume_gateway_url": "x"}),
        {"session_id": "s", "resume_gateway_url": "x"},
        {"session_id": "s", "resume_gateway_url": "x", "user": {"id": None}},
    ],
)
def test_a_ready_that_cannot_be_read_ends_the_session(data: object) -> None:
    """It does not look connected, and is not resumed."""
    server = Server()
    server.scripts = [answers(server, 2, {"op": 0, "t": "READY", "s": 1, "d": data})]
    assert play(server) == "READY could not be read"
    assert server.opcodes == [2]


@pytest.mark.parametrize("guilds", [None, 7, {}, "x", [None, 7, {}]])
def test_a_ready_without_a_list_of_servers_begins_a_session(guilds: object) -> None:
    """The library would fail on it in silence; the bot hears all that comes."""
    server = Server()
    made = ready("ws://127.0.0.1/")
    server.scripts = [
        answers(server, 2, {**made, "d": {**made["d"], "guilds": guilds}}, {"op": 9, "d": False})
    ]
    assert play(server) == "Discord called the session invalid"
    assert server.opcodes == [2]


@pytest.mark.slow
def test_resumes_without_an_answer_are_eight_and_no_identify() -> None:
    """At once at first, then ever later, and the session is given up."""
    server = Server()

    async def admitted(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        await asyncio.sleep(0.1)
        await response.close(code=4000)

    server.scripts = [admitted, answers(server, 6, close=4000)]
    began = time.monotonic()
    assert play(server) == "the connection was closed with 4000"
    assert server.opcodes == [2, *[6] * session.MOST_RESUMES]
    assert time.monotonic() - began >= 0.05 * (1 + 2 + 4 + 8 + 15 + 15 + 15)


def test_op_7_in_a_loop_is_obeyed_at_growing_intervals_and_costs_no_identify() -> None:
    """RESUMED comes each time, and does not last."""
    server = Server()

    async def admitted(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        await response.send_json({"op": 7, "d": None})
        await server.hear(response, 99)

    resumed = {"op": 0, "t": "RESUMED", "s": 2, "d": {}}
    server.scripts = [admitted, answers(server, 6, resumed, {"op": 7, "d": None})]

    async def run() -> None:
        async with serving(server):
            previous, Route.BASE = Route.BASE, f"http://{server.url}"
            try:
                async with a_session(server) as session:
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(3):
                            await session._ws_connect()
                    assert session.figures.now().trouble == "the connection was lost"
            finally:
                Route.BASE = previous

    asyncio.run(run())
    assert server.opcodes.count(2) == 1
    assert 4 <= server.opcodes.count(6) <= 8


def test_a_code_after_which_no_retry_helps_is_raised_unchanged() -> None:
    """For the listener, which knows the sentence."""
    server = Server()
    server.scripts = [answers(server, 2, close=4014)]

    async def run() -> None:
        async with serving(server):
            previous, Route.BASE = Route.BASE, f"http://{server.url}"
            try:
                async with a_session(server) as session:
                    with pytest.raises(WebSocketClosed):
                        await session._ws_connect()
            finally:
                Route.BASE = previous

    asyncio.run(run())
