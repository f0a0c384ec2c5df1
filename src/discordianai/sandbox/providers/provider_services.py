"""Runs the services, each on its own port."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerOptions, open_server
from discordianai.sandbox.providers.chat.foreign_service import ForeignService
from discordianai.sandbox.providers.endpoints import FAMILIES, EndpointService
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


@asynccontextmanager
async def open_endpoints(
    authority: Authority,
    names: Iterable[str],
    options: ServiceOptions | None = None,
    server: ServerOptions | None = None,
) -> AsyncIterator[Mapping[str, EndpointService]]:
    """Run the doubles of these families while the block runs. Raises `KeyError` for a name that is none."""
    services = {name: EndpointService(FAMILIES[name], options or ServiceOptions()) for name in names}
    async with AsyncExitStack() as stack:
        for service in services.values():
            service.server = await stack.enter_async_context(
                open_server(service.handle, authority=authority, options=server)
            )
            service.url = f"{service.server.url}{service.family.base_path}"
        yield services
