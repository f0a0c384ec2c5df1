"""Where the commands are registered: the library's own client speaks to the local Discord."""

import logging
from collections.abc import AsyncIterator

import pytest
from interactions.api.http.route import Route

from discordianai.discord.commands.registration import synchronise
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.events.payload import Malformed
from discordianai.discord.gateway.http_client import ListenerHTTPClient
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.options import BotOptions
from discordianai.sandbox.discord import LocalDiscord, open_local_discord
from discordianai.sandbox.discord.api_objects import GUILD_ID
from tests.asyncio_loop import run_asyncio
from tests.discord.commands.builders import OFFER

ALL = {command.name for command in COMMANDS}
OWN_DATA = {"export", "forget", "reset"}
OTHER_GUILD = 78


@pytest.fixture
async def discord(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalDiscord]:
    async with open_local_discord() as discord:
        monkeypatch.setattr(Route, "BASE", discord.api_url)
        yield discord


async def start(discord: LocalDiscord, options: BotOptions) -> int:
    """Register as a bot with these options does when it starts; return how many lists were written."""

    async def main() -> None:
        logger = logging.getLogger("interactions")
        http = ListenerHTTPClient(ApplicationLimits(), logger=logger)
        await http.login(discord.options.token)
        application_id = int((await http.get_current_bot_information())["id"])
        try:
            await synchronise(http, application_id, options, OfferedCommands(COMMANDS, OFFER))
        finally:
            await http.close()

    before = discord.counters.commands_written
    await run_asyncio(main)
    return discord.counters.commands_written - before


def registered(discord: LocalDiscord, guild_id: int | None) -> set[str]:
    return set(discord.registered.get(guild_id, ()))


EVERYWHERE = BotOptions()
ONE_GUILD = BotOptions(guild_ids=(GUILD_ID,))


async def test_without_guild_ids_all_commands_are_global_and_a_second_start_writes_nothing(
    discord: LocalDiscord,
) -> None:
    """One list is enough, and Discord counts what is written to it."""
    assert await start(discord, EVERYWHERE) == 1
    assert registered(discord, None) == ALL
    assert await start(discord, EVERYWHERE) == 0


async def test_with_guild_ids_only_what_is_for_ones_own_data_is_global(discord: LocalDiscord) -> None:
    """Whatever was global before; each command is offered once there, and all of them in the server."""
    await start(discord, EVERYWHERE)
    await start(discord, ONE_GUILD)
    assert discord.offered(GUILD_ID) == ALL
    assert discord.offered(OTHER_GUILD) == discord.offered(None) == OWN_DATA
    assert discord.offered(GUILD_ID, guest=True) == OWN_DATA
    assert not registered(discord, None) & registered(discord, GUILD_ID)
    assert await start(discord, ONE_GUILD) == 0


@pytest.mark.parametrize(
    "later",
    [
        EVERYWHERE,
        BotOptions(guild_ids=(OTHER_GUILD,)),
        BotOptions(guild_ids=(GUILD_ID,), ignore_lists_outside_servers=True),
    ],
)
async def test_a_server_that_is_named_no_more_loses_its_list(
    discord: LocalDiscord, later: BotOptions
) -> None:
    """It would offer every command twice, or where nobody may use it."""
    await start(discord, ONE_GUILD)
    await start(discord, later)
    assert registered(discord, GUILD_ID) == set()
    everything_is_global = OTHER_GUILD not in later.guild_ids
    assert registered(discord, None) == (ALL if everything_is_global else OWN_DATA)
    assert await start(discord, later) == 0


async def test_a_list_that_fails_does_not_keep_the_others(discord: LocalDiscord) -> None:
    """A server in `guild_ids` that the bot is not in must not leave the global commands of before."""
    await start(discord, EVERYWHERE)
    discord.fail_next(f"guilds/{OTHER_GUILD}", 403)
    await start(discord, BotOptions(guild_ids=(OTHER_GUILD, GUILD_ID)))
    assert registered(discord, None) == OWN_DATA
    assert discord.offered(GUILD_ID) == ALL


@pytest.mark.parametrize("told", [None, 5, "x", [None], [{}], [{"name": "ask"}], [{"name": [], "type": 1}]])
async def test_a_list_that_is_none_is_a_named_error(
    discord: LocalDiscord, told: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end the task that registers commands without a word."""

    async def listed(*_: object) -> object:
        return told

    monkeypatch.setattr(ListenerHTTPClient, "get_application_commands", listed)
    with pytest.raises(Malformed):
        await start(discord, EVERYWHERE)
    monkeypatch.undo()
    monkeypatch.setattr(Route, "BASE", discord.api_url)
    monkeypatch.setattr(ListenerHTTPClient, "get_user_guilds", listed)
    with pytest.raises(Malformed):
        await start(discord, EVERYWHERE)
