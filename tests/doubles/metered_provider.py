"""A provider that keeps its limits as the real ones do, for simulations on a clock that jumps."""

import math
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from discordianai.providers.errors import Overloaded, RateLimited
from discordianai.providers.options import provider
from discordianai.providers.port import End, Event, TextDelta, UsageReport
from discordianai.records import ChatRequest, Dialect, FinishReason, Usage
from tests.doubles.provider import sleep_before

LATENCY = 0.05
"""Seconds that a request may be on its way."""

QUESTION_TOKENS = 10
ANSWER_TOKENS = 500


class MeteredProvider:
    """Counts requests and tokens in any 60 seconds, and charges all tokens of a request when it admits it.

    An answer has `ANSWER_TOKENS`, up to `spread` (a part of it) more or less. A part of the requests fails,
    `failure_rate`, and all during `outages`, which are pairs of seconds. What is random comes from `chance`.
    """

    provider = provider("metered", "Metered", Dialect.CHAT)
    model = "metered"

    def __init__(
        self,
        chance: random.Random,
        *,
        requests: int,
        tokens: float = float("inf"),
        spread: float = 0.0,
        failure_rate: float = 0.0,
        outages: tuple[tuple[float, float], ...] = (),
    ) -> None:
        self._chance = chance
        self._requests = requests
        self._tokens = tokens
        self._spread = spread
        self._failure_rate = failure_rate
        self._outages = outages
        self._admitted: deque[tuple[float, int]] = deque()
        self._used = 0
        self.arrived: dict[int, float] = {}
        self.admitted = self.charged = self.refused = 0

    def last_minute(self) -> int:
        """Requests that were admitted in it."""
        self._forget_old()
        return len(self._admitted)

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """See `ChatProvider.stream`."""
        await trio.sleep(self._chance.uniform(0, LATENCY))
        self.arrived.setdefault(request.number, trio.current_time())
        answer = round(ANSWER_TOKENS * self._chance.uniform(1 - self._spread, 1 + self._spread))
        self._admit(QUESTION_TOKENS + answer)
        yield self._answer(answer, deadline, ill=self._is_ill())

    def _admit(self, tokens: int) -> None:
        self._forget_old()
        if len(self._admitted) >= self._requests or self._used + tokens > self._tokens:
            self.refused += 1
            raise RateLimited(self.provider, "429", 1.0)
        self._admitted.append((trio.current_time(), tokens))
        self._used += tokens
        self.admitted += 1
        self.charged += tokens

    def _forget_old(self) -> None:
        while self._admitted and self._admitted[0][0] <= trio.current_time() - 60:
            self._used -= self._admitted.popleft()[1]

    def _is_ill(self) -> bool:
        now = trio.current_time()
        out = any(begin <= now < end for begin, end in self._outages)
        return out or self._chance.random() < self._failure_rate

    async def _answer(self, tokens: int, deadline: float, *, ill: bool) -> AsyncIterator[Event]:
        await trio.sleep(self._chance.uniform(0.3, 1.0))
        if ill:
            raise Overloaded(self.provider, "500")
        yield TextDelta("a word")
        await sleep_before(deadline, self._chance.uniform(0.5, 6.0), self.provider)
        yield TextDelta(" more")
        yield UsageReport(Usage(QUESTION_TOKENS, tokens))
        yield End(FinishReason.STOP)
