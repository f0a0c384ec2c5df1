"""Whatever the gateway's JSON holds, a record of known shape comes of it, or `Malformed`."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.events import interaction, message_event
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.interaction import UNKNOWN, Lineage
from discordianai.discord.events.payload import LARGEST_ID, Malformed, number, snowflake, text, value
from tests.json_places import MISSING, changed, places

USER = {"id": "200", "username": "ann", "global_name": "Ann"}
FILE = {
    "id": "5",
    "filename": "a.txt",
    "url": "https://cdn.discordapp.com/a",
    "size": 3,
    "content_type": "text/plain",
}
COMMON: dict[str, Any] = {
    "id": "1",
    "application_id": "2",
    "token": "token",
    "channel_id": "10",
    "channel": {"id": "10", "type": 11, "parent_id": "9"},
    "guild_id": "7",
    "member": {"user": USER, "roles": ["70"], "permissions": "2048"},
    "locale": "en-US",
    "authorizing_integration_owners": {"0": "7"},
    "context": 0,
}
SPOKEN = {"id": "3", "content": "words", "attachments": [FILE], "author": USER, "channel_id": "10"}
MESSAGE: dict[str, Any] = {
    "id": "3",
    "type": 0,
    "channel_id": "10",
    "author": USER,
    "content": "<@99> what is that?",
    "attachments": [],
    "mentions": [{"id": "99"}],
}
EMBED: dict[str, Any] = {
    "type": "rich",
    "author": {"name": "A paper"},
    "title": "Llamas",
    "description": "They spit.",
    "fields": [{"name": "When", "value": "cross"}],
    "footer": {"text": "page 3"},
    "image": {
        "url": "https://cdn.discordapp.com/attachments/1/2/llama.png?ex=6553f100&is=1&hm=2",
        "width": 5,
    },
    "thumbnail": {"url": "https://elsewhere.example/logo.png"},
}
POLL: dict[str, Any] = {
    "question": {"text": "Do llamas spit?"},
    "answers": [
        {"answer_id": 1, "poll_media": {"text": "yes"}},
        {"answer_id": 2, "poll_media": {"text": "no"}},
    ],
    "results": {"is_finalized": False, "answer_counts": [{"id": 1, "count": 1}, {"id": 2, "count": 3}]},
}
COMPONENTS: list[dict[str, Any]] = [
    {
        "type": 17,
        "components": [
            {
                "type": 9,
                "components": [{"type": 10, "content": "# Opening hours"}],
                "accessory": {"type": 11, "media": {"url": "https://cdn.discordapp.com/door.webp"}},
            },
            {"type": 14},
            {"type": 10, "content": "nine to five"},
            {
                "type": 12,
                "items": [{"media": {"url": "https://cdn.discordapp.com/m.png"}, "description": "a map"}],
            },
            {"type": 13, "file": {"url": "https://cdn.discordapp.com/h.txt"}, "size": 12},
            {"type": 1, "components": [{"type": 2, "style": 5, "label": "Go", "url": "https://x.example"}]},
        ],
    }
]
EVENTS: dict[str, dict[str, Any]] = {
    "command": {
        **COMMON,
        "type": 2,
        "data": {
            "name": "ask",
            "type": 1,
            "options": [{"name": "prompt", "value": "why?"}, {"name": "file", "value": "5"}],
            "resolved": {"attachments": {"5": FILE}},
        },
    },
    "menu": {
        **COMMON,
        "type": 2,
        "data": {"name": "Explain", "type": 3, "target_id": "3", "resolved": {"messages": {"3": SPOKEN}}},
    },
    "press": {
        **COMMON,
        "type": 3,
        "data": {"custom_id": "stop:200:1"},
        "message": {"flags": 64, "interaction_metadata": {"user": USER}},
    },
    "typing": {
        **COMMON,
        "type": 4,
        "data": {"name": "ask", "options": [{"name": "model", "value": "gp", "focused": True}]},
    },
    "form": {
        **COMMON,
        "type": 5,
        "data": {"custom_id": "about:x", "components": [{"components": [{"value": "and?"}]}]},
    },
    "message": {
        "id": "3",
        "type": 19,
        "channel_id": "10",
        "guild_id": "7",
        "author": USER,
        "member": {"roles": ["70"]},
        "content": "<@99> why?",
        "attachments": [FILE],
        "mentions": [{"id": "99"}],
        "mention_roles": ["70"],
        "referenced_message": {"author": {"id": "99"}},
    },
    "reply": {
        **MESSAGE,
        "type": 19,
        "referenced_message": {
            "id": "4",
            "author": {**USER, "id": "201"},
            "content": "look",
            "flags": 1 << 15,
            "attachments": [FILE],
            "embeds": [EMBED],
            "poll": POLL,
            "sticker_items": [{"id": "6", "name": "Wave", "format_type": 1}],
            "components": COMPONENTS,
        },
    },
    "forward": {
        **MESSAGE,
        "message_reference": {"type": 1, "message_id": "4", "channel_id": "11"},
        "message_snapshots": [
            {"message": {"type": 0, "content": "hear", "attachments": [FILE], "embeds": [EMBED]}}
        ],
    },
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.just(-(10**400))
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud83d", "9" * 400, "-1", "1_000", "²", "٣", "NaN", "0x10", " 1", "1e3"])
)
ANY_JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)


PLACES = [(name, path) for name, event in EVENTS.items() for path in places(event)]


def leaves(record: Any) -> Iterator[Any]:
    """Everything that a record holds."""
    if dataclasses.is_dataclass(record):
        for field in dataclasses.fields(record):
            yield from leaves(getattr(record, field.name))
    elif isinstance(record, dict):
        yield from (leaf for pair in record.items() for part in pair for leaf in leaves(part))
    elif isinstance(record, tuple | frozenset):
        yield from (leaf for part in record for leaf in leaves(part))
    else:
        yield record


def parsed(name: str, event: dict[str, Any]) -> Any:
    if name in {"message", "reply", "forward"}:
        return message_event.parse(event, 99)
    return interaction.parse(event)


@pytest.mark.parametrize("name", EVENTS)
def test_what_discord_sends_is_read(name: str) -> None:
    """Or the property below would show nothing."""
    assert parsed(name, EVENTS[name]) is not None


def is_read_or_named(name: str, path: tuple[Any, ...], other: object) -> None:
    """The event with this in that place is `Malformed`, or a record that can be sent and stored."""
    try:
        record = parsed(name, changed(EVENTS[name], path, other))
    except Malformed:
        return
    for leaf in leaves(record):
        if isinstance(leaf, str):
            leaf.encode()
    if record is not None:
        ids = (record.origin.interaction_id, record.origin.person.id, record.origin.place.channel_id)
        assert all(0 < id_ <= LARGEST_ID for id_ in ids)


@given(st.sampled_from(PLACES), st.just(MISSING) | ANY_JSON)
def test_whatever_stands_in_whatever_place_it_is_read_or_named(
    place: tuple[str, tuple[Any, ...]], other: Any
) -> None:
    """All texts can be sent and stored, all ids fit into the database."""
    name, path = place
    is_read_or_named(name, path, other)


@pytest.mark.parametrize("name", EVENTS)
def test_in_each_place_the_worst_is_read_or_named(name: str) -> None:
    """The property above tries some of them; these are all."""
    for path in places(EVENTS[name]):
        for other in ("\ud83d", 10**400, math.nan, MISSING):
            is_read_or_named(name, path, other)


@pytest.mark.parametrize(
    "bad", [None, True, -1, 0, 2**63, 10**400, 1.0, math.nan, "", "x", "9" * 400, [], {}]
)
def test_an_id_is_a_number_that_the_database_takes(bad: object) -> None:
    with pytest.raises(Malformed):
        snowflake({"id": bad}, "id")
    assert snowflake({"id": "1300000000000000100"}, "id") == 1300000000000000100


def test_half_a_pair_is_replaced_and_a_pair_whose_halves_came_apart_is_joined() -> None:
    payload = json.loads('{"a": "\\ud83d!", "b": "\\ud83d\\ude00"}')
    assert text(payload, "a") == "\ufffd!"
    assert value(payload, "b") == "😀"


@pytest.mark.parametrize("resolved", [{}, {"resolved": {}}, {"resolved": {"attachments": {"6": FILE}}}])
def test_a_file_that_comes_with_a_command_is_one_whatever_is_told_of_it(resolved: dict[str, Any]) -> None:
    """The person is told that it could not be read; it is not left out."""
    options = [{"name": "prompt", "type": 3, "value": "why?"}, {"name": "file", "type": 11, "value": "5"}]
    asked = interaction.parse({**COMMON, "type": 2, "data": {"name": "ask", "options": options, **resolved}})
    assert isinstance(asked, interaction.CommandInteraction)
    assert asked.options == {"prompt": "why?"}
    assert [file.url for file in asked.attachments] == [""]


@pytest.mark.parametrize("read", [number, text, value, snowflake])
def test_what_is_missing_is_malformed(read: Callable[[dict[str, Any], str], object]) -> None:
    with pytest.raises(Malformed):
        read({}, "key")


@given(ANY_JSON)
def test_a_malformed_channel_does_not_hide_the_others_of_its_server(other: Any) -> None:
    """The rest of the list is learned all the same."""
    guild_cache = GuildCache()
    channels = [
        {"id": other, "parent_id": "9"},
        {"id": "10", "parent_id": other},
        {"id": "11", "parent_id": "9"},
    ]
    guild_cache.hear("GUILD_CREATE", {"id": "7", "channels": channels})
    assert guild_cache.parent_of(11) == 9
    assert guild_cache.guild_ids == {7}


@pytest.mark.parametrize(
    ("channel", "above"),
    [
        ({"id": "10", "type": 0, "parent_id": "9"}, Lineage((9,), complete=True)),
        ({"id": "10", "type": 0, "parent_id": None}, Lineage(complete=True)),
        ({"id": "10", "type": 11, "parent_id": "9"}, Lineage((9,))),
        ({}, UNKNOWN),
    ],
)
def test_what_is_above_a_channel_is_read_from_its_event(channel: dict[str, Any], above: Lineage) -> None:
    """A thread's event does not name the category of its channel."""
    event = interaction.parse({**COMMON, "type": 2, "data": {"name": "help"}, "channel": channel})
    assert event is not None
    assert event.origin.above == above


@pytest.mark.parametrize("name", ["command", "message"])
def test_who_does_something_in_a_server_without_being_a_member_of_it_is_nobody(name: str) -> None:
    """Without it the person would have no role, and no blocked one."""
    event = EVENTS[name]
    for member in (
        {},
        {"member": None},
        {"member": {"user": USER}},
        {"member": {"user": USER, "roles": None}},
    ):
        with pytest.raises(Malformed):
            parsed(name, {key: event[key] for key in event if key != "member"} | member)
    direct = {key: event[key] for key in event if key not in {"member", "guild_id"}}
    assert parsed(name, {"user": USER, **direct}) is not None
    if name == "message":
        webhook = {key: event[key] for key in event if key != "member"} | {"webhook_id": "5"}
        assert parsed(name, webhook).author_is_bot


@pytest.mark.parametrize(
    ("owners", "context", "as_member"),
    [
        ({"0": "7"}, 0, True),
        ({"0": "7", "1": "200"}, 0, True),
        ({"1": "200"}, 0, False),
        ({"1": "200"}, 1, True),
        ({"1": "200"}, 2, False),
        ({"0": "7", "1": "200"}, 2, False),
        (None, 2, False),
    ],
)
def test_in_direct_messages_of_others_the_bot_is_a_guest(
    owners: dict[str, str] | None, context: int, as_member: bool
) -> None:
    """Whatever else the event says, a group is no direct message with the bot."""
    told = {"authorizing_integration_owners": owners, "context": context}
    event = interaction.parse({**COMMON, **told, "type": 2, "data": {"name": "help"}})
    assert event is not None
    assert event.origin.as_member is as_member
