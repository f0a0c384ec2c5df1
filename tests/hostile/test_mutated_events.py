"""A provider whose every event is mutated in one way: the asker reads something, and then the last word."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.soak_mutations import KINDS, Mutations
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import person
from tests.end_to_end.conftest import FAST, Scene
from tests.end_to_end.sharing import SharedScene, shared_scene
from tests.hostile.endurance import INTENTS, SETTINGS, endured, told

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mutated events")]

GENEROUS = replace(FAST, tokens_per_minute=1_000_000_000)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("mutated")
    yield from shared_scene(folder, authority, SETTINGS, providers=GENEROUS, discord=INTENTS)


@pytest.mark.parametrize("part", [0.2, 1.0], ids=["a fifth", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_asker_has_the_last_word_of(scene: SharedScene, kind: str, part: float) -> None:
    """Within the deadline, from either provider, and the next question is answered whole."""

    async def play(stage: Scene) -> None:
        sandbox = stage.sandbox
        async with endured(stage):
            for number, service in enumerate((sandbox.openai, sandbox.perplexity)):
                service.distortion = Mutations(1, part, (kind,))
                options = {"prompt": "what about number 1?", "provider": service.name}
                await told(await sandbox.discord.invoke("ask", options, user=person(number)))
                service.distortion = None

    scene.portal.call(play, scene.scene)
