"""What belongs to what in Discord, as the gateway tells."""

from discordianai.discord.gateway.guild_cache import GuildCache
from discordianai.discord.interactions.lineage import Lineage

GUILD = {
    "id": "5",
    "channels": [{"id": "20", "type": 4}, {"id": "1", "type": 0, "parent_id": "20"}],
    "threads": [{"id": "30", "type": 11, "parent_id": "1", "owner_id": "99"}],
}


def guild_cache() -> GuildCache:
    made = GuildCache()
    made.hear("GUILD_CREATE", GUILD)
    return made


def test_a_thread_belongs_to_its_channel_and_that_to_its_category() -> None:
    assert guild_cache().lineage(30) == Lineage((30, 1, 20), complete=True)
    assert guild_cache().owner_of(30) == 99
    assert guild_cache().owner_of(1) is None


def test_what_is_not_known_goes_by_what_discord_says_of_it() -> None:
    """Whether that is all is known as well: a thread's channel may be in a category that nobody has named."""
    of_thread, of_channel = Lineage((1,)), Lineage((20,), complete=True)
    assert guild_cache().lineage(31, of_thread) == Lineage((31, 1, 20), complete=True)
    assert guild_cache().lineage(77) == Lineage((77,))
    unknown = GuildCache()
    assert unknown.lineage(31, of_thread) == Lineage((31, 1))
    assert unknown.lineage(1, of_channel) == Lineage((1, 20), complete=True)
    assert unknown.lineage(1, Lineage(complete=True)) == Lineage((1,), complete=True)


def test_what_is_new_moved_or_gone_is_noticed() -> None:
    known = guild_cache()
    known.hear("THREAD_CREATE", {"id": "31", "guild_id": "5", "parent_id": "1", "owner_id": "99"})
    known.hear("CHANNEL_UPDATE", {"id": "1", "guild_id": "5", "parent_id": None})
    assert known.lineage(31).ids == (31, 1)
    known.hear("THREAD_DELETE", {"id": "31", "guild_id": "5"})
    assert known.lineage(31) == Lineage((31,))
    known.hear("CHANNEL_CREATE", {"id": "9", "type": 1})  # a direct message has no server


def test_a_server_that_is_left_takes_its_channels_along_and_one_that_is_away_comes_back() -> None:
    known = guild_cache()
    known.hear("GUILD_DELETE", {"id": "5", "unavailable": True})
    assert known.guild_ids == {5}
    known.hear("GUILD_CREATE", GUILD)
    known.hear("GUILD_DELETE", {"id": "5"})
    assert (known.guild_ids, len(known)) == (set(), 0)


def test_at_the_start_all_servers_are_known_at_once_and_not_one_by_one() -> None:
    known = GuildCache()
    known.hear("READY", {"guilds": [{"id": "5", "unavailable": True}, {"id": "6", "unavailable": True}]})
    known.hear("GUILD_CREATE", GUILD)
    assert known.guild_ids == {5, 6}


def test_channels_that_belong_to_each_other_end() -> None:
    known = GuildCache()
    known.hear(
        "GUILD_CREATE",
        {"id": "5", "channels": [{"id": "1", "parent_id": "2"}, {"id": "2", "parent_id": "1"}]},
    )
    assert known.lineage(1).ids == (1, 2)
