"""What a dialect is: how a question becomes a body, and how what comes back becomes events."""

from collections.abc import Iterator
from typing import Protocol

from discordianai.providers.events import Event
from discordianai.providers.json_values import Json
from discordianai.records import ChatRequest


class Decoder(Protocol):
    """Reads one answer."""

    @property
    def ended(self) -> bool:
        """Whether the provider is done. What follows is of no interest."""

    @property
    def run_id(self) -> str:
        """By which the provider can be told to stop; empty where it is not known, or there is none."""

    def decode(self, data: str) -> Iterator[Event]:
        """What the data of one event says; nothing comes behind an `End`. Raises `ProviderError`."""

    def close(self) -> Iterator[Event]:
        """The stream is over: what there is to say where it needed no further event to be complete."""

    def decode_whole(self, body: Json) -> Iterator[Event]:
        """What an answer says that came in one piece. Raises `ProviderError`."""


class Codec(Protocol):
    """Encodes requests of one dialect, and makes decoders of its answers."""

    @property
    def path(self) -> str:
        """Where to post, behind the base URL."""

    def encode(self, request: ChatRequest) -> Json:
        """The body that asks for a stream."""

    def decoder(self, request: ChatRequest, request_id: str) -> Decoder:
        """For the answer to `request`, whose response named this id."""

    def cancel_path(self, run_id: str) -> str | None:
        """Where to post for stopping a run that goes on when its stream is closed; None where none does."""
