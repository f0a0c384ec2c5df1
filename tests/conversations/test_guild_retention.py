"""What was said in a server is dropped after the bot has left it, and only then."""

import pytest
import trio
import trio.testing

from discordianai.conversations import guild_retention
from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.guild_retention import GuildList, GuildRetention
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import KeptInMemory, StoreError
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


async def test_a_list_that_cannot_be_stored_is_stored_when_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discord sends no other, and the data of a server that nobody knows of would never be deleted."""
    monkeypatch.setattr(guild_retention, "STORE_AGAIN_AFTER", 0.01)
    store = MemoryStore()
    retention = GuildRetention(store, ChannelSettingsCache(store), Live(ConversationOptions()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retention.run)
        store.failure = StoreError("the disk is full")
        retention.note(GuildList(frozenset({5, 6}), frozenset({0})))
        await trio.testing.wait_all_tasks_blocked()
        store.failure = None
        await trio.sleep(0.1)
        assert await store.present() == {5, 6}
        nursery.cancel_scope.cancel()


async def test_of_many_lists_that_wait_the_newest_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guild_retention, "STORE_AGAIN_AFTER", 0.01)
    store = MemoryStore()
    store.failure = StoreError("the disk is full")
    retention = GuildRetention(store, ChannelSettingsCache(store), Live(ConversationOptions()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retention.run)
        for newest in range(1, 300):
            retention.note(GuildList(frozenset({newest}), frozenset()))
            await trio.testing.wait_all_tasks_blocked()
        store.failure = None
        await trio.sleep(0.1)
        assert newest in await store.present()
        nursery.cancel_scope.cancel()


async def test_of_a_list_that_is_kept_in_memory_nothing_is_left_out() -> None:
    class Full(MemoryStore):
        async def joined(self, guild_id: int) -> None:
            await super().joined(guild_id)
            raise KeptInMemory("the disk is full")

    store = Full()
    retention = GuildRetention(store, ChannelSettingsCache(store), Live(ConversationOptions()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retention.run)
        retention.note(GuildList(frozenset({5, 6, 7}), frozenset({0})))
        await trio.testing.wait_all_tasks_blocked()
        assert await store.present() == {5, 6, 7}
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
