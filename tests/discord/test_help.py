"""What `/help` promises is there."""

from dataclasses import dataclass
from typing import cast

import pytest

from discordianai.discord.catalogue import entries
from discordianai.discord.decisions import Request
from discordianai.discord.errands import Services
from discordianai.discord.errands.figures import help_
from discordianai.settings import Settings

OPENAI = {"openai": {"api_key": "key"}}
LOCAL = {"local": {"base_url": "http://127.0.0.1/v1", "model": "m"}}


@dataclass
class Served:
    """The one of the services that help asks."""

    settings: Settings


@pytest.mark.parametrize("providers", [OPENAI, LOCAL, {**OPENAI, **LOCAL}])
async def test_help_names_only_commands_that_are_there(providers: dict[str, object]) -> None:
    """Without a choice of models there is no /model, without a provider that searches no /search."""
    settings = Settings.model_validate({"providers": providers})
    there = {entry.name for entry in entries(settings.configured, several_models=settings.several_models)}
    text = (await help_(cast("Request", None), cast("Services", Served(settings)))).text
    for name in ("model", "search"):
        assert (f"`/{name}`" in text) == (name in there)
