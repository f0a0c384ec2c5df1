"""The gateway's connection is lost while people ask. One bot goes through all of it."""

from collections.abc import Iterator

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import person
from discordianai.sandbox.providers import ServiceOptions
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, played, shared_scene

pytestmark = pytest.mark.xdist_group("gateway")

SLOW = ServiceOptions(first_token=0.5, between_tokens=0.005)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    yield from shared_scene(tmp_path_factory.mktemp("gateway"), authority, {}, providers=SLOW)


async def lose_the_gateway(scene: Scene, first: int, *, resumable: bool) -> None:
    """Answers arrive while it is lost, and the next command works."""
    discord, answered = scene.sandbox.discord, scene.answered()
    numbers = range(first, first + 5)
    asked = [discord.invoke_now("ask", {"prompt": f"I am {n}"}, user=person(n)) for n in numbers]
    for interaction in asked:
        await interaction.wait_until(lambda i: i.acknowledged_after is not None)
    discord.drop_gateway(resumable=resumable)
    await scene.wait_answered(answered + 5)
    for number, interaction in zip(numbers, asked, strict=True):
        assert f"You asked: “I am {number}”" in interaction.text
    with trio.fail_after(20):
        await discord.wait_ready()
    assert "You asked: “next”" in (await scene.ask("next", user=person(first))).text


@played
async def test_answers_arrive_while_the_gateway_is_lost_and_resumed(scene: Scene) -> None:
    resumes = scene.sandbox.discord.counters.resumes
    await lose_the_gateway(scene, 1100, resumable=True)
    assert scene.sandbox.discord.counters.resumes == resumes + 1


@played
async def test_answers_arrive_while_the_gateway_is_lost_and_its_session_too(scene: Scene) -> None:
    identifies = scene.sandbox.discord.counters.identifies
    await lose_the_gateway(scene, 1110, resumable=False)
    assert scene.sandbox.discord.counters.identifies == identifies + 1


@played
async def test_what_was_asked_just_before_the_session_ended_is_answered(scene: Scene) -> None:
    """Events that are being acknowledged when op 9 comes are not dropped with the listener."""
    discord, answered = scene.sandbox.discord, scene.answered()
    asked = [discord.invoke_now("ask", {"prompt": f"I am {n}"}, user=person(n)) for n in range(1130, 1150)]
    discord.invalidate_sessions()
    await scene.wait_answered(answered + 20)
    for interaction in asked:
        assert "You asked: “I am" in interaction.text
    with trio.fail_after(20):
        await discord.wait_ready()


@played
async def test_a_question_asked_during_the_gap_is_answered_after_the_resume(scene: Scene) -> None:
    discord = scene.sandbox.discord
    discord.drop_gateway(resumable=True)
    interaction = discord.invoke_now("ask", {"prompt": "are you there?"}, user=person(1120))
    await interaction.wait_until(lambda i: "You asked" in i.text, timeout=10)
