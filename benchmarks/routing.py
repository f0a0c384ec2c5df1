"""What it costs to let the model decide whether the web is needed: `make bench-routing`.

Time to the first words, over real sockets to the sandbox's services, whose models take 0.3 s to their first
token: Perplexity asked directly, and by way of a call of the `web_search` tool. Alternating, ten each.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from statistics import median

import httpx
import structlog
import trio
from pydantic import SecretStr

from discordianai.asking import Asked, Asking
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.routing import WEB_SEARCH, Inquiry, Router
from discordianai.live import Live
from discordianai.model import ChatRequest, Provider, Role, Turn, Usage
from discordianai.providers.events import TextDelta
from discordianai.providers.factory import make_provider
from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.providers import ProviderService, ServiceOptions, open_providers
from discordianai.settings.tables import Settings
from discordianai.tokens import TokenEstimator
from discordianai.transport import MultiplexedTransport

ROUNDS = 10
FIRST_TOKEN = 0.3


@asynccontextmanager
async def open_dispatcher(client: httpx.AsyncClient, service: ProviderService) -> AsyncIterator[Dispatcher]:
    """One that asks the sandbox's `service`, by the model or preset that the settings have for it."""
    settings, key = Settings(), SecretStr(service.options.api_key)
    options = replace(settings.provider(service.name), base_url=service.url, api_key=key, read_timeout=10)
    yield Dispatcher(
        make_provider(client, settings.record(service.name), options), Live(DispatcherOptions(slots=10))
    )


async def first_words(asking: Asking, *, search: bool) -> float:
    """Seconds until some."""
    question = (Turn(Role.USER, "what happened today?"),)

    def request(_provider: Provider, model: str) -> ChatRequest:
        return ChatRequest(model, question)

    began = trio.current_time()

    async def reserve(provider: Provider, model: str, most: Usage) -> None:
        """Money is no object."""

    asked = Asked(Inquiry(question[0].text, (), "here", search=search), request, reserve, began + 60, 1)
    async with aclosing(asking.events(asked)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                return trio.current_time() - began
    raise AssertionError("no answer")


async def measure() -> dict[str, list[float]]:
    """The seconds of each way."""
    authority = make_authority()
    seconds: dict[str, list[float]] = {"direct": [], "by the tool": []}
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    options = ServiceOptions(first_token=FIRST_TOKEN, requests_per_minute=10**6, perplexity_rates=())
    services = open_providers(authority, options)
    async with (
        services as sandbox,
        httpx.AsyncClient(transport=transport) as client,
        open_dispatcher(client, sandbox.openai) as first,
        open_dispatcher(client, sandbox.perplexity) as second,
    ):
        both = (first, second)
        asking = Asking({one.name: one for one in both}, Router([one.provider for one in both]))
        for _ in range(ROUNDS):
            seconds["direct"].append(await first_words(asking, search=True))
            seconds["by the tool"].append(await first_words(asking, search=False))
    return seconds


def main() -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    seconds = trio.run(measure)
    direct, by_tool = median(seconds["direct"]), median(seconds["by the tool"])
    tokens = TokenEstimator().estimate("any", ChatRequest("any", (), tools=(WEB_SEARCH,)).texts)
    print("| what | measured |\n| --- | --- |")
    print(f"| first words, Perplexity asked directly | {direct:.3f} s |")
    print(f"| first words, by way of the tool | {by_tool:.3f} s |")
    print(f"| the hop, beside the model's own {FIRST_TOKEN} s | {by_tool - direct - FIRST_TOKEN:.3f} s |")
    print(f"| tokens of the tool's definition, by our estimate | {tokens} |")


if __name__ == "__main__":
    main()
