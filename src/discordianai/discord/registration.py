"""Brings Discord's list of the bot's commands up to date with the catalogue."""

from collections.abc import Sequence
from typing import Any

import structlog
from interactions import (
    Client,
    ContextMenu,
    ContextType,
    IntegrationType,
    OptionType,
    SlashCommand,
    SlashCommandChoice,
    SlashCommandOption,
)
from interactions.client.const import GLOBAL_SCOPE
from interactions.models.discord.enums import CommandType
from interactions.models.internal.application_commands import sync_needed

from discordianai.discord.commands.command import Entry, Option, OptionKind

Declaration = dict[str, Any]
"""A command as Discord's API writes it."""

KINDS = {
    OptionKind.TEXT: OptionType.STRING,
    OptionKind.FLAG: OptionType.BOOLEAN,
    OptionKind.FILE: OptionType.ATTACHMENT,
}
EVERYWHERE: list[ContextType | int] = [
    ContextType.GUILD,
    ContextType.BOT_DM,
    ContextType.PRIVATE_CHANNEL,
]
BOTH_INSTALLS: list[IntegrationType | int] = [
    IntegrationType.GUILD_INSTALL,
    IntegrationType.USER_INSTALL,
]
"""In servers, direct messages, and wherever people take the bot along as an app of their own."""


def declaration(entry: Entry, scope: int = GLOBAL_SCOPE) -> Declaration:
    """A command of the catalogue as Discord wants it, for everybody or for one server."""
    made: SlashCommand | ContextMenu
    if entry.menu:
        made = ContextMenu(
            name=entry.name,
            type=CommandType.MESSAGE,
            contexts=EVERYWHERE,
            integration_types=BOTH_INSTALLS,
        )
    else:
        made = SlashCommand(
            name=entry.name,
            description=entry.description,
            options=[_option(option) for option in entry.options],
            contexts=EVERYWHERE,
            integration_types=BOTH_INSTALLS,
        )
    declared = dict(made.to_dict())
    if scope != GLOBAL_SCOPE:  # a server's commands are that server's: Discord takes neither there
        del declared["contexts"], declared["integration_types"]
    return declared


def _option(option: Option) -> SlashCommandOption:
    return SlashCommandOption(
        name=option.name,
        description=option.description,
        type=KINDS[option.kind],
        required=option.required,
        choices=[SlashCommandChoice(name=shown, value=meant) for shown, meant in option.choices],
        autocomplete=option.suggests,
        max_length=option.longest,
    )


async def synchronise(client: Client, guild_ids: Sequence[int], entries: Sequence[Entry]) -> None:
    """Write Discord's list of our commands where it differs from ours: an unchanged start writes nothing.

    The commands are those of the servers that are named, or of everybody.
    """
    log = structlog.get_logger("discordianai.discord.commands")
    for scope in guild_ids or [GLOBAL_SCOPE]:
        wanted = [declaration(entry, scope) for entry in entries]
        present: dict[tuple[str, int], Declaration] = {
            (command["name"], command["type"]): dict(command)
            for command in await client.http.get_application_commands(client.app.id, scope)
        }
        names = {(command["name"], command.get("type", 1)) for command in wanted}
        if names == present.keys() and not any(
            sync_needed(command, present[command["name"], command.get("type", 1)]) for command in wanted
        ):
            log.debug("commands are up to date", scope=int(scope))
            continue
        await client.http.overwrite_application_commands(client.app.id, wanted, scope)
        log.info("commands registered", scope=int(scope), commands=sorted(name for name, _ in names))
