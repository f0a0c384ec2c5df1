"""A provider that asks for a wait that nobody can wait for: the person is answered elsewhere, or told."""

from collections.abc import Iterator

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import person
from discordianai.sandbox.providers import Fault, ProviderService
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, played, shared_scene
from tests.hostile.endurance import INTENTS, SETTINGS, endured, told

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("retry after")]

AT_ONCE = 10.0
"""Seconds, on a busy machine; the deadline is twice as far away."""

YEAR = (("retry-after", "31536000"),)
DATE = (("retry-after", "Wed, 25 Nov 2099 20:00:00 GMT"),)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("retry-after")
    yield from shared_scene(folder, authority, SETTINGS, with_foreign=True, discord=INTENTS)


@played
async def test_an_hour_on_one_429(scene: Scene) -> None:
    """The other provider answers, that question and the next one."""
    async with endured(scene):
        scene.sandbox.openai.misbehave(Fault.rate_limited(3600.0))
        for number in range(2):
            asked = await scene.sandbox.discord.invoke("ask", {"prompt": f"{number}?"}, user=person(number))
            assert f"You asked: “{number}?”" in await told(asked, AT_ONCE)
        assert len(scene.sandbox.openai.requests) == 1


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        pytest.param("foreign", Fault.raw(b"{}", status=503, headers=YEAR), id="a year on one 503"),
        pytest.param("perplexity", Fault.raw(b"{}", status=429, headers=DATE), id="a date on one 429"),
    ],
)
def test_who_wants_that_provider_alone_is_told_at_once(
    scene: SharedScene, service: str, fault: Fault
) -> None:
    """In words, and nobody waits for the deadline."""

    async def play(stage: Scene) -> None:
        async with endured(stage):
            provider: ProviderService = getattr(stage.sandbox, service)
            before = sum(provider.paths.values())
            provider.misbehave(fault)
            for number in range(2):
                began = trio.current_time()
                options = {"prompt": f"{number}?", "provider": service}
                asked = await stage.sandbox.discord.invoke("ask", options, user=person(10 + number))
                assert "(error " in await told(asked, AT_ONCE)
                assert trio.current_time() - began < AT_ONCE
            assert sum(provider.paths.values()) == before + 1

    scene.portal.call(play, scene.scene)
