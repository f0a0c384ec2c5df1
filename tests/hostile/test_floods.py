"""One person who floods the bot in one way: the others are acknowledged and answered as if nobody did."""

import random
from collections.abc import Iterator

import pytest
import trio

from benchmarks.flooder import EVERY_ACT, Flooder
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, Interaction, person
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, shared_scene
from tests.hostile.endurance import DEADLINE, SETTINGS, endured, told

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("floods")]

FLOODED_FOR, RATE = 4.0, 40.0
"""Seconds, and acts in each of them."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("floods")
    settings = {**SETTINGS, "rate_limits.user": {"questions": 10}}
    yield from shared_scene(folder, authority, settings, discord=DiscordOptions(allowed_intents=-1))


@pytest.mark.parametrize("act", EVERY_ACT)
def test_others_are_answered_beside_one_who_floods_with(scene: SharedScene, act: str) -> None:
    """What the person wants is done or refused, and nothing of it keeps thinking."""
    deferred = 5

    async def play(stage: Scene) -> None:
        flood: list[Interaction] = []
        flooder = Flooder(
            stage.sandbox, random.Random(1), lambda _prompt, done: flood.append(done), RATE, (act,)
        )
        await told(await stage.sandbox.discord.invoke("ask", {"prompt": "hello"}, user=person(1)))
        async with endured(stage):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(flooder.flood, FLOODED_FOR)
                await trio.sleep(FLOODED_FOR / 2)
                numbers = range(EVERY_ACT.index(act) * 10, EVERY_ACT.index(act) * 10 + 3)
                asked = [
                    await stage.sandbox.discord.invoke("ask", {"prompt": f"{n}?"}, user=person(100 + n))
                    for n in numbers
                ]
                for number, interaction in zip(numbers, asked, strict=True):
                    assert f"You asked: “{number}?”" in await told(interaction)
                    assert interaction.acknowledged_after is not None
                    assert interaction.acknowledged_after < 1.5
            await trio.sleep(3.0)  # Discord's own time for an acknowledgement
            assert all(done.response_type is not None for done in flood)
            with trio.fail_after(DEADLINE):
                while any(done.loading for done in flood if done.response_type == deferred):  # noqa: ASYNC110  # of all of them
                    await trio.sleep(0.1)

    scene.portal.call(play, scene.scene)
