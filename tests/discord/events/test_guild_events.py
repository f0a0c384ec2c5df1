"""After any events, the compact `GuildCache` knows what a plain model knows."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.permissions import ADMINISTRATOR, ATTACH_FILES
from discordianai.records import Place
from tests.discord.events.guild_model import GuildModel
from tests.examples import examples

BOT_ID, OTHER_BOT = 900, 901
GUILDS, PEOPLE = (1, 2, 2**63 - 1), (20, 21)
ROLES = (1, 2, 50, 51, 52)
"""With everybody's, which have their server's id."""
CHANNELS, THREADS = (100, 101, 102, 2**62), (200, 201)

Json = dict[str, Any]


def texts(ids: tuple[int, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from([str(each) for each in ids])


PERMISSIONS = st.sampled_from(["0", str(ATTACH_FILES), str(ADMINISTRATOR), str(ATTACH_FILES | 1 << 45)])
OVERWRITE = st.fixed_dictionaries(
    {"id": texts(ROLES + PEOPLE), "allow": PERMISSIONS, "deny": PERMISSIONS},
)
CHANNEL = st.fixed_dictionaries(
    {
        "id": texts(CHANNELS),
        "parent_id": st.none() | texts(CHANNELS),
        "permission_overwrites": st.lists(OVERWRITE, max_size=3, unique_by=lambda each: str(each["id"])),
    }
)
THREAD = st.fixed_dictionaries(
    {
        "id": texts(THREADS),
        "parent_id": texts(CHANNELS),
        "owner_id": texts(PEOPLE),
        "thread_metadata": st.fixed_dictionaries({"archived": st.booleans()}),
    }
)
TAGS = st.sampled_from([{}, {"bot_id": str(BOT_ID)}, {"bot_id": str(OTHER_BOT)}])
ROLE = st.fixed_dictionaries({"id": texts(ROLES), "permissions": PERMISSIONS, "tags": TAGS})
OF_GUILD = {"guild_id": texts(GUILDS)}


def event(name: str, fields: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[tuple[str, Json]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(dict(fields)))


def with_guild(name: str, whole: st.SearchStrategy[Json]) -> st.SearchStrategy[tuple[str, Json]]:
    return st.tuples(whole, texts(GUILDS)).map(lambda made: (name, made[0] | {"guild_id": made[1]}))


GUILD = {
    "id": texts(GUILDS),
    "owner_id": texts(PEOPLE),
    "roles": st.lists(ROLE, max_size=4, unique_by=lambda each: str(each["id"])),
    "channels": st.lists(CHANNEL, max_size=4, unique_by=lambda each: str(each["id"])),
    "threads": st.lists(THREAD, max_size=2, unique_by=lambda each: str(each["id"])),
}
READY = {
    "user": st.just({"id": str(BOT_ID)}),
    "guilds": st.lists(st.fixed_dictionaries({"id": texts(GUILDS)}), max_size=3),
}
EVENTS = st.lists(
    st.one_of(
        event("READY", READY),
        event("GUILD_CREATE", GUILD),
        event("GUILD_CREATE", GUILD),
        event("GUILD_CREATE", {"id": texts(GUILDS), "unavailable": st.just(True)}),
        event("GUILD_DELETE", {"id": texts(GUILDS), "unavailable": st.booleans()}),
        event("GUILD_ROLE_CREATE", {**OF_GUILD, "role": ROLE}),
        event("GUILD_ROLE_DELETE", {**OF_GUILD, "role_id": texts(ROLES)}),
        with_guild("CHANNEL_UPDATE", CHANNEL),
        event("CHANNEL_DELETE", {**OF_GUILD, "id": texts(CHANNELS)}),
        with_guild("THREAD_UPDATE", THREAD),
        event("THREAD_DELETE", {**OF_GUILD, "id": texts(THREADS)}),
        event("THREAD_LIST_SYNC", {**OF_GUILD, "threads": st.lists(THREAD, max_size=2)}),
    ),
    max_size=25,
)


@settings(max_examples=examples(200), deadline=None)
@given(EVENTS)
def test_it_knows_what_the_events_said(events: list[tuple[str, Json]]) -> None:
    """Servers, channels, threads, the bot's own roles, and who may attach files where."""
    known, model = GuildCache(), GuildModel(BOT_ID)
    first: list[tuple[str, Json]] = [("READY", {"user": {"id": str(BOT_ID)}, "guilds": []})]
    for name, data in first + events:
        revision, listed = known.revision, known.guild_ids.copy()
        known.hear(name, data)
        model.hear(name, data)
        assert known.guild_ids == model.listed
        assert known.missing == len(model.missing)
        assert known.revision != revision or known.guild_ids == listed
        assert len(known) == len(model.channels)
        for channel in CHANNELS + THREADS:
            assert known.parent_of(channel) == model.said(channel, "parent_id")
            assert known.thread_opener_of(channel) == model.said(channel, "owner_id")
        assert known.own_among(frozenset(ROLES), BOT_ID) == frozenset(model.own_roles)
    for guild in GUILDS:
        for channel in CHANNELS:
            for person in PEOPLE:
                for roles in ((), (50,), (50, 51), (52, 99)):
                    may = known.file_rights.may_attach(Place(channel, guild), person, roles)
                    assert may == model.may_attach(guild, channel, person, roles)


DENIED = {"id": "1", "allow": "0", "deny": str(ATTACH_FILES)}
EVERYBODY = {"id": "1", "permissions": str(ATTACH_FILES)}


@pytest.mark.parametrize(
    "overwrites", [[DENIED, None], [DENIED, {"id": "50", "allow": "-1"}], [DENIED, {"id": "x"}], {}, 7]
)
@pytest.mark.parametrize("later", [False, True])
def test_a_channel_whose_rights_cannot_be_read_gives_none(overwrites: object, later: bool) -> None:
    cache, odd = GuildCache(), {"id": "100", "permission_overwrites": overwrites}
    cache.hear("GUILD_CREATE", {"id": "1", "roles": [EVERYBODY], "channels": [] if later else [odd]})
    if later:
        cache.hear("CHANNEL_UPDATE", {**odd, "guild_id": "1"})
    assert not cache.file_rights.may_attach(Place(100, 1), 20, ())
    assert cache.file_rights.may_attach(Place(101, 1), 20, ())


def test_a_role_whose_rights_cannot_be_read_gives_none() -> None:
    cache = GuildCache()
    cache.hear("GUILD_CREATE", {"id": "1", "roles": [EVERYBODY, None], "channels": [None, {"id": "100"}]})
    assert cache.lineage(100).complete
    cache.hear("GUILD_ROLE_UPDATE", {"guild_id": "1", "role": {"id": "1", "permissions": "-1"}})
    assert not cache.file_rights.may_attach(Place(100, 1), 20, ())


def test_a_ready_is_heard_whatever_it_says_beside_its_servers() -> None:
    cache = GuildCache()
    cache.hear("READY", {"user": {"id": str(BOT_ID)}, "guilds": [{"id": "1"}], "guild_id": "x"})
    assert cache.guild_ids == {1}
