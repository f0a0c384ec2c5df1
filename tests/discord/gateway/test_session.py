"""The library's gateway client, limited to one session and to waits that end.

Over real sockets, against a server that plays scripts.
"""

import asyncio
import socket
import time
from contextlib import suppress

import pytest
from aiohttp import web
from interactions.client.errors import WebSocketClosed

from discordianai.discord.gateway import session
from discordianai.discord.gateway.session_limit import GatewayUnavailable, SessionEnded
from tests.discord.gateway.scripted_gateway import (
    HELLO,
    Server,
    a_session,
    answers,
    play,
    quicken,
    ready,
    says,
    serving,
    silence,
)

NO_INTERVALS: tuple[object, ...] = (0, -1, None, "x", [], 1e300, 10**400)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


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


def test_an_http_error_and_a_server_without_tls_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status, or that TLS failed."""
    monkeypatch.setattr(session, "HELLO_TIMEOUT", 20.0)

    async def run(path: str, scheme: str) -> str:
        server = Server(silence)
        async with serving(server), a_session(server, f"{scheme}://{server.url}{path}") as session:
            with pytest.raises(SessionEnded) as ended:
                await session._ws_connect()
            return str(ended.value)

    assert asyncio.run(run("/nothing", "ws")) == "the gateway's address answered 404"
    assert "SSL" in asyncio.run(run("/gateway", "wss"))


def test_a_gateway_that_asks_to_wait_is_not_tried_before() -> None:
    """A session begins only then, and one that was lost is resumed only then; as for a ban at the edge."""

    async def begin() -> None:
        server = Server(silence)
        async with serving(server), a_session(server, f"ws://{server.url}/limited") as session:
            with pytest.raises(GatewayUnavailable, match="answered 429") as ended:
                await session._ws_connect()
            assert ended.value.retry_after == 600.0

    async def resume() -> None:
        server = Server()

        async def lose(response: web.WebSocketResponse) -> None:
            await answers(server, 2, ready(f"ws://{server.url}/limited"), close=1012)(response)

        server.scripts = [lose]
        async with serving(server), a_session(server) as session:
            with suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await session._ws_connect()
        assert server.limited == 1

    asyncio.run(begin())
    asyncio.run(resume())


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
        async with serving(server), a_session(server) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await session._ws_connect()
            assert session.figures.now().trouble == "the connection was lost"

    asyncio.run(run())
    assert server.opcodes.count(2) == 1
    assert 4 <= server.opcodes.count(6) <= 8


def test_a_code_after_which_no_retry_helps_is_raised_unchanged() -> None:
    """For the listener, which knows the sentence."""
    server = Server()
    server.scripts = [answers(server, 2, close=4014)]

    async def run() -> None:
        async with serving(server), a_session(server) as session:
            with pytest.raises(WebSocketClosed):
                await session._ws_connect()

    asyncio.run(run())
