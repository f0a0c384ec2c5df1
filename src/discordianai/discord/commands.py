"""The slash commands, one declaration each, and bringing Discord's list of them up to date."""

from collections.abc import Collection, Sequence
from typing import Any

import structlog
from interactions import Client, OptionType, SlashCommand, SlashCommandChoice, SlashCommandOption
from interactions.client.const import GLOBAL_SCOPE
from interactions.models.internal.application_commands import sync_needed

from discordianai.discord.gate import LONGEST_PROMPT
from discordianai.model import ProviderName

Declaration = dict[str, Any]
"""A command as Discord's API writes it."""


def declarations(
    guild_ids: Sequence[int], providers: Collection[ProviderName]
) -> dict[int, list[Declaration]]:
    """Every command that these providers can answer, for each scope: the servers named, or everywhere."""
    commands = [_ask(providers)]
    if ProviderName.PERPLEXITY in providers:
        commands.append(_search())
    return {scope: [command.to_dict() for command in commands] for scope in guild_ids or [GLOBAL_SCOPE]}


def _ask(providers: Collection[ProviderName]) -> SlashCommand:
    choices = [SlashCommandChoice(name=name.label, value=name.value) for name in providers]
    return SlashCommand(
        name="ask",
        description="Ask me anything",
        options=[
            _text("prompt", "Your question"),
            SlashCommandOption(
                name="provider",
                description="Who answers",
                type=OptionType.STRING,
                required=False,
                choices=[SlashCommandChoice(name="auto", value="auto"), *choices],
            ),
            _private(),
        ],
    )


def _search() -> SlashCommand:
    return SlashCommand(
        name="search",
        description="Search the web, with sources",
        options=[_text("query", "What to search for"), _private()],
    )


def _text(name: str, description: str) -> SlashCommandOption:
    return SlashCommandOption(
        name=name,
        description=description,
        type=OptionType.STRING,
        required=True,
        max_length=LONGEST_PROMPT,
    )


def _private() -> SlashCommandOption:
    return SlashCommandOption(
        name="private", description="Only you see the answer", type=OptionType.BOOLEAN, required=False
    )


async def synchronise(client: Client, guild_ids: Sequence[int], providers: Collection[ProviderName]) -> None:
    """Write Discord's list of our commands where it differs from ours: an unchanged start writes nothing."""
    log = structlog.get_logger("discordianai.discord.commands")
    for scope, wanted in declarations(guild_ids, providers).items():
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
