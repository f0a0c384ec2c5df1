"""Asks a model whether a question needs the live web, for a limited time.

If there is no decision in time, or its provider has no slot or budget for it at once, the rules decide.
"""

import math
from dataclasses import replace
from typing import Protocol

import structlog
import trio

from discordianai.dispatch.attempt import asked_pause
from discordianai.dispatch.dispatcher import Dispatcher
from discordianai.dispatch.refusals import DeadlinePassed
from discordianai.providers.decisions import WebDecision, judged
from discordianai.providers.errors import EndpointNotFound, ProviderError, TimedOut
from discordianai.records import ChatRequest, Provider, Usage

TIMEOUT = 2.0
"""Seconds for a decision: it is one short answer, and the person sees nothing meanwhile."""

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
    """Asks `decides` as long as it works, when `dispatcher`, its provider's, has room for it."""

    def __init__(self, decides: Decides, dispatcher: Dispatcher) -> None:
        self.provider, self.model = decides.provider, decides.model
        self._decides = decides
        self._dispatcher = dispatcher
        self._paused_until = 0.0
        self._log = structlog.get_logger("discordianai.answering.web_decisions").bind(
            provider=self.provider.name
        )

    def expected(self, request: ChatRequest) -> Usage:
        """About what a decision takes."""
        return replace(self._dispatcher.expected(judged(request)), output_tokens=1)

    async def on(self, request: ChatRequest, deadline: float) -> WebDecision | None:
        """The decision; None if it is not asked for, or refused."""
        if trio.current_time() < self._paused_until:
            return None
        try:
            return await self._ask(request, min(trio.current_time() + TIMEOUT, deadline))
        except (DeadlinePassed, TimedOut) as error:
            self._pause(error, PAUSE)
            return WebDecision(None)
        except EndpointNotFound as error:
            self._pause(error, math.inf)
        except ProviderError as error:
            self._pause(error, max(asked_pause(error) or 0.0, PAUSE))
        return None

    async def _ask(self, request: ChatRequest, deadline: float) -> WebDecision | None:
        """Raises `ProviderError`, `DeadlinePassed` among them."""
        with self._dispatcher.at_once(request, self.expected(request)) as attempt:
            if attempt is None:
                self._log.debug("rules decide about the web: no slot or budget", question=request.number)
                return None
            with trio.move_on_at(deadline):
                decision = await self._decides.decide(request)
                attempt.succeed_without_stream(decision.usage)
                return decision
            raise DeadlinePassed(self.provider, "no decision in time")

    def _pause(self, error: ProviderError, seconds: float) -> None:
        self._paused_until = trio.current_time() + seconds
        self._log.warning("rules decide about the web for now", reason=error.for_log)
