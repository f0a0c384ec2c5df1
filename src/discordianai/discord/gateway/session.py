"""One gateway session: begun by IDENTIFY, continued by RESUME, and over when Discord no longer knows it.

Left alone, the library identifies again at once, without limit, when an IDENTIFY is refused, and waits for
ever for an answer that does not come. Here it never identifies a second time: it ends with the reason, and
the supervisor begins the next session when that is due.
"""

import asyncio
import math
import random
import zlib
from contextlib import suppress
from typing import Any, Self

import aiohttp
import structlog
from interactions.api.gateway.gateway import GatewayClient
from interactions.api.gateway.state import ConnectionState
from interactions.client.errors import WebSocketClosed
from interactions.models.discord.enums import WebSocketOPCode as Opcode

from discordianai.discord.events.discord_addresses import session_may_name
from discordianai.discord.events.payload import LARGEST_ID, Malformed, record, snowflake
from discordianai.discord.gateway import identifies
from discordianai.discord.gateway.backoff import Backoff
from discordianai.discord.gateway.gateway_messages import (
    NO_CODE,
    Message,
    SocketClosed,
    UnreadableMessage,
    hello,
    next_message,
)
from discordianai.discord.gateway.identifies import IdentifyPacer
from discordianai.discord.gateway.session_limit import GatewayUnavailable, SessionEnded
from discordianai.discord.messages.application_limits import wait_of
from discordianai.discord.shard_statistics import ShardCounter
from discordianai.repeated_warning import RepeatedWarning

HELLO_TIMEOUT = 20.0
"""Seconds from the open WebSocket to HELLO."""

ANSWER_TIMEOUT = 60.0
"""Seconds from IDENTIFY or RESUME to READY or RESUMED, the events that are replayed before included."""

CLOSE_TIMEOUT = 2.0
"""Seconds for Discord to close its side of the WebSocket, too."""

RESUME_GAP, LONGEST_RESUME_GAP = 1.0, 15.0
"""Seconds between two RESUMEs while they fail, or succeed only briefly. The first one is sent at once:
Discord drops a command after three seconds, so that a gap costs every command in it. RESUMEs have no daily
limit."""

MOST_RESUMES = 8
"""In a row without RESUMED, or without a connection: a minute with the gaps. Then the session is given up."""

LOSSES_TOLD = 3
"""After so many losses in quick succession, a line is logged, once."""

REQUESTED_HEARTBEAT_GAP = 1.0
"""Seconds between two heartbeats that Discord requests out of turn."""

ANY_CODE = 1012
"""What a connection is closed with here. After 1000 and 1001, Discord forgets the session."""

NEW_SESSION_CODES = frozenset({1000, 4003, 4007, 4009})
"""Close codes that say that Discord has dropped the session. After all others it is resumed: if Discord does
not know it any more, it says so."""

BROKEN = (OSError, aiohttp.ClientError, TimeoutError, RuntimeError, ValueError, zlib.error)
"""What connecting and receiving may raise. RuntimeError is for a close before HELLO."""

HEARD = frozenset(
    {
        Opcode.DISPATCH,
        Opcode.HEARTBEAT,
        Opcode.RECONNECT,
        Opcode.INVALIDATE_SESSION,
        Opcode.HEARTBEAT_ACK,
    }
)
"""What a session is sent after HELLO. All else is passed over."""

MEMBERS_CHUNK = "GUILD_MEMBERS_CHUNK"
"""An event that the bot never requests, and for which the library looks among the servers that it keeps."""


class GatewaySocket(GatewayClient):
    """The library's client, with a limit on every IDENTIFY, RESUME and wait."""

    def __init__(self, state: "GatewaySession") -> None:
        super().__init__(state, (state.shard_id, state.client.total_shards))
        self.ending: SessionEnded | WebSocketClosed | None = None
        self._starts = state.starts
        self._figures = state.figures
        self._resumes = Backoff(0.0, RESUME_GAP, LONGEST_RESUME_GAP)
        self._unanswered = 0
        self._pause = 0.0
        self._waits_for_turn = False
        self._requested_heartbeat_at = -math.inf
        self._log = structlog.get_logger("discordianai.discord.gateway.session")
        self._unreadable = RepeatedWarning(self._log, "message of the gateway could not be read")
        self._turn = asyncio.Lock()
        self._alarm: asyncio.TimerHandle | None = None

    def end(self, reason: str, *, invalid: bool = False) -> None:
        """The session is over; the first reason counts."""
        self._end(SessionEnded(reason, invalid=invalid))

    def _end(self, ending: SessionEnded | WebSocketClosed) -> None:
        self.ending = self.ending or ending
        self._closed.clear()  # whoever receives waits until `run` cancels it
        self.close()

    async def __aenter__(self) -> Self:  # type: ignore[override]  # the library's type variable is not Self
        try:
            await super().__aenter__()
        except BROKEN as error:
            await self._stop()
            if wait := _wait(error):
                raise GatewayUnavailable(_reason(error), wait) from error
            raise SessionEnded(_reason(error)) from error
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stop()
        await super().__aexit__(*error)

    async def _stop(self) -> None:
        """Without the library's waits: for the heartbeat, which may be resuming, and for Discord to close."""
        self.end("no heartbeat could be sent")  # of all that ends it, this alone goes by without a reason
        self._answered()
        if self._keep_alive is not None:
            self._keep_alive.cancel()
            await asyncio.wait({self._keep_alive})
            self._keep_alive = None
        await self._hang_up(1000)

    async def receive(self, force: bool = False) -> Message:
        """The next message with an opcode of `HEARD`. With `force` it is HELLO.

        Raises `WebSocketClosed` with a code that no retry gets over; else, as `reconnect` and `__aenter__`
        expect it, only then what is in `BROKEN`.
        """
        if force:
            async with asyncio.timeout(HELLO_TIMEOUT):
                return hello(await next_message(self.ws, self._zlib))
        while True:
            await self._closed.wait()  # the library's name: it is set while there is a connection
            socket, code = self.ws, NO_CODE
            try:
                message = await next_message(socket, self._zlib)
            except UnreadableMessage:
                self._unreadable.note("no JSON")  # the next one may be
                continue
            except SocketClosed as lost:
                code = lost.code
            except (OSError, aiohttp.ClientError):  # of the answer to a ping
                pass
            except (zlib.error, ValueError):  # the stream is compressed as one: nothing later can be read
                pass
            else:
                # Whatever comes shows that the connection lives. Where much was missed, the acknowledgement
                # of a heartbeat waits behind it; to call the connection dead then would have it all sent
                # again.
                self._acknowledged.set()
                op = message.get("op") if isinstance(message, dict) else None
                if type(op) is int and op in HEARD:
                    return {**message, "s": self._newest(message.get("s"))}
                continue
            if self.ws is socket:  # else another task has noticed
                await self.reconnect(resume=True, code=code)

    def _newest(self, told: object) -> int | None:
        """The sequence number after a message that says `told`: a RESUME must not go back behind others."""
        known: int | None = self.sequence
        if not isinstance(told, int) or isinstance(told, bool):
            return known
        return told if (known or 0) < told <= LARGEST_ID else known

    async def dispatch_opcode(self, data: object, op: Opcode) -> None:
        """See the library's; it identifies again at once where a session is invalid."""
        if op == Opcode.HEARTBEAT:
            await self._send_requested_heartbeat()
        elif op != Opcode.INVALIDATE_SESSION:
            await super().dispatch_opcode(data, op)
        elif data is True and self.session_id:
            self._pause = random.uniform(*identifies.INVALID_SESSION_PAUSE)  # noqa: S311  # spreads load, protects nothing
            await self.reconnect(resume=True)
        else:
            self.end("Discord called the session invalid", invalid=True)

    async def dispatch_event(self, data: Any, seq: int, event: object) -> None:
        """See the library's; notes that the session has begun, or goes on."""
        if not isinstance(event, str):
            return
        if event not in {"READY", "RESUMED"}:
            if isinstance(data, dict) and event != MEMBERS_CHUNK:
                await super().dispatch_event(data, seq, event)
            return
        if self._alarm is None:  # neither IDENTIFY nor RESUME waits for it
            return
        if event == "RESUMED" and not self.session_id:  # IDENTIFY waits for READY
            return
        try:
            await super().dispatch_event(self._admitted(data) if event == "READY" else data, seq, event)
        except (KeyError, TypeError, AttributeError, Malformed):
            self.end(f"{event} could not be read")
            return
        self._answered()
        self._unanswered = 0
        self._resumes.establish()
        if event == "READY":
            self._starts.backoff.establish()

    def _admitted(self, data: Any) -> Message:
        """READY's data with a list of servers, which may be empty, and with an address for RESUME.

        Raises `Malformed` where it names no bot.
        """
        snowflake(record(data, "user"), "id")
        guilds = data.get("guilds")
        listed = guilds if isinstance(guilds, list) else []
        named, began_at = data.get("resume_gateway_url"), str(self.ws_url)
        if not session_may_name(named, began_at):
            if named is not None:
                self._log.warning("READY named a resume address that is not the gateway's: ignored")
            named = began_at
        return {
            **data,
            "guilds": [guild for guild in listed if isinstance(guild, dict) and "id" in guild],
            "resume_gateway_url": named.partition("?")[0],
        }

    async def reconnect(self, *, resume: bool = False, code: int = NO_CODE, url: str | None = None) -> None:
        """Continue the session on a new connection, or end it. Several tasks may notice the loss at once.

        `url` is left to `_resume`: Discord wants it to be that of READY each time.
        """
        del url
        lost = self.ws
        async with self._turn:
            if self.ws is not lost or self.ending:
                return
            self._closed.clear()
            self._answered()
            await self._hang_up(ANY_CODE)
            reason = f"the connection was closed with {code}" if code else "the connection was lost"
            if resume and self.session_id and code not in NEW_SESSION_CODES:
                await self._resume(reason, str(self.ws_resume_url or self.ws_url))
            else:
                self.end(reason)

    async def send_heartbeat(self) -> None:
        """See the library's. Between two connections no heartbeat is sent, and no answer is expected.

        Nor is one while the socket waits for its turn to identify: nobody reads it then. Whoever receives
        notices that a connection is closed.
        """
        if self.ws is not None:
            with suppress(OSError, aiohttp.ClientError):
                await super().send_heartbeat()
        if self.ws is None or self._waits_for_turn:
            self._acknowledged.set()

    async def _send_requested_heartbeat(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._requested_heartbeat_at >= REQUESTED_HEARTBEAT_GAP:
            self._requested_heartbeat_at = now
            await self.send_heartbeat()

    async def _resume(self, reason: str, url: str) -> None:
        while not self.ending:
            if self._unanswered >= MOST_RESUMES:
                self.end(reason)
                return
            self._unanswered += 1
            self._resumes.lose(self._pause)
            self._pause = 0.0
            pause = self._resumes.delay()
            self._figures.note_wait(reason, pause)
            if self._resumes.failures == LOSSES_TOLD:
                self._log.warning(
                    "the gateway is lost again and again", reason=reason, seconds=round(pause, 1)
                )
            await asyncio.sleep(pause)
            self._resumes.begin()
            try:
                await super().reconnect(resume=True, url=url)
            except BROKEN as error:
                reason, self._pause = _reason(error), _wait(error)
                await self._hang_up(ANY_CODE)
            except WebSocketClosed as error:  # the task that sends heartbeats would keep it to itself
                self._end(error)
            else:
                return

    async def _identify(self) -> None:
        self._waits_for_turn = True
        await self._starts.turn()
        self._waits_for_turn = False
        self._resumes.begin()
        self._figures.note_identify()
        await super()._identify()
        self._starts.note_sent()
        self._expect("IDENTIFY")

    async def _resume_connection(self) -> None:
        self._figures.resume()
        await super()._resume_connection()
        self._expect("RESUME")

    def _expect(self, sent: str) -> None:
        self._answered()
        reason = f"Discord did not answer {sent} within {ANSWER_TIMEOUT:.0f} s"
        self._alarm = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT, self.end, reason)

    def _answered(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def _hang_up(self, code: int) -> None:
        socket, self.ws = self.ws, None
        if socket is not None:
            with suppress(TimeoutError, OSError, aiohttp.ClientError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await socket.close(code=code)


class GatewaySession(ConnectionState):
    """The library's connection to the gateway, for one session."""

    starts: IdentifyPacer
    figures: ShardCounter

    async def _ws_connect(self) -> None:
        """Raises `SessionEnded`, or `WebSocketClosed` with a code that no retry gets over."""
        async with GatewaySocket(self) as gateway:
            self.gateway = gateway
            await gateway.run()
        if gateway.ending is not None:
            raise gateway.ending


def _wait(error: Exception) -> float:
    """Seconds for which the gateway wants no other try, if it says so in place of a WebSocket."""
    told = error.headers if isinstance(error, aiohttp.WSServerHandshakeError) else None
    return wait_of(told or {}, {}) or 0.0


def _reason(error: Exception) -> str:
    """A description of the error, without an address."""
    match error:
        case aiohttp.WSServerHandshakeError():
            return f"the gateway's address answered {error.status}"
        case TimeoutError():
            return "the gateway did not answer in time"
        case OSError() | aiohttp.ClientError():
            return f"the gateway cannot be reached: {type(error).__name__}"
        case RuntimeError():
            return "the connection was closed before HELLO"
        case _:
            return "the gateway's first message could not be read"
