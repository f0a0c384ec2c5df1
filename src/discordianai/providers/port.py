"""What a provider is to the rest of the bot: the events of an answer, and what a dialect is to a provider."""

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from discordianai.providers.json_values import Json
from discordianai.records import ChatRequest, Citations, FinishReason, Provider, RateLimits, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class SourceList:
    """All sources known so far; replaces the list before."""

    citations: Citations


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """The provider searches the web for this; a model wrote it."""

    query: str


@dataclass(frozen=True, slots=True)
class LimitsReport:
    """The provider's rate limits, from its headers; comes first."""

    limits: RateLimits


@dataclass(frozen=True, slots=True)
class FurtherRequest:
    """The question was refused in one form, and is sent again in another: one more request."""


@dataclass(frozen=True, slots=True)
class OutputBegan:
    """The model's output has begun with what is not shown, such as reasoning: it is paid for."""


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The tokens that the provider counted; once, near the end."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class End:
    """The answer is over; the last event, and exactly one."""

    reason: FinishReason


Event = (
    TextDelta
    | SourceList
    | SearchQuery
    | ToolCall
    | LimitsReport
    | FurtherRequest
    | OutputBegan
    | UsageReport
    | End
)
"""A `ToolCall` is complete."""


class ChatProvider(Protocol):
    """Streams answers."""

    @property
    def provider(self) -> Provider:
        """Who this is."""

    @property
    def model(self) -> str:
        """The model that is asked when a request names none."""

    def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """The events of an answer to `request` as the provider sends them, `End` last.

        The request is sent when the first one is asked for. Leaving early makes the provider stop. Iterating
        raises `ProviderError`; it is `TimedOut` if an answer that has begun is not complete by `deadline`, on
        trio's clock.
        """


class Decoder(Protocol):
    """Reads one answer of a dialect."""

    @property
    def ended(self) -> bool:
        """Whether the provider is done. What follows is ignored."""

    @property
    def begun(self) -> bool:
        """Whether anything of the answer has come: text, a call, or reasoning."""

    @property
    def run_id(self) -> str:
        """The id by which the run can be cancelled; empty where it is not known, or there is none."""

    def decode(self, data: str) -> Iterator[Event]:
        """The events in the data of one server-sent event; `End` is the last. Raises `ProviderError`."""

    def close(self) -> Iterator[Event]:
        """The stream is over: the last events, where the answer is complete without a further one."""

    def decode_whole(self, body: Json) -> Iterator[Event]:
        """The events of an answer that came as one JSON object. Raises `ProviderError`."""


class Codec(Protocol):
    """A dialect: encodes requests, and makes decoders for their answers."""

    @property
    def path(self) -> str:
        """Where to POST, relative to the base URL."""

    def encode(self, request: ChatRequest) -> Json:
        """The body of a request for a stream."""

    def decoder(self, request: ChatRequest, request_id: str) -> Decoder:
        """A decoder for the answer to `request`; `request_id` is the response's."""

    def cancel_path(self, run_id: str) -> str | None:
        """Where to POST to cancel a run that goes on when its stream is closed; None where none does."""
