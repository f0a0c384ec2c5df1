"""The one way to a provider: as many requests at once as its pool has connections, and no more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio

from discordianai.model import ChatRequest, Chunk, ProviderName
from discordianai.providers.port import ChatProvider


class Dispatcher:
    """Lets requests through to `provider` while there is a slot; the others wait in the order they came.

    `slots` equals the pool's `max_connections`, so that nobody ever waits inside the pool.
    """

    def __init__(self, provider: ChatProvider, slots: int) -> None:
        self._provider = provider
        self._limiter = trio.CapacityLimiter(slots)

    @property
    def name(self) -> ProviderName:
        """Whose dispatcher this is."""
        return self._provider.name

    @property
    def model(self) -> str:
        """The model that answers unless a request names another."""
        return self._provider.model

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer's chunks, as they come. The slot is held until the block is left, however it is left.

        Raises the errors of `ChatProvider.stream`.
        """
        log = structlog.get_logger("discordianai.dispatch").bind(
            question=request.number, provider=self.name.value
        )
        async with self._limiter:
            log.debug(
                "slot taken",
                in_use=self._limiter.borrowed_tokens,
                slots=self._limiter.total_tokens,
                waiting=self._limiter.statistics().tasks_waiting,
            )
            async with self._provider.stream(request) as chunks:
                yield chunks
