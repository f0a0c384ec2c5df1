"""Local services that speak like OpenAI, like Perplexity, and like a server of open models."""

from discordianai.sandbox.providers.faults import Fault
from discordianai.sandbox.providers.opening import ProviderServices, open_providers
from discordianai.sandbox.providers.options import Rate, ServiceOptions
from discordianai.sandbox.providers.perplexity.service import PerplexityService
from discordianai.sandbox.providers.service import ProviderService

__all__ = [
    "Fault",
    "PerplexityService",
    "ProviderService",
    "ProviderServices",
    "Rate",
    "ServiceOptions",
    "open_providers",
]
