"""Doubles of endpoints with OpenAI's chat completions, each with its own refusals and quirks."""

from discordianai.sandbox.providers.endpoints.endpoint_service import EndpointService
from discordianai.sandbox.providers.endpoints.families import FAMILIES
from discordianai.sandbox.providers.endpoints.family import Family

__all__ = ["FAMILIES", "EndpointService", "Family"]
