"""Registers the bot's commands with Discord, where its list of them differs."""

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

from discordianai.discord.commands.command import Command
from discordianai.discord.commands.declaration import CommandKind, Offer, Option, OptionKind
from discordianai.discord.commands.registry import OfferedCommands

Declaration = dict[str, Any]
"""A command as Discord's API writes it."""

KINDS = {
    OptionKind.STRING: OptionType.STRING,
    OptionKind.BOOLEAN: OptionType.BOOLEAN,
    OptionKind.ATTACHMENT: OptionType.ATTACHMENT,
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


def declaration(command: Command, offer: Offer, scope: int = GLOBAL_SCOPE) -> Declaration:
    """A command as Discord wants it, for everybody or for one server."""
    made: SlashCommand | ContextMenu
    if command.kind is CommandKind.MESSAGE:
        made = ContextMenu(
            name=command.name,
            type=CommandType.MESSAGE,
            contexts=EVERYWHERE,
            integration_types=BOTH_INSTALLS,
        )
    else:
        made = SlashCommand(
            name=command.name,
            description=command.description,
            options=[_option(option, offer) for option in command.options if option.available(offer)],
            contexts=EVERYWHERE,
            integration_types=BOTH_INSTALLS,
        )
    declared = dict(made.to_dict())
    if scope != GLOBAL_SCOPE:  # a server's commands are that server's: Discord takes neither there
        del declared["contexts"], declared["integration_types"]
    return declared


def _option(option: Option, offer: Offer) -> SlashCommandOption:
    choices = option.choices(offer) if option.choices else ()
    return SlashCommandOption(
        name=option.name,
        description=option.description,
        type=KINDS[option.kind],
        required=option.required,
        choices=[SlashCommandChoice(name=shown, value=sent) for shown, sent in choices],
        autocomplete=option.autocomplete is not None,
        max_length=option.max_length,
    )


async def synchronise(client: Client, guild_ids: Sequence[int], offered: OfferedCommands) -> None:
    """Write Discord's list of our commands where it differs from ours: an unchanged start writes nothing.

    The commands are those of the servers that are named, or of everybody.
    """
    log = structlog.get_logger("discordianai.discord.commands")
    for scope in guild_ids or [GLOBAL_SCOPE]:
        wanted = [declaration(command, offered.offer, scope) for command in offered.commands]
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
