"""A provider that answers what a test tells it to."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import trio

from discordianai.providers.errors import ProviderError, TimedOut
from discordianai.providers.options import provider
from discordianai.providers.port import End, Event, TextDelta, UsageReport
from discordianai.records import ChatRequest, Dialect, FinishReason, Provider, Usage

Step = str | float | Event | ProviderError
"""A piece of text, seconds to wait, an event, or an error to end with."""

OPENAI = provider("openai", "OpenAI", Dialect.RESPONSES)


class FakeProvider:
    """Answers each request with the next script, and the last one again and again.

    `requests` has what was asked; `in_flight`, `most_in_flight` and `left_early` count what became of it.
    """

    def __init__(self, *scripts: Sequence[Step], provider: Provider = OPENAI, model: str = "fake") -> None:
        self.provider = provider
        self.model = model
        self.requests: list[ChatRequest] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.left_early = 0
        self._scripts = list(scripts) or [["a fake answer"]]

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """See `ChatProvider.stream`."""
        self.requests.append(request)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        finished = False

        async def chunks() -> AsyncGenerator[Event, None]:
            nonlocal finished
            for step in script:
                await sleep_before(deadline, step if isinstance(step, float) else 0, self.provider)
                if isinstance(step, ProviderError):
                    raise step
                if isinstance(step, str):
                    yield TextDelta(step)
                elif not isinstance(step, float):
                    yield step
            finished = True
            if not any(isinstance(step, End) for step in script):
                yield UsageReport(Usage(10, 20))
                yield End(FinishReason.STOP)

        try:
            async with aclosing(chunks()) as stream:
                yield stream
        finally:
            self.in_flight -= 1
            self.left_early += not finished


async def sleep_before(deadline: float, seconds: float, provider: Provider) -> None:
    """Sleep so long. Raises `TimedOut` at `deadline`, on trio's clock."""
    await trio.sleep_until(min(trio.current_time() + seconds, deadline))
    if trio.current_time() >= deadline:
        raise TimedOut(provider, "the answer was not complete")
