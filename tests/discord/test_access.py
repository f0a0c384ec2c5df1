"""Who may ask where, as a table."""

import pytest

from discordianai.discord.access import BLOCKED, WRONG_PLACE, WRONG_ROLE, WRONG_SERVER, may_press, refusal
from discordianai.discord.buttons import Action, Button
from discordianai.discord.interaction import ADMINISTRATOR, MANAGE_MESSAGES, Origin
from discordianai.model import Person
from discordianai.settings import DiscordSettings
from tests.discord.builders import ANN, origin

EVERYBODY = DiscordSettings()
ADMIN = Person(id=99, name="Admin")


@pytest.mark.parametrize(
    ("rules", "who", "expected"),
    [
        (EVERYBODY, origin(), None),
        (EVERYBODY, origin(guild_id=None), None),
        (DiscordSettings(blocked_user_ids=(ANN.id,)), origin(), BLOCKED),
        (DiscordSettings(guild_ids=(5,)), origin(guild_id=5), None),
        (DiscordSettings(guild_ids=(5,)), origin(guild_id=6), WRONG_SERVER),
        (DiscordSettings(guild_ids=(5,)), origin(guild_id=None), None),
        (DiscordSettings(allowed_channel_ids=(1,)), origin(channel_id=1), None),
        (DiscordSettings(allowed_channel_ids=(1,)), origin(channel_id=2), WRONG_PLACE),
        (DiscordSettings(allowed_role_ids=(7, 8)), origin(role_ids=frozenset({8})), None),
        (DiscordSettings(allowed_role_ids=(7, 8)), origin(role_ids=frozenset({9})), WRONG_ROLE),
        (
            DiscordSettings(
                blocked_user_ids=(99,), guild_ids=(6,), allowed_channel_ids=(2,), admin_user_ids=(99,)
            ),
            origin(person=ADMIN),
            None,
        ),
    ],
)
def test_the_table(rules: DiscordSettings, who: Origin, expected: str | None) -> None:
    assert refusal(who, rules) == expected


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
def test_a_button_is_for_who_asked_and_for_those_who_keep_order(who: Origin, expected: bool) -> None:
    rules = DiscordSettings(admin_user_ids=(ADMIN.id,))
    assert may_press(who, Button(Action.STOP, ANN.id, 1), rules) is expected
