"""Which channel belongs to which, and which servers the bot is in, as the gateway says."""

import pytest

from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.interaction import Lineage

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
    assert guild_cache().thread_opener_of(30) == 99
    assert guild_cache().thread_opener_of(1) is None


def test_what_an_event_says_of_its_channel_outranks_the_cache() -> None:
    """It may be newer, and it is there before GUILD_CREATE."""
    of_thread, of_channel = Lineage((1,)), Lineage((20,), complete=True)
    assert guild_cache().lineage(31, of_thread) == Lineage((31, 1, 20), complete=True)
    assert guild_cache().lineage(1, Lineage((21,), complete=True)) == Lineage((1, 21), complete=True)
    assert guild_cache().lineage(77) == Lineage((77,))
    unknown = GuildCache()
    assert unknown.lineage(1, of_channel) == Lineage((1, 20), complete=True)
    assert unknown.lineage(1, Lineage(complete=True)) == Lineage((1,), complete=True)


def test_of_a_thread_in_a_server_that_discord_has_not_sent_the_category_is_not_known() -> None:
    """The event of a thread names its channel alone."""
    assert GuildCache().lineage(31, Lineage((1,))) == Lineage((31, 1))


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
    assert (known.guild_ids, known.missing) == ({5}, 1)
    known.hear("GUILD_CREATE", {"id": "5", "unavailable": True})
    assert (known.guild_ids, known.missing) == ({5}, 1)
    known.hear("GUILD_CREATE", GUILD)
    assert known.missing == 0
    known.hear("GUILD_DELETE", {"id": "5"})
    assert (known.guild_ids, known.missing, len(known)) == (set(), 0, 0)


def test_at_the_start_all_servers_are_known_at_once_and_not_one_by_one() -> None:
    known = GuildCache()
    known.hear("READY", {"guilds": [{"id": "5", "unavailable": True}, {"id": "6", "unavailable": True}]})
    assert (known.complete, known.missing) == (True, 2)
    known.hear("GUILD_CREATE", GUILD)
    assert (known.guild_ids, known.missing) == ({5, 6}, 1)


@pytest.mark.parametrize("guilds", [[], None, 7, {}, "x", [None, 7, {}, {"id": "x"}]])
def test_a_ready_that_names_no_server_says_nothing_about_those_of_before(guilds: object) -> None:
    """It may be Discord that has lost them; what GUILD_CREATE sends is known all the same."""
    known = guild_cache()
    known.hear("READY", {"guilds": guilds})
    assert (known.guild_ids, known.missing, known.complete) == (set(), 0, False)
    known.hear("GUILD_CREATE", GUILD)
    assert (known.guild_ids, known.complete) == ({5}, False)


def test_channels_that_belong_to_each_other_end() -> None:
    known = GuildCache()
    known.hear(
        "GUILD_CREATE",
        {"id": "5", "channels": [{"id": "1", "parent_id": "2"}, {"id": "2", "parent_id": "1"}]},
    )
    assert known.lineage(1).ids == (1, 2)
