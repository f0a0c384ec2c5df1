"""The gateway: hello, identify or resume, heartbeats, events."""

import json
import secrets
import zlib
from contextlib import suppress
from typing import Any

import trio
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from discordianai.sandbox.discord.api_objects import BOT, GUILD, Json
from discordianai.sandbox.discord.gateway_control import (
    AUTHENTICATION_FAILED,
    ConnectionEnd,
    SandboxSession,
)
from discordianai.sandbox.discord.gateway_faults import FaultAction, FaultMoment, GatewayFault
from discordianai.sandbox.discord.generated_guilds import GuildToSend
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.shard import SandboxShard

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT = 0, 1, 2, 6, 7
INVALID_SESSION, HELLO, HEARTBEAT_ACK = 9, 10, 11

UNKNOWN_ERROR = 4000
NOT_AUTHENTICATED = 4003
ALREADY_AUTHENTICATED = 4005
INVALID_SEQUENCE = 4007
INVALID_SHARD = 4010
SHARDING_REQUIRED = 4011
DISALLOWED_INTENTS = 4014

HANDSHAKE_TIMEOUT = 30.0
OUTBOX = 10_000
"""Events that may wait for a slow client."""


class Refused(Exception):
    """The connection is closed with this code."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class InvalidSession(Exception):
    """Op 9 is the answer. The client may identify on the same connection."""


class GatewayServerConnection:
    """One WebSocket connection."""

    def __init__(self, discord: LocalDiscord, socket: WebSocket) -> None:
        self._discord = discord
        self._socket = socket
        self._shard: int | None = socket.path_params.get("shard")
        """The number of its shard, as soon as that is known."""
        compressed = socket.query_params.get("compress") == "zlib-stream"
        self._compressor = zlib.compressobj() if compressed else None

    async def serve(self) -> None:
        """Serve until either side closes."""
        # Only browsers name an origin: any page can open a WebSocket here, and knows the sandbox's token.
        if "origin" in self._socket.headers:
            await self._socket.close()  # before it is accepted, this is an HTTP 403
            return
        fault = self._discord.fault_at(FaultMoment.OPEN, self._shard)
        if fault and fault.action is FaultAction.REFUSE:
            # Hypercorn fails on what a client sends on a refused connection that stays open.
            refusal = Response(status_code=503, headers={"connection": "close"})
            await self._socket.send_denial_response(refusal)
            return
        await self._socket.accept()
        interval = int(self._discord.options.heartbeat_interval * 1000)
        try:
            if fault:
                await self._misbehave(fault)
                return
            await self._send({"op": HELLO, "d": {"heartbeat_interval": interval}})
            with trio.fail_after(HANDSHAKE_TIMEOUT):
                session = await self._handshake()
            if session is not None:
                await self._run(session)
        except (WebSocketDisconnect, trio.TooSlowError, json.JSONDecodeError):
            pass

    async def _handshake(self) -> SandboxSession | None:
        while True:
            message = await self._receive()
            try:
                match message["op"]:
                    case opcode if opcode == IDENTIFY:
                        return await self._identify(message["d"])
                    case opcode if opcode == RESUME:
                        return await self._resume(message["d"])
                    case opcode if opcode == HEARTBEAT:
                        await self._send({"op": HEARTBEAT_ACK})
                    case _:
                        raise Refused(NOT_AUTHENTICATED)
            except InvalidSession:
                await self._send({"op": INVALID_SESSION, "d": False})
            except Refused as refusal:
                await self._socket.close(refusal.code)
                return None

    async def _identify(self, data: Json) -> SandboxSession | None:
        discord, shard = self._discord, self._checked(data)
        self._shard = shard.id
        for moment in (FaultMoment.IDENTIFY, FaultMoment.OPEN):
            if fault := discord.fault_at(moment, shard.id):
                await self._misbehave(fault)
                return None
        if not discord.start_limit.may_start(shard, discord.now()):
            raise InvalidSession
        return self._begin(shard)

    def _checked(self, data: Json) -> SandboxShard:
        """The shard of an IDENTIFY. Raises `Refused`."""
        discord, shard = self._discord, SandboxShard.parse(data.get("shard"))
        if data["token"].removeprefix("Bot ") != discord.options.token:
            raise Refused(AUTHENTICATION_FAILED)
        if not discord.start_limit.take(shard or SandboxShard(), discord.now()):
            discord.reset_token()
            raise Refused(AUTHENTICATION_FAILED)
        discord.counters.identifies += 1
        discord.counters.identify_times.append(trio.current_time())
        discord.counters.intents = data["intents"]
        discord.counters.presence = data.get("presence") or {}
        if shard is None:
            raise Refused(INVALID_SHARD)
        if data["intents"] & ~discord.options.allowed_intents:
            raise Refused(DISALLOWED_INTENTS)
        too_few = discord.options.sharding_required and shard.total == 1
        if too_few or len(discord.guild_ids(shard)) > discord.options.guilds_per_shard:
            raise Refused(SHARDING_REQUIRED)
        return shard

    def _begin(self, shard: SandboxShard) -> SandboxSession:
        discord = self._discord
        session = SandboxSession(secrets.token_hex(16), shard)
        self._attach(session)
        discord.add_session(session)
        guilds = discord.guild_ids(shard)
        named = guilds if discord.names_guild else []
        session.dispatch(
            "READY",
            {
                "v": 10,
                "user": BOT.json(),
                "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in named],
                "session_id": session.id,
                "resume_gateway_url": discord.shard_url(discord.gateway_url, shard),
                "shard": [shard.id, shard.total],
                "application": {"id": str(BOT.id), "flags": 0},
                "private_channels": [],
            },
        )
        if discord.sends_guild:
            session.guilds_to_send = discord.more_guilds.ids(shard)
            if shard.serves(GUILD.id):
                session.dispatch("GUILD_CREATE", discord.guild_json())
        return session

    async def _resume(self, data: Json) -> SandboxSession | None:
        discord = self._discord
        discord.counters.resume_times.append(trio.current_time())
        session = discord.sessions.get(data["session_id"])
        self._shard = session.shard.id if session is not None else self._shard
        if fault := discord.fault_at(FaultMoment.RESUME, self._shard):
            await self._misbehave(fault)
            return None
        if data["token"].removeprefix("Bot ") != discord.options.token:
            raise Refused(AUTHENTICATION_FAILED)
        if session is None:
            raise InvalidSession
        sequence = data["seq"] or 0
        if sequence > session.sequence:
            raise Refused(INVALID_SEQUENCE)
        self._replay(session, sequence)
        return session

    def _replay(self, session: SandboxSession, sequence: int) -> None:
        self._discord.counters.resumes += 1
        outbox = self._attach(session)
        for event in session.events:
            if event["s"] > sequence - self._discord.resume_overlap:
                outbox.send_nowait(event)
        session.dispatch("RESUMED", {})

    def _attach(self, session: SandboxSession) -> trio.MemorySendChannel[Json]:
        """Send every event here from now on: none is lost between the missed ones and the new ones."""
        self._outbox, self._events = trio.open_memory_channel[Json](OUTBOX)
        session.outbox = self._outbox
        return self._outbox

    async def _run(self, session: SandboxSession) -> None:
        code = UNKNOWN_ERROR
        try:
            await self._write_waiting()  # READY, too: only then is the client connected
            if fault := self._discord.fault_at(FaultMoment.SESSION, self._shard):
                await self._misbehave(fault)
                return
            end = self._discord.connected(session)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, end)
                nursery.start_soon(self._write, session)
                await end.event.wait()
                nursery.cancel_scope.cancel()
            code = end.code
            if end.frozen:
                await self._discord.wait_healed(self._shard)
        finally:
            if session.outbox is self._outbox:  # unless a later connection has resumed the session
                self._discord.disconnected(session)
            with trio.move_on_after(1, shield=True):
                await self._close(code)

    async def _misbehave(self, fault: GatewayFault) -> None:
        match fault.action:
            case FaultAction.CLOSE:
                await self._socket.close(fault.code)
                return
            case FaultAction.INVALID:
                await self._send({"op": INVALID_SESSION, "d": False})
            case FaultAction.RESUMABLE:
                await self._send({"op": INVALID_SESSION, "d": True})
            case FaultAction.RECONNECT:
                await self._send({"op": RECONNECT, "d": None})
            case FaultAction.GARBAGE:
                await self._socket.send_bytes(b"\x78\x9cno zlib at all\x00\x00\xff\xff")
            case FaultAction.NONSENSE:
                await self._send(["no", {"op": "message"}])
            case FaultAction.FREEZE | FaultAction.REFUSE:
                await self._discord.wait_healed(self._shard)
                return
        await self._until_closed()

    async def _until_closed(self) -> None:
        """Wait for the client to close."""
        with trio.move_on_after(HANDSHAKE_TIMEOUT):
            while True:
                await self._receive()

    async def _close(self, code: int) -> None:
        with suppress(RuntimeError, WebSocketDisconnect):  # the client closed first
            await self._socket.close(code)

    async def _read(self, end: ConnectionEnd) -> None:
        try:
            while (opcode := (await self._receive())["op"]) not in {IDENTIFY, RESUME}:
                if opcode == HEARTBEAT and self._discord.acknowledges_heartbeats:
                    await self._send({"op": HEARTBEAT_ACK})
            end.code = ALREADY_AUTHENTICATED
        except (WebSocketDisconnect, json.JSONDecodeError):
            pass
        end.event.set()

    async def _write_waiting(self) -> None:
        with suppress(trio.WouldBlock):
            while True:
                await self._send(self._events.receive_nowait())

    async def _write(self, session: SandboxSession) -> None:
        while True:
            await self._write_waiting()
            if not self._discord.send_next_guild(session):
                await self._send(await self._events.receive())

    async def _receive(self) -> Any:
        return json.loads(await self._socket.receive_text())

    async def _send(self, message: object) -> None:
        text = json.dumps(message, default=GuildToSend.json)
        if self._compressor is None:
            await self._socket.send_text(text)
            return
        # All messages go through one compressor, whose state the client follows.
        data = self._compressor.compress(text.encode()) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        await self._socket.send_bytes(data)
