"""Local services that imitate OpenAI, Perplexity, a server of open models, and endpoints of many kinds."""

from discordianai.sandbox.providers.endpoints import FAMILIES, EndpointService, Family
from discordianai.sandbox.providers.perplexity.perplexity_service import PerplexityService
from discordianai.sandbox.providers.provider_faults import Fault
from discordianai.sandbox.providers.provider_service import ProviderService, ServiceOptions
from discordianai.sandbox.providers.provider_services import (
    ProviderServices,
    open_endpoints,
    open_providers,
)
from discordianai.sandbox.providers.request_budget import Rate

__all__ = [
    "FAMILIES",
    "EndpointService",
    "Family",
    "Fault",
    "PerplexityService",
    "ProviderService",
    "ProviderServices",
    "Rate",
    "ServiceOptions",
    "open_endpoints",
    "open_providers",
]
