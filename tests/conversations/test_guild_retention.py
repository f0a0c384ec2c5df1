"""What was said in a server is dropped after the bot has left it, and only then."""

import trio
import trio.testing

from discordianai.conversations.guilds import ChannelSettingsCache, GuildList, GuildRetention
from discordianai.conversations.options import ConversationOptions
from discordianai.option import Live
from tests.doubles.store import MemoryStore


async def test_only_a_complete_list_of_servers_says_that_the_others_were_left() -> None:
    """Discord has sent empty lists; without a grace, all that was ever said would be gone at once."""
    store = MemoryStore()
    retention = GuildRetention(store, ChannelSettingsCache(store), Live(ConversationOptions(grace_days=0.0)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retention.run)
        for guild_ids, complete, present in (
            ({5, 6}, True, {5, 6}),
            (set[int](), False, {5, 6}),
            ({7}, False, {5, 6, 7}),
            ({6}, True, {6}),
            (set[int](), True, set[int]()),
        ):
            retention.note(GuildList(frozenset(guild_ids), frozenset({0} if complete else ())))
            await trio.testing.wait_all_tasks_blocked()
            assert await store.present() == present
        nursery.cancel_scope.cancel()


async def test_a_system_clock_that_is_far_ahead_ends_no_grace() -> None:
    """What was said is deleted by the clock by which the server was left."""
    store = MemoryStore(clock=lambda: 1000.0)
    options = Live(ConversationOptions(grace_days=1.0))
    retention = GuildRetention(store, ChannelSettingsCache(store), options, lambda: 1000.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retention.run)
        for guild_ids in ({5, 6}, {5}):
            retention.note(GuildList(frozenset(guild_ids), frozenset({0})))
            await trio.testing.wait_all_tasks_blocked()
        assert await store.left_before(1001.0) == (6,)
        nursery.cancel_scope.cancel()
