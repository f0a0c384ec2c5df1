"""What each shard knows of servers is known to all, and kept apart where READY begins it anew."""

from discordianai.conversations.guild_retention import GuildList
from discordianai.discord.events.interaction import Lineage
from discordianai.discord.events.sharded_guilds import ShardedGuilds
from discordianai.records import Place

EVERYTHING = str(1 << 15)


def server(guild_id: int) -> dict[str, object]:
    """One with a category, a channel in it, a thread in that, and a bot's role."""
    first = guild_id * 100
    return {
        "id": str(guild_id),
        "roles": [
            {"id": str(guild_id), "permissions": EVERYTHING},
            {"id": str(first + 9), "permissions": "0", "tags": {"bot_id": "7"}},
        ],
        "channels": [{"id": str(first + 1)}, {"id": str(first + 2), "parent_id": str(first + 1)}],
        "threads": [{"id": str(first + 3), "parent_id": str(first + 2), "owner_id": "7"}],
    }


def two_shards() -> ShardedGuilds:
    """Shards 1 and 2 of 4, with a server each."""
    known = ShardedGuilds((1, 2), 4)
    for shard_id, guild_id in ((1, 1 << 22), (2, 2 << 22)):
        known.of(shard_id).hear("READY", {"guilds": [{"id": str(guild_id)}]})
        known.of(shard_id).hear("GUILD_CREATE", server(guild_id))
    return known


def test_a_channel_is_found_on_whichever_shard_it_is() -> None:
    """Blocked categories hold, also where an event comes on another shard."""
    known = two_shards()
    for guild_id in (1 << 22, 2 << 22):
        first = guild_id * 100
        assert known.lineage(first + 3) == Lineage((first + 3, first + 2, first + 1), complete=True)
        assert (known.parent_of(first + 3), known.thread_opener_of(first + 3)) == (first + 2, 7)
        assert known.own_among(frozenset({first + 9, 5}), 7) == {first + 9}
        assert known.file_rights.may_attach(Place(first + 2, guild_id), 1, ())
    assert known.lineage(8) == Lineage((8,))
    assert known.lineage(8, Lineage((9,), complete=True)) == Lineage((8, 9), complete=True)
    assert (known.parent_of(8), known.thread_opener_of(8)) == (None, None)
    assert not known.file_rights.may_attach(Place(8, 900), 1, ())


def test_one_shards_ready_forgets_no_other_shards_servers() -> None:
    """And says nothing about them."""
    known = two_shards()
    assert known.listed() == GuildList(frozenset({1 << 22, 2 << 22}), frozenset({1, 2}), 4)
    known.of(1).hear("READY", {"guilds": []})
    assert known.listed() == GuildList(frozenset({2 << 22}), frozenset({2}), 4)
    assert known.listed().left(frozenset({0, 1 << 22, 2 << 22, 6 << 22})) == {6 << 22}
