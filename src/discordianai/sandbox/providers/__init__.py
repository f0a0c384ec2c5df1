"""Local services that speak like OpenAI, like Perplexity, and like a server of open models."""

from discordianai.sandbox.providers.options import Rate, ServiceOptions
from discordianai.sandbox.providers.perplexity.perplexity_service import PerplexityService
from discordianai.sandbox.providers.provider_faults import Fault
from discordianai.sandbox.providers.provider_service import ProviderService
from discordianai.sandbox.providers.provider_services import ProviderServices, open_providers

__all__ = [
    "Fault",
    "PerplexityService",
    "ProviderService",
    "ProviderServices",
    "Rate",
    "ServiceOptions",
    "open_providers",
]
