"""What a provider is to the rest of the bot."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from discordianai.providers.events import Event
from discordianai.records import ChatRequest, Provider


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """How to reach a provider, and how it is to answer. Times are in seconds.

    `first_token_timeout` is how long it may be silent before the first piece of text, `read_timeout` how long
    between two pieces. `api_key` is None for an endpoint that wants none. `effort` and `verbosity` are left
    to the model where they are None. `max_answer_tokens` counts what a model thinks, too.
    """

    provider: Provider
    base_url: str
    api_key: SecretStr | None
    model: str
    read_timeout: float
    first_token_timeout: float = 120.0
    effort: str | None = None
    verbosity: str | None = None
    max_answer_tokens: int | None = None


class ChatProvider(Protocol):
    """Streams answers."""

    @property
    def provider(self) -> Provider:
        """Who this is."""

    @property
    def model(self) -> str:
        """The model that is asked when a request names none."""

    def stream(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Send `request` on entering; the events come as the provider sends them, `End` last.

        Leaving early makes the provider stop. Entering and iterating raise `ProviderError`.
        """
