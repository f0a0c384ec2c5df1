"""Local services that imitate OpenAI, Perplexity, and a server of open models."""

from discordianai.sandbox.providers.perplexity.perplexity_service import PerplexityService
from discordianai.sandbox.providers.provider_faults import Fault
from discordianai.sandbox.providers.provider_service import ProviderService, ServiceOptions
from discordianai.sandbox.providers.provider_services import ProviderServices, open_providers
from discordianai.sandbox.providers.request_budget import Rate

__all__ = [
    "Fault",
    "PerplexityService",
    "ProviderService",
    "ProviderServices",
    "Rate",
    "ServiceOptions",
    "open_providers",
]
