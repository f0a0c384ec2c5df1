"""Registers the bot's commands with Discord, where its list of them differs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import structlog
from interactions import (
    ContextMenu,
    ContextType,
    IntegrationType,
    OptionType,
    SlashCommand,
    SlashCommandChoice,
    SlashCommandOption,
)
from interactions.api.http.http_client import HTTPClient
from interactions.client.const import GLOBAL_SCOPE
from interactions.client.errors import Forbidden, HTTPException, NotFound
from interactions.models.discord.enums import CommandType
from interactions.models.internal.application_commands import sync_needed

from discordianai.discord.commands.command import Command
from discordianai.discord.commands.declaration import CommandKind, Offer, Option, OptionKind
from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.events.payload import Malformed, snowflake
from discordianai.discord.options import BotOptions

MOST_GUILDS = 100
"""Servers that are searched for commands of earlier starts; Discord lists up to 200 at once."""

CommandJson = dict[str, Any]
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
"""In servers, in direct messages, and wherever people use the bot as an app of their own."""


def declaration(command: Command, offer: Offer, scope: int = GLOBAL_SCOPE) -> CommandJson:
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


async def synchronise(
    http: HTTPClient, application_id: int, options: BotOptions, offered: OfferedCommands
) -> None:
    """Make Discord's lists of our commands what they should be: an unchanged start writes nothing.

    If one list fails, the others are still updated. Raises what the library does, or `Malformed`, if none can
    be read.
    """
    await _Registration(http, application_id, options, offered).synchronise()


@contextmanager
def _readable() -> Iterator[None]:
    """Raises `Malformed` where a list of Discord's is none, or something else is in it."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Malformed("a list cannot be read") from None


class _Registration:
    """Each server has a list, and there is a global one, which counts everywhere.

    By default all commands are in that. With `guild_ids` they are in the lists of these servers, so that
    nobody else is offered them, and only what people do with their own data stays global. Where
    `ignore_lists_outside_servers` lets people ask in direct messages all the same, everything is global.
    """

    def __init__(
        self, http: HTTPClient, application_id: int, options: BotOptions, offered: OfferedCommands
    ) -> None:
        self._http = http
        self._application_id = application_id
        self._offered = offered
        self._guild_ids = () if options.ignore_lists_outside_servers else options.guild_ids
        self._log = structlog.get_logger("discordianai.discord.commands.registration")

    async def synchronise(self) -> None:
        """The global list comes last: as long as it differs, other servers may have lists of earlier days."""
        if not self._guild_ids and not await self._differs(GLOBAL_SCOPE):
            self._log.debug("commands are up to date")
            return
        others = await self._other_guild_ids()
        for scope in (*self._guild_ids, *others, GLOBAL_SCOPE):
            try:
                await self._update(scope)
            except (HTTPException, Malformed, aiohttp.ClientError, OSError) as error:
                # Where the bot may have no commands, it may not look for them.
                nothing_there = scope in others and isinstance(error, Forbidden | NotFound)
                level = logging.DEBUG if nothing_there else logging.ERROR
                reason = type(error).__name__
                self._log.log(level, "commands could not be registered", scope=int(scope), reason=reason)

    async def _other_guild_ids(self) -> tuple[int, ...]:
        """The first servers of the bot that should have no list according to the settings."""
        told = await self._http.get_user_guilds()
        with _readable():
            ids = [snowflake(guild, "id") for guild in told[:MOST_GUILDS]]
        return tuple(guild_id for guild_id in ids if guild_id not in self._guild_ids)

    def _wanted(self, scope: int) -> list[CommandJson]:
        if scope == GLOBAL_SCOPE:
            commands = [c for c in self._offered.commands if c.own_data or not self._guild_ids]
        else:
            commands = [c for c in self._offered.commands if scope in self._guild_ids and not c.own_data]
        return [declaration(command, self._offered.offer, scope) for command in commands]

    async def _differs(self, scope: int) -> bool:
        wanted = {(command["name"], command.get("type", 1)): command for command in self._wanted(scope)}
        told = await self._http.get_application_commands(self._application_id, scope)
        with _readable():
            present: dict[tuple[str, int], CommandJson] = {
                (command["name"], command["type"]): dict(command) for command in told
            }
            return wanted.keys() != present.keys() or any(
                sync_needed(command, present[key]) for key, command in wanted.items()
            )

    async def _update(self, scope: int) -> None:
        if not await self._differs(scope):
            self._log.debug("commands are up to date", scope=int(scope))
            return
        wanted = self._wanted(scope)
        await self._http.overwrite_application_commands(self._application_id, wanted, scope)
        names = sorted(command["name"] for command in wanted)
        self._log.info("commands registered", scope=int(scope), commands=names)
