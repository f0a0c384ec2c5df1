"""The gateway's connection is lost while people ask. One bot goes through all of it."""

from collections.abc import Iterator, Mapping
from functools import partial

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, Interaction, person
from discordianai.sandbox.providers import ServiceOptions
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, played, shared_scene

pytestmark = pytest.mark.xdist_group("gateway")

SLOW = ServiceOptions(first_token=0.5, between_tokens=0.005)
QUICK_HEARTBEAT = DiscordOptions(heartbeat_interval=0.7)
"""Seconds. A connection that has frozen is noticed at the second heartbeat, before what is asked meanwhile is
too late, also on a busy machine."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("gateway")
    yield from shared_scene(folder, authority, {}, discord=QUICK_HEARTBEAT, providers=SLOW)


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
    with trio.fail_after(60):
        await discord.wait_ready()
    assert "You asked: “next”" in (await scene.ask("next", user=person(first))).text


@played
async def test_answers_arrive_while_the_gateway_is_lost_and_resumed(scene: Scene) -> None:
    resumes = scene.sandbox.discord.counters.resumes
    await lose_the_gateway(scene, 1100, resumable=True)
    assert scene.sandbox.discord.counters.resumes == resumes + 1


@pytest.mark.slow
@played
async def test_answers_arrive_while_the_gateway_is_lost_and_its_session_too(scene: Scene) -> None:
    identifies = scene.sandbox.discord.counters.identifies
    await lose_the_gateway(scene, 1110, resumable=False)
    assert scene.sandbox.discord.counters.identifies == identifies + 1


@pytest.mark.slow
@played
async def test_what_was_asked_just_before_the_session_ended_is_answered(scene: Scene) -> None:
    """Events that are being acknowledged when op 9 comes are not dropped with the listener."""
    discord, answered = scene.sandbox.discord, scene.answered()
    asked = [discord.invoke_now("ask", {"prompt": f"I am {n}"}, user=person(n)) for n in range(1130, 1150)]
    discord.invalidate_sessions()
    await scene.wait_answered(answered + 20)
    for interaction in asked:
        assert "You asked: “I am" in interaction.text
    with trio.fail_after(60):
        await discord.wait_ready()


@played
async def test_a_question_asked_during_the_gap_is_answered_after_the_resume(scene: Scene) -> None:
    discord = scene.sandbox.discord
    discord.drop_gateway(resumable=True)
    interaction = discord.invoke_now("ask", {"prompt": "are you there?"}, user=person(1120))
    await interaction.wait_until(lambda i: "You asked" in i.text, timeout=10)


def has_answered(prompt: str, interaction: Interaction) -> bool:
    """Whether the answer to this is shown."""
    return f"You asked: “{prompt}”" in interaction.text


async def answered_once(scene: Scene, asked: Mapping[str, Interaction]) -> None:
    """Each is answered in words of its own; nobody acknowledged, or asked the provider, twice for one."""
    for prompt, interaction in asked.items():
        await interaction.wait_until(partial(has_answered, prompt), timeout=120)
    assert [interaction.refused_acknowledgements for interaction in asked.values()] == [0] * len(asked)
    requests = [str(request["input"][-1]["content"]) for request in scene.sandbox.openai.requests]
    assert {prompt: sum(prompt in text for text in requests) for prompt in asked} == dict.fromkeys(asked, 1)


@pytest.mark.slow
@played
async def test_a_burst_during_op_7_is_answered_once_though_events_come_twice(scene: Scene) -> None:
    """Discord asks to reconnect in the middle of it, and sends some of it again after each RESUME."""
    discord = scene.sandbox.discord
    identifies, resumes = discord.counters.identifies, discord.counters.resumes
    discord.resume_overlap = 8
    asked = {}
    for number in range(30):
        prompt = f"op 7, question {number}."
        asked[prompt] = discord.invoke_now("ask", {"prompt": prompt}, user=person(1200 + number))
        if number in {9, 19}:
            discord.ask_to_reconnect()
            await trio.sleep(0.2)
    await answered_once(scene, asked)
    discord.resume_overlap = 0
    assert discord.counters.identifies == identifies
    assert discord.counters.resumes > resumes


@pytest.mark.slow
@played
async def test_answers_arrive_while_the_connection_is_a_zombie_and_so_does_what_is_asked_then(
    scene: Scene,
) -> None:
    """Five answers stream while the gateway is silent; five more are asked meanwhile."""
    discord, asked = scene.sandbox.discord, {}
    identifies = discord.counters.identifies
    for number in range(10):
        prompt = f"zombie, question {number}."
        asked[prompt] = discord.invoke_now("ask", {"prompt": prompt}, user=person(1240 + number))
        if number == 4:
            for interaction in asked.values():
                await interaction.wait_until(lambda i: i.acknowledged_after is not None)
            discord.freeze_gateway()
    await answered_once(scene, asked)
    discord.heal_gateway()
    assert discord.counters.identifies == identifies
