"""What one question has reserved of its daily limits."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack

from discordianai.answering.answer import AnswerSoFar


class Reservations(AsyncExitStack):
    """Held until the block is left; that of a request which was answered with nothing, until the next one.

    Such a request costs nothing: a provider that fails must not take the room of the one that stands in.
    """

    def __init__(self, answer: AnswerSoFar) -> None:
        super().__init__()
        self._answer = answer
        self._heard = 0
        self._last = AsyncExitStack()

    async def hold(self, held: AbstractAsyncContextManager[None]) -> None:
        """Reserve for the next request. Raises what `held` does."""
        heard = len(self._answer.spent)
        if heard == self._heard:
            await self._last.aclose()
        self._heard, self._last = heard, await self.enter_async_context(AsyncExitStack())
        await self._last.enter_async_context(held)
