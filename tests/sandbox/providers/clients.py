"""The official clients, asked in threads of their own, and what they receive checked against their types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import trio
from pydantic import BaseModel, ValidationError

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import ProviderService, ServiceOptions
from tests.lazy_module import LazyModule

if TYPE_CHECKING:
    import openai
    import perplexity
else:
    openai, perplexity = LazyModule("openai"), LazyModule("perplexity")

FAST = ServiceOptions(first_token=0.0, between_tokens=0.0, perplexity_rates=())

Received = TypeVar("Received")
AnyModel = TypeVar("AnyModel", bound=BaseModel)


def checked(received: AnyModel) -> AnyModel:
    """What a client received, which it builds without a look at its types; raises where one is not kept."""
    said = received.model_dump_json(exclude_unset=True, warnings=False)
    type(received).model_validate_json(said, strict=True)
    return received


async def until(true: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    with trio.fail_after(10):
        while not true():  # noqa: ASYNC110  # a service tells nobody when its counts change
            await trio.sleep(0.005)


def strange(events: Sequence[BaseModel]) -> list[dict[str, Any]]:
    """The events that break their types."""
    found = []
    for event in events:
        try:
            checked(event)
        except ValidationError:
            found.append(event.model_dump(exclude_unset=True, warnings=False))
    return found


async def with_openai(
    service: ProviderService, authority: Authority, use: Callable[[openai.OpenAI], Received]
) -> Received:
    """What `use` returns of OpenAI's client."""

    def run() -> Received:
        http = openai.DefaultHttpxClient(verify=authority.client_context())
        key = service.options.api_key
        with openai.OpenAI(base_url=service.url, api_key=key, http_client=http, max_retries=0) as client:
            return use(client)

    return await trio.to_thread.run_sync(run)


async def with_perplexity(
    service: ProviderService, authority: Authority, use: Callable[[perplexity.Perplexity], Received]
) -> Received:
    """What `use` returns of Perplexity's client."""

    def run() -> Received:
        http = perplexity.DefaultHttpxClient(verify=authority.client_context())
        key = service.options.api_key
        with perplexity.Perplexity(
            base_url=service.url, api_key=key, http_client=http, max_retries=0
        ) as client:
            return use(client)

    return await trio.to_thread.run_sync(run)
