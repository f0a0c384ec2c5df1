"""Who may do what where, as tables."""

from dataclasses import replace

import pytest

from discordianai.discord.gateway.guild_cache import Lineage
from discordianai.discord.interactions.access import (
    BLOCKED,
    NO_DIRECT_MESSAGES,
    NOT_LISTED,
    UNKNOWN_PLACE,
    WRONG_PLACE,
    WRONG_ROLE,
    WRONG_SERVER,
    may_press,
    refusal,
)
from discordianai.discord.interactions.interaction import ADMINISTRATOR, MANAGE_MESSAGES, EventOrigin
from discordianai.discord.messages.buttons import Action, Button
from discordianai.discord.options import BotOptions
from discordianai.records import Person
from tests.discord.builders import ANN, origin

EVERYBODY = BotOptions()
ADMIN = Person(id=99, name="Admin")
CHANNEL, CATEGORY, THREAD = 1, 20, 30
DIRECT = origin(guild_id=None)


def rules(**settings: object) -> BotOptions:
    return replace(EVERYBODY, **settings)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("settings", "who", "expected"),
    [
        (rules(), origin(), None),
        (rules(), DIRECT, None),
        (rules(direct_messages=False), DIRECT, NO_DIRECT_MESSAGES),
        (rules(direct_messages=False), origin(), None),
        (rules(blocked_user_ids=(ANN.id,)), origin(), BLOCKED),
        (rules(allowed_user_ids=(ANN.id,)), origin(), None),
        (rules(allowed_user_ids=(77,)), origin(), NOT_LISTED),
        (rules(allowed_user_ids=(ANN.id,), blocked_user_ids=(ANN.id,)), origin(), BLOCKED),
        (rules(guild_ids=(5,)), origin(guild_id=5), None),
        (rules(guild_ids=(5,)), origin(guild_id=6), WRONG_SERVER),
        (rules(guild_ids=(5,)), DIRECT, None),
        (rules(blocked_guild_ids=(5,)), origin(guild_id=5), WRONG_SERVER),
        (rules(blocked_guild_ids=(5,)), origin(guild_id=6), None),
        (rules(allowed_channel_ids=(CHANNEL,)), origin(), None),
        (rules(allowed_channel_ids=(CHANNEL,)), origin(channel_id=2), WRONG_PLACE),
        (rules(allowed_channel_ids=(CHANNEL,)), origin(channel_id=2, guild_id=None), WRONG_PLACE),
        (rules(allowed_channel_ids=(CATEGORY,)), origin(), None),
        (rules(blocked_channel_ids=(CATEGORY,)), origin(), WRONG_PLACE),
        (rules(allowed_channel_ids=(CATEGORY,), blocked_channel_ids=(CHANNEL,)), origin(), WRONG_PLACE),
        (rules(allowed_channel_ids=(CHANNEL,)), origin(channel_id=THREAD), None),
        (rules(allowed_role_ids=(7, 8)), origin(role_ids=frozenset({8})), None),
        (rules(allowed_role_ids=(7, 8)), origin(role_ids=frozenset({9})), WRONG_ROLE),
        (rules(allowed_role_ids=(7, 8)), DIRECT, WRONG_ROLE),
        (rules(blocked_role_ids=(8,)), origin(role_ids=frozenset({7, 8})), BLOCKED),
        (
            rules(blocked_user_ids=(99,), guild_ids=(6,), allowed_channel_ids=(2,), admin_user_ids=(99,)),
            origin(person=ADMIN),
            None,
        ),
    ],
)
def test_who_may_ask_where(settings: BotOptions, who: EventOrigin, expected: str | None) -> None:
    above = {CHANNEL: (CHANNEL, CATEGORY), THREAD: (THREAD, CHANNEL, CATEGORY)}
    lineage = above.get(who.place.channel_id, (who.place.channel_id,))
    assert refusal(who, settings, Lineage(lineage)) == expected


@pytest.mark.parametrize(
    ("settings", "who", "expected"),
    [
        (rules(), origin(), None),
        (rules(blocked_guild_ids=(6,)), origin(), None),
        (rules(allowed_channel_ids=(CHANNEL,)), origin(), None),
        (rules(allowed_channel_ids=(CATEGORY,)), origin(), WRONG_PLACE),
        (rules(blocked_channel_ids=(CHANNEL,)), origin(), WRONG_PLACE),
        (rules(blocked_channel_ids=(CATEGORY,)), origin(), UNKNOWN_PLACE),
        (rules(blocked_channel_ids=(CATEGORY,)), DIRECT, None),
        (rules(blocked_channel_ids=(CATEGORY,)), origin(as_member=False), None),
        (rules(blocked_channel_ids=(CATEGORY,), admin_user_ids=(99,)), origin(person=ADMIN), None),
    ],
)
def test_what_may_be_in_a_blocked_category_is_refused_until_discord_says_where_it_is(
    settings: BotOptions, who: EventOrigin, expected: str | None
) -> None:
    """Nothing above the channel is known; where no list needs that, nobody notices."""
    assert refusal(who, settings, Lineage((CHANNEL,), complete=False)) == expected


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (origin(), True),
        (origin(person=Person(11, "Bob")), False),
        (origin(person=Person(11, "Bob"), permissions=MANAGE_MESSAGES), True),
        (origin(person=Person(11, "Bob"), permissions=ADMINISTRATOR), True),
        (origin(person=Person(11, "Bob"), permissions=1 << 10), False),
        (origin(person=ADMIN), True),
    ],
)
def test_a_button_is_for_who_asked_and_for_those_who_keep_order(who: EventOrigin, expected: bool) -> None:
    assert may_press(who, Button(Action.STOP, ANN.id, "1"), rules(admin_user_ids=(ADMIN.id,))) is expected
