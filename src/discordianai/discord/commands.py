"""The slash commands, one declaration each, and bringing Discord's list of them up to date."""

from collections.abc import Sequence
from typing import Any

import structlog
from interactions import Client, OptionType, SlashCommand, SlashCommandChoice, SlashCommandOption
from interactions.client.const import GLOBAL_SCOPE
from interactions.models.internal.application_commands import sync_needed

from discordianai.discord.gate import LONGEST_PROMPT
from discordianai.model import ProviderName

Declaration = dict[str, Any]
"""A command as Discord's API writes it."""


def declarations(guild_ids: Sequence[int]) -> dict[int, list[Declaration]]:
    """Every command for each scope: the servers that are named, or everywhere."""
    commands = [_ask().to_dict()]
    return dict.fromkeys(guild_ids or [GLOBAL_SCOPE], commands)


def _ask() -> SlashCommand:
    providers = [SlashCommandChoice(name=name.label, value=name.value) for name in ProviderName]
    return SlashCommand(
        name="ask",
        description="Ask me anything",
        options=[
            SlashCommandOption(
                name="prompt",
                description="Your question",
                type=OptionType.STRING,
                required=True,
                max_length=LONGEST_PROMPT,
            ),
            SlashCommandOption(
                name="provider",
                description="Who answers",
                type=OptionType.STRING,
                required=False,
                choices=[SlashCommandChoice(name="auto", value="auto"), *providers],
            ),
            SlashCommandOption(
                name="private",
                description="Only you see the answer",
                type=OptionType.BOOLEAN,
                required=False,
            ),
        ],
    )


async def synchronise(client: Client, guild_ids: Sequence[int]) -> None:
    """Write Discord's list of our commands where it differs from ours: an unchanged start writes nothing."""
    log = structlog.get_logger("discordianai.discord.commands")
    for scope, wanted in declarations(guild_ids).items():
        present: dict[str, Declaration] = {
            command["name"]: dict(command)
            for command in await client.http.get_application_commands(client.app.id, scope)
        }
        names = {command["name"] for command in wanted}
        if names == present.keys() and not any(sync_needed(c, present[c["name"]]) for c in wanted):
            log.debug("commands are up to date", scope=int(scope))
            continue
        await client.http.overwrite_application_commands(client.app.id, wanted, scope)
        log.info("commands registered", scope=int(scope), commands=sorted(names))
