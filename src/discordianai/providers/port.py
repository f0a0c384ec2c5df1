"""What a provider is to the rest of the bot."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from discordianai.model import ChatRequest, Provider
from discordianai.providers.events import Event


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
