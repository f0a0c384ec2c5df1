"""What a provider is to the rest of the bot."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from discordianai.model import ChatRequest, Chunk, ProviderName


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """How to reach a provider. Times are in seconds.

    `first_token_timeout` is how long it may be silent before the first piece of text, `read_timeout` how long
    between two pieces.
    """

    name: ProviderName
    base_url: str
    api_key: SecretStr
    model: str
    read_timeout: float
    first_token_timeout: float = 120.0
    reasoning_effort: str | None = None
    max_answer_tokens: int | None = None


class ChatProvider(Protocol):
    """Streams answers."""

    @property
    def name(self) -> ProviderName:
        """Which provider this is."""

    @property
    def model(self) -> str:
        """The model that is asked when a request names none."""

    def stream(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """Send `request` on entering; the chunks come as the provider sends them.

        Leaving early makes the provider stop. Entering and iterating raise `ProviderError`.
        """
