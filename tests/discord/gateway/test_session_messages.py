"""What a gateway may send though Discord does not document it: the session goes on, or is resumed."""

import asyncio
import gc
import json
import logging
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from interactions.api.events import BaseEvent
from interactions.api.gateway.gateway import GatewayClient
from interactions.client.errors import WebSocketClosed
from structlog.testing import capture_logs

from discordianai.discord.gateway import session
from discordianai.discord.gateway.session_limit import SessionEnded
from tests.discord.gateway.scripted_gateway import (
    HELLO,
    Script,
    Server,
    a_session,
    answers,
    play,
    quicken,
    ready,
    serving,
)

INVALID = {"op": 9, "d": False}
OVER = "Discord called the session invalid"
QUICK_HELLO = {"op": 10, "d": {"heartbeat_interval": 500}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


def begun(server: Server, *messages: object, named: Any = "", close: int | None = 4000) -> Script:
    """HELLO, READY with this address for RESUME, these messages, and a close."""

    async def script(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(named if named else f"ws://{server.url}/gateway"))
        for message in messages:
            await response.send_json(message)
        if close is not None:
            await response.close(code=close)
        while not response.closed:
            await response.receive()

    return script


def resumed(server: Server, begin: Script) -> None:
    """The server begins like that, and refuses the RESUME that follows, which ends the session."""
    server.scripts = [begin, answers(server, 6, INVALID)]
    assert play(server) == OVER
    assert server.opcodes == [2, 6]


ELSEWHERE: tuple[Callable[[str, str], object], ...] = (
    lambda _own, other: f"ws://{other}/gateway",
    lambda own, _other: f"http://{own}/gateway",
    lambda own, _other: f"wss://{own}/gateway",
    lambda own, other: f"ws://{own}@{other}/gateway",
    lambda _own, other: f"ws://{other.replace('127.0.0.1', 'localhost')}/gateway",
    lambda own, _other: own,
    lambda _own, _other: None,
    lambda _own, _other: 7,
    lambda _own, _other: ["ws://127.0.0.1/"],
    lambda _own, _other: "wss://gateway.discord.gg.example/",
    lambda _own, _other: "ws://[::1",
)


@pytest.mark.parametrize("named", ELSEWHERE)
def test_a_resume_goes_to_no_address_that_is_none_of_the_gateways(
    named: Callable[[str, str], object],
) -> None:
    """It carries the token. It goes to where the session began."""
    server, other = Server(), Server()

    async def begin(response: web.WebSocketResponse) -> None:
        await begun(server, named=named(server.url, other.url))(response)

    async def stolen(response: web.WebSocketResponse) -> None:
        other.opcodes.append(-1)
        await response.receive()

    other.scripts = [stolen]
    server.scripts = [begin, answers(server, 6, INVALID)]

    async def run() -> None:
        async with serving(other):
            await asyncio.to_thread(lambda: resumed(server, begin))

    asyncio.run(run())
    assert other.opcodes == []


def test_a_ready_without_an_address_for_resume_is_one() -> None:
    """The session is resumed where it began."""
    server = Server()

    async def begin(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        made = ready("")
        del made["d"]["resume_gateway_url"]
        await response.send_json(made)
        await response.close(code=4000)

    resumed(server, begin)


def test_a_redirect_of_the_gateway_is_not_followed() -> None:
    """Whoever it leads to would be sent the token."""
    server, other = Server(), Server()

    async def run() -> str:
        async with serving(other), serving(server):
            server.redirect_to = f"http://{other.url}/gateway"
            async with a_session(server, f"ws://{server.url}/moved") as session:
                with pytest.raises(SessionEnded) as ended:
                    await session._ws_connect()
                return str(ended.value)

    other.scripts = [answers(other, 2, INVALID)]
    assert asyncio.run(run()) == "the gateway cannot be reached: ClientConnectionError"
    assert other.opcodes == []


RESUMED = (1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4001, 4002, 4005)


@pytest.mark.parametrize("code", [*RESUMED, 4006, 4008, 4015, 4999])
def test_after_any_close_that_does_not_end_the_session_it_is_resumed(code: int) -> None:
    """Also after codes that Discord does not document: what came meanwhile is sent again."""
    server = Server()
    resumed(server, begun(server, close=code))


@pytest.mark.parametrize("code", [1000, 4003, 4007, 4009])
def test_after_a_close_that_ends_the_session_it_is_not_resumed(code: int) -> None:
    server = Server()
    server.scripts = [begun(server, close=code)]
    assert play(server) == f"the connection was closed with {code}"
    assert server.opcodes == [2]


@pytest.mark.parametrize("payload", [b"", b"\x03\xee", b"\x03\xf7", b"\x00"])
def test_after_a_close_without_a_sound_code_it_is_resumed(payload: bytes) -> None:
    """None, the codes 1006 and 1015, which nobody may send, and half of one."""
    server = Server()

    async def begin(response: web.WebSocketResponse) -> None:
        await begun(server, close=None)(response)

    async def closing(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        assert response._writer is not None
        await response._writer.send_frame(payload, WSMsgType.CLOSE)
        await asyncio.sleep(0.2)

    resumed(server, closing)


def test_a_code_after_which_no_retry_helps_ends_a_resume_too() -> None:
    """Whoever noticed that the connection was lost: here the heartbeat."""
    server = Server()

    async def silent(response: web.WebSocketResponse) -> None:
        await response.send_json(QUICK_HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        await asyncio.sleep(5)

    async def refused(response: web.WebSocketResponse) -> None:
        await response.close(code=4014)

    server.scripts = [silent, refused]

    async def run() -> int:
        async with serving(server), a_session(server) as session:
            with pytest.raises(WebSocketClosed) as closed:
                async with asyncio.timeout(5):
                    await session._ws_connect()
            return closed.value.code

    assert asyncio.run(run()) == 4014
    assert server.opcodes == [2]


@pytest.mark.parametrize("interval", [1e-300, 0.001, 1, "1", True])
def test_heartbeats_are_no_storm_however_often_they_are_asked_for(interval: object) -> None:
    """Discord takes 120 messages in a minute."""
    server, heard = Server(), list[int]()

    async def begin(response: web.WebSocketResponse) -> None:
        await response.send_json({"op": 10, "d": {"heartbeat_interval": interval}})
        async with asyncio.timeout(1.6):
            while True:
                heard.append(json.loads((await response.receive()).data)["op"])
                await response.send_json({"op": 11})

    server.scripts = [begin]
    play(server, within=2.5)
    assert 1 <= heard.count(1) <= 4


def test_a_heartbeat_that_is_requested_again_and_again_is_sent_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On a busy machine, two hundred requests take longer than a second.
    monkeypatch.setattr(session, "REQUESTED_HEARTBEAT_GAP", 20.0)
    server, heard = Server(), list[int]()

    async def begin(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        for _ in range(200):
            await response.send_json({"op": 1, "d": None})
        await response.send_json(INVALID)
        while not response.closed:
            message = await response.receive()
            if message.type is WSMsgType.TEXT:
                heard.append(json.loads(message.data)["op"])

    server.scripts = [begin]
    assert play(server) == OVER
    assert heard == [1]


@pytest.mark.parametrize("odd", [3, 0, -1, None, "60", 1.5, True, [], {}, 10**30])
def test_a_resume_names_the_highest_number_that_has_come(odd: object) -> None:
    """From a lower one on, Discord would send everything again; for nonsense it would end the session."""
    server, resumes = Server(), list[dict[str, Any]]()

    async def resume(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        while (message := json.loads((await response.receive()).data))["op"] != 6:
            pass
        resumes.append(message["d"])
        await response.send_json(INVALID)
        while not response.closed:
            await response.receive()

    event = {"op": 0, "t": "TYPING_START", "d": {}}
    server.scripts = [begun(server, {**event, "s": 50}, {**event, "s": odd}), resume]
    assert play(server) == OVER
    assert [each["seq"] for each in resumes] == [50]


def packed(*messages: object, finish: bool = False) -> list[bytes]:
    """As they are sent, compressed as one stream."""
    compressor, sent = zlib.compressobj(), list[bytes]()
    for message in messages:
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        data = compressor.compress(text)
        data += compressor.flush(zlib.Z_FINISH if finish else zlib.Z_SYNC_FLUSH)
        sent.append(data + (b"\x00\x00\xff\xff" if finish else b""))
    return sent


def test_half_a_message_that_was_lost_with_its_connection_spoils_nothing_on_the_next_one() -> None:
    """One RESUME is enough."""
    server = Server()

    async def begin(response: web.WebSocketResponse) -> None:
        hello, admitted, event = packed(
            HELLO, ready(f"ws://{server.url}/gateway"), {"op": 0, "t": "X", "s": 2, "d": {"x": "y" * 99}}
        )
        await response.send_bytes(hello)
        await server.hear(response, 2)
        await response.send_bytes(admitted)
        await response.send_bytes(event[:9])
        await response.close(code=4000)

    async def resume(response: web.WebSocketResponse) -> None:
        hello, end = packed(HELLO, INVALID)
        await response.send_bytes(hello)
        await server.hear(response, 6)
        await response.send_bytes(end)
        while not response.closed:
            await response.receive()

    server.scripts = [begin, resume]
    assert play(server) == OVER
    assert server.opcodes == [2, 6]


def test_the_end_of_the_compressed_stream_is_a_lost_connection() -> None:
    """Nothing that is sent after it could be read."""
    server = Server()

    async def begin(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        await response.send_bytes(packed({"op": 11}, finish=True)[0])
        while not response.closed:
            await response.receive()

    resumed(server, begin)


NO_JSON = ("", "{", "NaN,", "[" * 100_000, b"\xff\xfe", b"")


def test_messages_that_are_no_json_are_passed_over_and_logged_once() -> None:
    """As text or compressed; the session goes on."""
    server = Server()

    async def begin(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        for text in NO_JSON:
            if isinstance(text, str):
                await response.send_str(text)
        texts = (text if isinstance(text, bytes) else text.encode() for text in NO_JSON)
        for data in packed(*texts, INVALID):
            await response.send_bytes(data)
        while not response.closed:
            await response.receive()

    server.scripts = [begin]
    with capture_logs() as logs:
        assert play(server) == OVER
    assert server.opcodes == [2]
    told = [log for log in logs if log["log_level"] != "debug"]
    assert [log["event"] for log in told] == ["message of the gateway could not be read"]


def test_a_heartbeat_that_cannot_be_sent_is_not_the_end_of_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection is closed, and whoever receives from it will notice: it is resumed."""

    async def broken(_self: GatewayClient) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(GatewayClient, "send_heartbeat", broken)
    server = Server()

    async def begin(response: web.WebSocketResponse) -> None:
        await response.send_json(QUICK_HELLO)
        await server.hear(response, 2)
        await response.send_json(ready(f"ws://{server.url}/gateway"))
        await asyncio.sleep(0.4)
        await response.close(code=4000)

    resumed(server, begin)


def test_a_ready_that_answers_nothing_begins_nothing() -> None:
    """Nor does a RESUMED."""
    server, heard = Server(), list[str]()
    more = [ready("ws://127.0.0.1/"), {"op": 0, "t": "RESUMED", "s": 2, "d": {}}] * 50
    server.scripts = [begun(server, *more, INVALID, close=None)]

    async def run() -> None:
        async with serving(server), a_session(server) as session:
            dispatch = session.client.dispatch

            def note(event: BaseEvent, *arguments: Any, **options: Any) -> None:
                heard.append(event.resolved_name)
                dispatch(event, *arguments, **options)

            session.client.dispatch = note  # type: ignore[method-assign]  # the library's own
            with pytest.raises(SessionEnded):
                async with asyncio.timeout(5):
                    await session._ws_connect()

    asyncio.run(run())
    assert [name for name in heard if name in {"websocket_ready", "resume"}] == ["websocket_ready"]


def test_events_without_a_name_or_an_object_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """Each is a task of its own, whose error would be logged when nobody expects it."""
    server = Server()
    odd: tuple[Any, ...] = (None, 7, [], {}, ["READY"], True)
    nameless = [{"op": 0, "t": name, "s": 2, "d": {}} for name in odd]
    empty = [{"op": 0, "t": "SOMETHING_NEW", "s": 2, "d": data} for data in (*odd, "x")]
    server.scripts = [begun(server, *nameless, *empty, INVALID, close=None)]
    assert play(server) == OVER
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_resumed_in_answer_to_identify_begins_nothing() -> None:
    """It would leave a session without an id, servers or READY, which nothing ends."""
    server = Server()
    server.scripts = [answers(server, 2, {"op": 0, "t": "RESUMED", "s": 2, "d": {}})]
    assert "Discord did not answer IDENTIFY" in play(server)
