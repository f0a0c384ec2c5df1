"""Plays a script as a stream, or as much of it as its fault leaves."""

from dataclasses import dataclass

import trio

from discordianai.sandbox.http import ServerExchange
from discordianai.sandbox.http.http2_server import Http2Connection
from discordianai.sandbox.providers.provider_faults import Fault, FaultKind
from discordianai.sandbox.providers.scripted_stream import EventFraming, Json, Script, Step, StepDelay


@dataclass(frozen=True, slots=True)
class StreamPace:
    """Seconds: before the first token, between two, and of silence before a sign of life."""

    first: float
    between: float
    keep_alive: float | None = None

    def under(self, fault: Fault | None) -> "StreamPace":
        """The pace that this fault leaves."""
        if fault is None or fault.kind is not FaultKind.SLOW or fault.seconds is None:
            return self
        return StreamPace(self.first, fault.seconds, self.keep_alive)


class StreamSender:
    """Sends one answer."""

    def __init__(
        self, exchange: ServerExchange, framing: EventFraming, pace: StreamPace, fault: Fault | None
    ) -> None:
        self.stopped = trio.Event()
        """Once it is set, nothing more is played. What is being sent is sent whole: TLS demands it."""
        self._exchange = exchange
        self._framing = framing
        self._pace = pace.under(fault)
        self._fault = fault
        self._pieces = 0

    async def play(self, script: Script, headers: list[tuple[str, str]]) -> bool:
        """Send the answer, or what the fault leaves of it; whether that was its end."""
        await self._exchange.start(200, [("content-type", self._framing.content_type), *headers])
        for step in script.steps():
            if step.pause is StepDelay.FIRST:
                await self.rest(self._pace.first)
            elif step.pause is StepDelay.PIECE and await self._misbehave(script, step):
                return not self.stopped.is_set()
            if self.stopped.is_set():
                return False
            await self.send(step.event)
            if step.pause is StepDelay.PIECE:
                await self.rest(self._pace.between)
        await self.finish()
        return True

    async def send(self, event: Json) -> None:
        """Send one event."""
        await self._exchange.send(self._framing.frame(event))

    async def finish(self) -> None:
        """End the stream as the dialect ends it."""
        if self._framing.end:
            await self._exchange.send(self._framing.end)
        await self._exchange.finish()

    async def rest(self, seconds: float) -> None:
        """Wait, with the signs of life that the service gives meanwhile."""
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
        match fault.kind:
            case FaultKind.STALL:
                await self.stopped.wait()
            case FaultKind.EVENT:
                for event in script.failure(fault):
                    await self.send(event)
                await self._exchange.finish()
            case FaultKind.END:
                await self._exchange.finish()
            case FaultKind.HALF_CHARACTER:
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
            case FaultKind.CUT:
                await self._exchange.reset()
            case FaultKind.ABORT if connection is not None:
                await connection.abort()
            case FaultKind.GOAWAY if isinstance(connection, Http2Connection):
                await connection.goaway()
                return False
            case _:
                return False
        return True
