"""Sends a scripted answer as a stream, with its fault.

Without a pause between two events they are sent together, as real services do under load.
"""

from dataclasses import dataclass

import trio

from discordianai.sandbox.http import ServerExchange
from discordianai.sandbox.http.http2_server import Http2Connection
from discordianai.sandbox.providers.provider_faults import Fault, FaultKind
from discordianai.sandbox.providers.scripted_stream import EventFraming, Json, Script, Step, StepDelay

MOST_TOGETHER = 16_384
"""Bytes of events that are sent at once."""


@dataclass(frozen=True, slots=True)
class StreamPace:
    """Seconds before the first token, between two tokens, and of silence before a keep-alive."""

    first: float
    between: float
    keep_alive: float | None = None

    def under(self, fault: Fault | None) -> "StreamPace":
        """The pace with this fault."""
        if fault is None or fault.kind is not FaultKind.SLOW or fault.seconds is None:
            return self
        return StreamPace(self.first, fault.seconds, self.keep_alive)


class StreamSender:
    """Sends one answer."""

    def __init__(
        self, exchange: ServerExchange, framing: EventFraming, pace: StreamPace, fault: Fault | None
    ) -> None:
        self.stopped = trio.Event()
        """Set it to stop. What is being sent is sent whole, as TLS requires."""
        self._exchange = exchange
        self._framing = framing
        self._pace = pace.under(fault)
        self._fault = fault
        self._pieces = 0
        self._unsent = bytearray()

    async def send_answer(self, script: Script, headers: list[tuple[str, str]]) -> bool:
        """Send the answer, or what the fault makes of it; return False if it was stopped."""
        await self._exchange.start(200, [("content-type", self._framing.content_type), *headers])
        for step in script.steps():
            if step.delay is StepDelay.FIRST:
                await self.wait(self._pace.first)
            elif step.delay is StepDelay.PIECE and await self._apply_fault(script, step):
                return not self.stopped.is_set()
            if self.stopped.is_set():
                await self._flush()
                return False
            await self.send(step.event)
            if step.delay is StepDelay.PIECE:
                await self.wait(self._pace.between)
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

    async def wait(self, seconds: float) -> None:
        """Wait, sending keep-alives; end early when stopped. Not at all for no seconds."""
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

    async def _apply_fault(self, script: Script, step: Step) -> bool:
        """Apply the fault if it is due before this piece; return whether that ends the answer."""
        number, self._pieces = self._pieces, self._pieces + 1
        fault = self._fault
        if fault is None or number != fault.after:
            return False
        await self._flush()
        match fault.kind:
            case FaultKind.STALL:
                await self.stopped.wait()
            case FaultKind.EVENT:
                for event in script.failure(fault):
                    await self.send(event)
                await self._end()
            case FaultKind.END:
                await self._exchange.finish()
            case FaultKind.HALF_CHARACTER:
                whole = self._framing.frame(step.event)
                await self._exchange.send(whole[: len(whole) // 2] + "é".encode()[:1])
                await self._exchange.reset()
            case _:
                return await self._break_connection(fault)
        return True

    async def _break_connection(self, fault: Fault) -> bool:
        """Apply a fault of the connection; return whether that ends the answer."""
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
