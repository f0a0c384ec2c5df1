"""The gateway's odd days: who asks while it is away is answered when it is back, by the same process."""

from collections.abc import Iterator

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, person
from discordianai.sandbox.discord.api_objects import BOT
from discordianai.sandbox.discord.user_actions import say
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, shared_scene
from tests.hostile.endurance import SETTINGS, endured, told_in_channel

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hostile gateway")]

DISCORD = DiscordOptions(allowed_intents=-1, heartbeat_interval=2.0)
AWAY = 5.0
"""Seconds; two heartbeats that are not answered."""

RESUMABLE = (
    "session-reconnect",
    "session-invalid-resumable",
    "session-frozen",
    "session-4000",
    "resume-frozen",
    "open-refused",
    "open-garbage",
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("gateway")
    yield from shared_scene(folder, authority, SETTINGS, discord=DISCORD)


@pytest.mark.parametrize("fault", RESUMABLE)
def test_a_mention_is_answered_that_came_during(scene: SharedScene, fault: str) -> None:
    """The session is resumed, and nothing of it is lost."""

    async def play(stage: Scene) -> None:
        discord = stage.sandbox.discord
        async with endured(stage):
            discord.break_gateway(fault)
            discord.drop_gateway(resumable=True)
            await trio.sleep(AWAY / 2)
            message_id = say(discord, f"<@{BOT.id}> are you there?", user=person(RESUMABLE.index(fault)))
            await trio.sleep(AWAY / 2)
            discord.heal_gateway()
            assert "You asked: “are you there?”" in await told_in_channel(stage, message_id, 90.0)

    scene.portal.call(play, scene.scene)
