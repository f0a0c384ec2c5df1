"""Local services that speak like OpenAI and Perplexity."""

from discordianai.sandbox.providers.faults import Fault
from discordianai.sandbox.providers.service import ProviderService, ServiceOptions, open_providers

__all__ = ["Fault", "ProviderService", "ServiceOptions", "open_providers"]
