"""Who may ask where, as a table."""

import pytest

from discordianai.discord.access import BLOCKED, WRONG_PLACE, WRONG_ROLE, WRONG_SERVER, refusal
from discordianai.model import Person
from discordianai.settings import DiscordSettings
from tests.discord.builders import ANN, invocation

EVERYBODY = DiscordSettings()
ADMIN = Person(id=99, name="Admin")


@pytest.mark.parametrize(
    ("rules", "who", "expected"),
    [
        (EVERYBODY, invocation(), None),
        (EVERYBODY, invocation(guild_id=None), None),
        (DiscordSettings(blocked_user_ids=(ANN.id,)), invocation(), BLOCKED),
        (DiscordSettings(guild_ids=(5,)), invocation(guild_id=5), None),
        (DiscordSettings(guild_ids=(5,)), invocation(guild_id=6), WRONG_SERVER),
        (DiscordSettings(guild_ids=(5,)), invocation(guild_id=None), None),
        (DiscordSettings(allowed_channel_ids=(1,)), invocation(channel_id=1), None),
        (DiscordSettings(allowed_channel_ids=(1,)), invocation(channel_id=2), WRONG_PLACE),
        (DiscordSettings(allowed_role_ids=(7, 8)), invocation(role_ids=frozenset({8})), None),
        (DiscordSettings(allowed_role_ids=(7, 8)), invocation(role_ids=frozenset({9})), WRONG_ROLE),
        (
            DiscordSettings(
                blocked_user_ids=(99,), guild_ids=(6,), allowed_channel_ids=(2,), admin_user_ids=(99,)
            ),
            invocation(person=ADMIN),
            None,
        ),
    ],
)
def test_the_table(rules: DiscordSettings, who: object, expected: str | None) -> None:
    assert refusal(who, rules) == expected  # type: ignore[arg-type]  # parametrize loses the type
