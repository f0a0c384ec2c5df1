"""Asks a model whether a question needs the live web, for a limited time.

If there is no decision in time, the rules decide.
"""

from typing import Protocol

import structlog
import trio

from discordianai.dispatch.attempt import asked_pause
from discordianai.providers.decisions import WebDecision
from discordianai.providers.errors import EndpointNotFound, ProviderError
from discordianai.records import ChatRequest, Provider

TIMEOUT = 2.0
"""Seconds for a decision: it is one short answer, and the person sees nothing meanwhile."""

MOST_AT_ONCE = 8
"""Decisions in flight at most; they share the provider's pool with the answers."""

PAUSE = 30.0
"""Seconds without decisions after one that failed, unless the provider asks for more."""

PROBABLE = 0.5


class Decides(Protocol):
    """A provider that decides."""

    provider: Provider
    model: str

    async def decide(self, request: ChatRequest) -> WebDecision:
        """Whether the last turn needs the live web. Raises `ProviderError`."""


class WebDecisions:
    """Asks `decides` as long as it works."""

    def __init__(self, decides: Decides) -> None:
        self.provider, self.model = decides.provider, decides.model
        self._decides = decides
        self._limiter = trio.CapacityLimiter(MOST_AT_ONCE)
        self._paused_until = 0.0
        self._log = structlog.get_logger("discordianai.answering").bind(provider=self.provider.name)

    async def on(self, request: ChatRequest, deadline: float) -> WebDecision | None:
        """The decision; None if there is none in time, or it is not asked for."""
        now = trio.current_time()
        if now < self._paused_until:
            return None
        try:
            with trio.move_on_at(min(now + TIMEOUT, deadline)):
                async with self._limiter:
                    return await self._decides.decide(request)
            reason, pause = "no decision in time", PAUSE
        except EndpointNotFound as error:
            reason, pause = error.for_log, float("inf")
        except ProviderError as error:
            reason, pause = error.for_log, max(asked_pause(error) or 0.0, PAUSE)
        self._paused_until = trio.current_time() + pause
        self._log.warning("rules decide about the web for now", reason=reason)
        return None
