"""The disk and the clock of the machine misbehave under the running bot."""

import errno
import re
import time
from pathlib import Path

import pytest
import trio

from discordianai.sandbox.discord import person
from discordianai.sandbox.launcher import open_bot
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.sandbox.providers.scripted_answers import compose
from tests.conversations.disk_faults import Faults, make_faults
from tests.end_to_end.conftest import RESTARTED, Scene, Stage, said
from tests.end_to_end.test_asking import squeezed
from tests.end_to_end.test_crashes import killed_while_streaming, turns

pytestmark = pytest.mark.slow

HOUR = 3600
YEARS = 365 * 24 * HOUR


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return make_faults(tmp_path, "conversations.sqlite3")


async def logged(scene: Scene, event: str) -> None:
    with trio.fail_after(60):
        while event not in scene.log():  # noqa: ASYNC110  # a file tells nobody when it grows
            await trio.sleep(0.05)


def wanted(prompt: str) -> str:
    return compose("OpenAI", prompt, [], sources=False).text


async def test_people_are_answered_while_the_disk_is_full_and_all_is_stored_afterwards(
    stage: Stage, faults: Faults
) -> None:
    """The log says it once, however many ask."""
    prompts = ["why is the sky blue?", "why is grass green?", "why is snow white?"]
    async with stage(environment=faults.environment) as scene:
        faults.set(error=errno.ENOSPC)
        for number, prompt in enumerate(prompts):
            interaction = await scene.ask(prompt, user=person(number))
            assert squeezed(said(interaction)) == squeezed(wanted(prompt))
        faults.set()
        await logged(scene, "conversations are kept in the database again")
        assert await scene.bot.stop() == 0
        lines = [line for line in scene.log().splitlines() if "level=info" not in line]
        of_questions = [line for line in lines if "guild_retention" not in line]
        assert ["conversations are kept in memory only" in line for line in of_questions] == [True]
        assert turns(scene.sandbox) == [text for prompt in prompts for text in (prompt, wanted(prompt))]


async def test_an_answer_does_not_wait_for_a_slow_disk(stage: Stage, faults: Faults) -> None:
    """Each fsync takes eight seconds; the answer is whole long before three of them are over."""
    async with stage(environment=faults.environment) as scene:
        faults.set(fsync_seconds=8)
        began = trio.current_time()
        interaction = await scene.ask("why is the sky blue?")
        assert trio.current_time() - began < 12
        assert squeezed(said(interaction)) == squeezed(wanted("why is the sky blue?"))
        faults.set()
        assert await scene.bot.stop() == 0
        assert scene.log().count("the disk is slow") == 1
        assert turns(scene.sandbox) == ["why is the sky blue?", wanted("why is the sky blue?")]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
async def test_a_question_left_by_a_crash_is_completed_where_it_was_asked_though_the_clock_jumped(
    stage: Stage, faults: Faults, jump: int
) -> None:
    """By the system clock its interaction would have been over for long, or be of the future."""
    async with stage(discord=RESTARTED, environment=faults.environment) as scene:
        interaction = await killed_while_streaming(scene, "why is the sky blue?")
        faults.set(clock_ahead=jump)
        async with open_bot(scene.sandbox):
            await scene.wait_answered(1)
            assert squeezed(said(interaction)) == squeezed(wanted("why is the sky blue?"))
            assert len(scene.sandbox.discord.channel_messages) == 0


@pytest.mark.parametrize("jump", [-50 * YEARS, 60 * YEARS])
async def test_a_clock_that_is_years_wrong_makes_nobody_forget(
    stage: Stage, faults: Faults, jump: int
) -> None:
    """What is said meanwhile is remembered, then and when the clock is right again."""
    prompts = ["why is the sky blue?", "why is grass green?", "why is snow white?"]
    async with stage(environment=faults.environment) as scene:
        for prompt, ahead in zip(prompts, (jump, jump, 0), strict=True):
            faults.set(clock_ahead=ahead)
            await scene.ask(prompt)
            asked = str(scene.sandbox.openai.requests[-1]["input"])
            assert all(earlier in asked for earlier in prompts[: prompts.index(prompt)])
        assert await scene.bot.stop() == 0


async def test_a_clock_that_jumps_under_the_bot_is_logged_once_and_disturbs_nobody(
    stage: Stage, faults: Faults
) -> None:
    async with stage(environment=faults.environment) as scene:
        await scene.ask("why is the sky blue?")
        faults.set(clock_ahead=HOUR)
        interaction = await scene.ask("why is grass green?", user=person(1))
        assert squeezed(said(interaction)) == squeezed(wanted("why is grass green?"))
        await logged(scene, "system clock jumped")
        faults.set()
        await logged(scene, "system clock corrected")
        assert scene.log().count("system clock jumped") == 1


async def test_since_when_a_model_thinks_is_told_whatever_the_clock_jumped_to(
    stage: Stage, faults: Faults
) -> None:
    """Discord would show that it began ten years from now."""
    async with stage(environment=faults.environment) as scene:
        faults.set(clock_ahead=10 * YEARS)
        scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=0))
        interaction = await scene.sandbox.discord.invoke("ask", {"prompt": "why is snow white?"})
        await interaction.wait_until(lambda i: "Thinking" in i.text)
        told = re.search(r"<t:(\d+):R>", interaction.text)
        assert told
        assert abs(time.time() - int(told[1])) < 60
