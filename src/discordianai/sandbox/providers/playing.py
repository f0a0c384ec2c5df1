"""Plays a script as a stream, or as much of it as its fault leaves.

Without a pause between two events they are sent together, as real services do under load.
"""

from dataclasses import dataclass

import trio

from discordianai.sandbox.http import Exchange
from discordianai.sandbox.http.http2 import Http2Connection
from discordianai.sandbox.providers.faults import Fault, Kind
from discordianai.sandbox.providers.script import Framing, Json, Pause, Script, Step

MOST_TOGETHER = 16_384
"""Bytes of events that are sent at once."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: before the first token, between two, and of silence before a sign of life."""

    first: float
    between: float
    keep_alive: float | None = None

    def under(self, fault: Fault | None) -> "Pace":
        """The pace that this fault leaves."""
        if fault is None or fault.kind is not Kind.SLOW or fault.seconds is None:
            return self
        return Pace(self.first, fault.seconds, self.keep_alive)


class Player:
    """Sends one answer."""

    def __init__(self, exchange: Exchange, framing: Framing, pace: Pace, fault: Fault | None) -> None:
        self.stopped = trio.Event()
        """Once it is set, nothing more is played. What is being sent is sent whole: TLS demands it."""
        self._exchange = exchange
        self._framing = framing
        self._pace = pace.under(fault)
        self._fault = fault
        self._pieces = 0
        self._unsent = bytearray()

    async def play(self, script: Script, headers: list[tuple[str, str]]) -> bool:
        """Send the answer, or what the fault leaves of it; whether that was its end."""
        await self._exchange.start(200, [("content-type", self._framing.content_type), *headers])
        for step in script.steps():
            if step.pause is Pause.FIRST:
                await self.rest(self._pace.first)
            elif step.pause is Pause.PIECE and await self._misbehave(script, step):
                return not self.stopped.is_set()
            if self.stopped.is_set():
                await self._flush()
                return False
            await self.send(step.event)
            if step.pause is Pause.PIECE:
                await self.rest(self._pace.between)
        await self.finish()
        return True

    async def send(self, event: Json) -> None:
        """Send one event, at the latest with the next pause."""
        self._unsent += self._framing.frame(event)
        if len(self._unsent) >= MOST_TOGETHER:
            await self._flush()

    async def _flush(self) -> None:
        if self._unsent:
            data, self._unsent = bytes(self._unsent), bytearray()
            await self._exchange.send(data)

    async def finish(self) -> None:
        """End the stream as the dialect ends it."""
        self._unsent += self._framing.end
        await self._end()

    async def _end(self) -> None:
        await self._flush()
        await self._exchange.finish()

    async def rest(self, seconds: float) -> None:
        """Wait, with the signs of life that the service gives meanwhile; not at all for no seconds."""
        if seconds <= 0:
            return
        await self._flush()
        while self._pace.keep_alive is not None and seconds > self._pace.keep_alive:
            if await self._stopped_within(self._pace.keep_alive):
                return
            await self._exchange.send(self._framing.keep_alive)
            seconds -= self._pace.keep_alive
        await self._stopped_within(seconds)

    async def _stopped_within(self, seconds: float) -> bool:
        with trio.move_on_after(seconds):
            await self.stopped.wait()
        return self.stopped.is_set()

    async def _misbehave(self, script: Script, step: Step) -> bool:
        """Do before this piece what is to be done; whether that was the end of the answer."""
        number, self._pieces = self._pieces, self._pieces + 1
        fault = self._fault
        if fault is None or number != fault.after:
            return False
        await self._flush()
        match fault.kind:
            case Kind.STALL:
                await self.stopped.wait()
            case Kind.EVENT:
                for event in script.failure(fault):
                    await self.send(event)
                await self._end()
            case Kind.END:
                await self._exchange.finish()
            case Kind.HALF_CHARACTER:
                whole = self._framing.frame(step.event)
                await self._exchange.send(whole[: len(whole) // 2] + "é".encode()[:1])
                await self._exchange.reset()
            case _:
                return await self._break(fault)
        return True

    async def _break(self, fault: Fault) -> bool:
        """Do it to the connection; whether that was the end of the answer."""
        connection = getattr(self._exchange, "connection", None)
        match fault.kind:
            case Kind.CUT:
                await self._exchange.reset()
            case Kind.ABORT if connection is not None:
                await connection.abort()
            case Kind.GOAWAY if isinstance(connection, Http2Connection):
                await connection.goaway()
                return False
            case _:
                return False
        return True
