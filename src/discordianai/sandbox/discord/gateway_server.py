"""The gateway: hello, identify or resume, heartbeats, events."""

import json
import secrets
import zlib
from contextlib import suppress
from typing import Any

import trio
from starlette.websockets import WebSocket, WebSocketDisconnect

from discordianai.sandbox.discord.api_objects import BOT, GUILD, Json
from discordianai.sandbox.discord.gateway_faults import FaultAction, FaultMoment, GatewayFault
from discordianai.sandbox.discord.local_discord import LocalDiscord, SandboxSession

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT = 0, 1, 2, 6, 7
INVALID_SESSION, HELLO, HEARTBEAT_ACK = 9, 10, 11

UNKNOWN_ERROR = 4000
AUTHENTICATION_FAILED = 4004
DISALLOWED_INTENTS = 4014

HANDSHAKE_TIMEOUT = 30.0
OUTBOX = 10_000
"""Events that may wait for a slow client."""


class GatewayServerConnection:
    """One WebSocket connection."""

    def __init__(self, discord: LocalDiscord, socket: WebSocket) -> None:
        self._discord = discord
        self._socket = socket
        compressed = socket.query_params.get("compress") == "zlib-stream"
        self._compressor = zlib.compressobj() if compressed else None

    async def serve(self) -> None:
        """Serve until either side closes."""
        # Only browsers name an origin: any page can open a WebSocket here, and knows the sandbox's token.
        from_a_page = "origin" in self._socket.headers
        fault = self._discord.fault_at(FaultMoment.OPEN)
        if from_a_page or (fault and fault.action is FaultAction.REFUSE):
            await self._socket.close()  # before it is accepted, this is an HTTP 403
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
            if message["op"] == IDENTIFY:
                return await self._identify(message["d"])
            if message["op"] == RESUME:
                self._discord.counters.resume_times.append(trio.current_time())
                if fault := self._discord.fault_at(FaultMoment.RESUME):
                    await self._misbehave(fault)
                    return None
                session = self._discord.sessions.get(message["d"]["session_id"])
                if session is not None:
                    return self._resume(session, message["d"]["seq"] or 0)
                await self._send({"op": INVALID_SESSION, "d": False})
            if message["op"] == HEARTBEAT:
                await self._send({"op": HEARTBEAT_ACK})

    async def _identify(self, data: Json) -> SandboxSession | None:
        discord = self._discord
        if data["token"].removeprefix("Bot ") != discord.options.token or not discord.identifies_left:
            await self._socket.close(AUTHENTICATION_FAILED)
            return None
        discord.counters.identifies += 1
        discord.counters.identify_times.append(trio.current_time())
        discord.counters.intents = data["intents"]
        discord.counters.presence = data.get("presence") or {}
        if data["intents"] & ~discord.options.allowed_intents:
            await self._socket.close(DISALLOWED_INTENTS)
            return None
        if fault := discord.fault_at(FaultMoment.IDENTIFY):
            await self._misbehave(fault)
            return None
        if not discord.may_identify():
            await self._send({"op": INVALID_SESSION, "d": False})
            return await self._handshake()
        discord.sessions.clear()  # one shard: a new session ends the old one
        session = SandboxSession(secrets.token_hex(16))
        self._attach(session)
        discord.sessions[session.id] = session
        session.dispatch(
            "READY",
            {
                "v": 10,
                "user": BOT.json(),
                "guilds": [{"id": str(GUILD.id), "unavailable": True}] if discord.names_guild else [],
                "session_id": session.id,
                "resume_gateway_url": discord.gateway_url,
                "shard": [0, 1],
                "application": {"id": str(BOT.id), "flags": 0},
                "private_channels": [],
            },
        )
        if discord.sends_guild:
            session.dispatch("GUILD_CREATE", discord.guild_json())
        return session

    def _resume(self, session: SandboxSession, sequence: int) -> SandboxSession:
        self._discord.counters.resumes += 1
        outbox = self._attach(session)
        for event in session.events:
            if event["s"] > sequence - self._discord.resume_overlap:
                outbox.send_nowait(event)
        session.dispatch("RESUMED", {})
        return session

    def _attach(self, session: SandboxSession) -> trio.MemorySendChannel[Json]:
        """Send every event here from now on: none is lost between the missed ones and the new ones."""
        self._outbox, self._events = trio.open_memory_channel[Json](OUTBOX)
        session.outbox = self._outbox
        return self._outbox

    async def _run(self, session: SandboxSession) -> None:
        code = UNKNOWN_ERROR
        try:
            await self._write_waiting()  # READY, too: only then is the client connected
            if fault := self._discord.fault_at(FaultMoment.SESSION):
                await self._misbehave(fault)
                return
            end = self._discord.connected(session)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, nursery.cancel_scope)
                nursery.start_soon(self._write)
                await end.event.wait()
                nursery.cancel_scope.cancel()
            code = end.code
            if end.frozen:
                await self._discord.wait_healed()
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
                await self._discord.wait_healed()
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

    async def _read(self, everything: trio.CancelScope) -> None:
        try:
            while True:
                message = await self._receive()
                if message["op"] == HEARTBEAT:
                    await self._send({"op": HEARTBEAT_ACK})
        except (WebSocketDisconnect, json.JSONDecodeError):
            everything.cancel()

    async def _write_waiting(self) -> None:
        with suppress(trio.WouldBlock):
            while True:
                await self._send(self._events.receive_nowait())

    async def _write(self) -> None:
        async for event in self._events:
            await self._send(event)

    async def _receive(self) -> Any:
        return json.loads(await self._socket.receive_text())

    async def _send(self, message: object) -> None:
        text = json.dumps(message)
        if self._compressor is None:
            await self._socket.send_text(text)
            return
        # All messages go through one compressor, whose state the client follows.
        data = self._compressor.compress(text.encode()) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        await self._socket.send_bytes(data)
