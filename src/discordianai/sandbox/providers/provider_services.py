"""Runs the three services, each on its own port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerOptions, open_server
from discordianai.sandbox.providers.chat.foreign_service import ForeignService
from discordianai.sandbox.providers.openai.openai_service import OpenAIService
from discordianai.sandbox.providers.perplexity.perplexity_service import PerplexityService
from discordianai.sandbox.providers.provider_service import ServiceOptions


@dataclass(frozen=True, slots=True)
class ProviderServices:
    """The running services."""

    openai: OpenAIService
    perplexity: PerplexityService
    foreign: ForeignService


@asynccontextmanager
async def open_providers(
    authority: Authority, options: ServiceOptions | None = None, server: ServerOptions | None = None
) -> AsyncIterator[ProviderServices]:
    """Run every service while the block runs."""
    options = options or ServiceOptions()
    services = ProviderServices(OpenAIService(options), PerplexityService(options), ForeignService(options))
    async with (
        open_server(services.openai.handle, authority=authority, options=server) as first,
        open_server(services.perplexity.handle, authority=authority, options=server) as second,
        open_server(services.foreign.handle, authority=authority, options=server) as third,
    ):
        services.openai.server, services.openai.url = first, f"{first.url}/v1"
        services.perplexity.server, services.perplexity.url = second, second.url
        services.foreign.server, services.foreign.url = third, f"{third.url}/v1"
        yield services
