"""The local Discord's bot may be in any number of guilds, which are described only while they are sent."""

import asyncio
import json
from functools import partial
from itertools import chain

import httpx
import pytest

from discordianai.discord.events.guild_cache import GuildCache
from discordianai.sandbox.discord import DiscordOptions, open_local_discord
from discordianai.sandbox.discord.api_objects import CATEGORY, GUILD_ID
from discordianai.sandbox.discord.generated_guilds import GeneratedGuilds
from discordianai.sandbox.discord.shard import SandboxShard
from tests.sandbox.discord.plain_client import connected, identified, on_asyncio, on_trio

MANY = GeneratedGuilds(1000, 25)


def test_each_guild_is_on_one_shard_and_each_channel_in_one_guild() -> None:
    """No id comes twice."""
    by_shard = [list(MANY.ids(SandboxShard(number, 7))) for number in range(7)]
    assert sorted(chain.from_iterable(by_shard)) == list(MANY.ids(SandboxShard()))
    assert all(SandboxShard(number, 7).serves(guild) for number, ids in enumerate(by_shard) for guild in ids)
    channels = {MANY.channel(guild, index).id for guild in MANY.ids(SandboxShard()) for index in range(25)}
    assert len(channels | set(MANY.ids(SandboxShard()))) == 26_000


def test_a_channel_is_found_by_its_id() -> None:
    """With its category; what is none of theirs is not."""
    guild = list(MANY.ids(SandboxShard()))[999]
    assert MANY.find_channel(MANY.channel(guild, 24).id) == MANY.channel(guild, 24)
    assert MANY.channel(guild, 24).parent_id == MANY.channel(guild, 20).id
    assert MANY.channel(guild, 20).kind == CATEGORY
    for unknown in (0, guild, GUILD_ID, GUILD_ID + 1, MANY.channel(guild + (1 << 22), 3).id, 2**63 - 1):
        assert MANY.find_channel(unknown) is None


def test_a_guild_is_the_same_each_time() -> None:
    """And as large as real ones are: some kilobytes, with overwrites that its channels share."""
    guild = next(MANY.ids(SandboxShard()))
    described = MANY.json(guild)
    assert described == MANY.json(guild)
    assert 10_000 < len(json.dumps(described)) < 30_000
    overwrites = [json.dumps(channel["permission_overwrites"]) for channel in described["channels"]]
    assert 1 < len(set(overwrites)) < len(overwrites)
    known = GuildCache()
    known.hear("GUILD_CREATE", described)
    assert len(known) == 25


@pytest.mark.slow
async def test_an_event_goes_before_guilds_that_are_not_sent_yet() -> None:
    """And whoever resumes meanwhile gets every guild."""
    options = DiscordOptions(identify_interval=0.0, more_guilds=2000)
    async with open_local_discord(options) as discord:

        async def ask() -> tuple[int, int, int]:
            async with connected(discord.gateway_url) as client:
                guilds = {guild["id"] for guild in (await client.identify([0, 1]))["d"]["guilds"]}
                sent, last, before = set[str](), 0, 0
                while not before:
                    if len(sent) == 5:
                        on_trio(discord.permissions_changed)
                    event = await client.next()
                    last = event["s"]
                    if event["t"] == "GUILD_CREATE":
                        sent.add(event["d"]["id"])
                    else:
                        before = len(sent)
                await client.close(4000)
                await asyncio.sleep(0.1)
            async with connected(client.resume_url) as again:
                resume = {"token": "sandbox-token", "session_id": client.session_id, "seq": last}
                event = await again.ask(6, resume)
                while event is not None:
                    if event["t"] == "GUILD_CREATE":
                        sent.add(event["d"]["id"])
                    event = await again.next()
            return len(guilds), before, len(guilds - sent)

        named, before, unsent = await on_asyncio(ask)
    assert named == 2001
    assert before < 1900
    assert unsent == 0


async def test_the_bots_guilds_are_listed_by_the_page() -> None:
    """REST has at most 200 on each."""
    async with (
        open_local_discord(DiscordOptions(more_guilds=250)) as discord,
        httpx.AsyncClient(headers={"Authorization": "Bot sandbox-token"}) as client,
    ):
        url, found = f"{discord.api_url}/users/@me/guilds", list[int]()
        while page := (await client.get(url, params={"after": found[-1] if found else 0})).json():
            assert len(page) <= 200
            found += [int(guild["id"]) for guild in page]
        (first,) = (await client.get(url, params={"limit": 1})).json()
    assert sorted(found) == sorted({GUILD_ID, *discord.more_guilds.ids(SandboxShard())})
    assert int(first["id"]) == min(found)


@pytest.mark.slow
async def test_a_shard_with_too_many_guilds_is_refused() -> None:
    """2500 are welcome on one, no more."""

    async def answer(guilds: int, shard: list[int]) -> object:
        async with open_local_discord(DiscordOptions(more_guilds=guilds)) as discord:

            async def ask() -> object:
                async with connected(discord.gateway_url) as client:
                    said = await client.identify(shard)
                    return said["t"] if isinstance(said, dict) else said

            return await on_asyncio(ask)

    assert await answer(2499, [0, 1]) == "READY"
    assert await answer(2500, [0, 1]) == 4011
    assert await answer(2500, [1, 2]) == "READY"


@pytest.mark.slow
async def test_people_use_commands_in_any_of_them() -> None:
    """The event comes on the guild's shard, and names it."""
    options = DiscordOptions(identify_interval=0.0, more_guilds=8)
    async with open_local_discord(options) as discord:
        discord.registered[None] = {"ask": {"id": "1", "name": "ask", "type": 1}}

        async def ask() -> list[list[str]]:
            async with identified(discord, *((number, 4) for number in range(4))) as clients:
                for guild in discord.more_guilds.ids(SandboxShard()):
                    channel = discord.more_guilds.channel(guild, 1)
                    on_trio(partial(discord.invoke_now, "ask", channel=channel))
                return [[data["guild"]["id"] for _, data in await client.events()] for client in clients]

        heard = await on_asyncio(ask)
    expected = [
        [str(guild) for guild in discord.more_guilds.ids(SandboxShard(number, 4))] for number in range(4)
    ]
    assert heard == expected
