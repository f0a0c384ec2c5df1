"""Doubles of endpoints with OpenAI's chat completions, each with its own refusals and quirks."""

from collections.abc import Mapping

from discordianai.sandbox.providers.endpoints.endpoint_service import EndpointService
from discordianai.sandbox.providers.endpoints.family import Family
from discordianai.sandbox.providers.endpoints.hosted import HOSTED
from discordianai.sandbox.providers.endpoints.self_hosted import SELF_HOSTED

FAMILIES: Mapping[str, Family] = {family.name: family for family in (*SELF_HOSTED, *HOSTED)}
"""The kinds of endpoints that operators point the bot at, by name."""

__all__ = ["FAMILIES", "EndpointService", "Family"]
