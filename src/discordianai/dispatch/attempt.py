"""One request to a provider: what has come of it so far, and what it leaves to be counted."""

import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch.budget import Budget
from discordianai.dispatch.estimate import TokenEstimate
from discordianai.dispatch.fair_line import Place
from discordianai.dispatch.statistics import Outcome, Tally, outcome_of
from discordianai.model import ChatRequest, Chunk
from discordianai.providers.errors import ProviderError, RateLimited


class Attempt:
    """Begins when it is made; `close` must follow, whatever happens."""

    def __init__(
        self,
        budget: Budget,
        estimate: TokenEstimate,
        tally: Tally,
        place: Place,
        request: ChatRequest,
        log: FilteringBoundLogger,
    ) -> None:
        self._budget = budget
        self._estimate = estimate
        self._tally = tally
        self._place = place
        self._request = request
        self._log = log
        self._began = trio.current_time()
        self._texts: list[str] = []
        self._heard = self._settled = False
        self._outcome = Outcome.STOPPED

    def see(self, chunk: Chunk) -> bool:
        """Learn from a chunk; whether it says something to others, too."""
        if chunk.limits is not None:
            self._budget.believe(chunk.limits, trio.current_time())
            return False
        if not self._heard:
            self._heard = True
            seconds = trio.current_time() - self._began
            self._tally.first_chunk.note(seconds)
            self._log.debug("first words", seconds=round(seconds, 3))
        if chunk.text:
            self._texts.append(chunk.text)
        if chunk.usage is not None:
            self._estimate.learn(self._request, chunk.usage)
            self._tally.used(self._request.model, chunk.usage)
            self._settle(chunk.usage.input_tokens + chunk.usage.output_tokens)
        return True

    def end(self) -> None:
        """The answer came whole."""
        self._outcome = Outcome.ANSWERED
        seconds = trio.current_time() - self._began
        self._tally.last_chunk.note(seconds)
        self._log.debug("complete", seconds=round(seconds, 3))

    def fail(self, error: Exception) -> None:
        """It did not come, or not whole."""
        if not isinstance(error, ProviderError):
            self._outcome = Outcome.FAILED
            return
        self._outcome = Outcome.CUT if self._texts else outcome_of(error)
        if isinstance(error, RateLimited):
            self._settle(0)
        self._log.debug("failed", reason=error.for_log)

    def close(self) -> None:
        """It is over; one that has neither ended nor failed was stopped."""
        try:
            self._settle()
        finally:
            self._tally.ended(self._request.model, self._outcome)

    def _settle(self, tokens: float | None = None) -> None:
        """So many tokens it took; None where the provider has not said.

        It charges when it admits a request, so that one that was left early costs what was expected of it.
        """
        if self._settled or self._place.spending is None:
            return
        self._settled = True
        if tokens is None:
            came = self._estimate.of_text(self._request, "".join(self._texts))
            tokens = max(self._place.tokens, self._estimate.of_question(self._request) + came)
        self._budget.settle(self._place.spending, tokens, trio.current_time())
