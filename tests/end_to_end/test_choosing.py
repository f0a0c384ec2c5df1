"""Who answers, and the buttons under an answer: the whole way, with the real library. One bot runs."""

import pytest
import trio

from discordianai.sandbox.discord import CHANNELS, person
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind
from tests.end_to_end.conftest import Scene
from tests.end_to_end.databases import on_both_databases
from tests.end_to_end.sharing import SharedScene, played

pytestmark = [pytest.mark.xdist_group("plain"), on_both_databases]

SLOW = Fault(FaultKind.SLOW, seconds=0.1)
STEADY = Fault(FaultKind.SLOW, seconds=0.01)


@pytest.fixture(scope="module")
def scene(plain_scene: SharedScene) -> SharedScene:
    return plain_scene


@played
async def test_where_the_model_calls_for_the_web_perplexity_answers_with_sources(scene: Scene) -> None:
    answer = await scene.ask("what happened today in Oslo", user=person(1))
    assert "The sandbox's Perplexity speaks" in answer.text
    assert "**Sources**" in answer.text
    shown = [text for _, text in answer.messages[0].history]
    assert any(text.startswith("-# Searching the web for `sandbox search: what happened") for text in shown)
    assert answer.text.endswith("-# Perplexity · fast · needs the web")
    asked = scene.sandbox.perplexity.requests[-1]["input"][-1]["content"]
    assert "what happened today in Oslo" in asked
    assert "sandbox search:" in asked
    # A follow-up knows what was said, whoever said it.
    assert (
        "the last was: “what happened today in Oslo”" in (await scene.ask("and then?", user=person(1))).text
    )


@played
async def test_stop_ends_the_answer_at_once_and_resets_the_stream(scene: Scene) -> None:
    discord, openai, asker = scene.sandbox.discord, scene.sandbox.openai, person(2)
    answered, cut = scene.answered(), openai.cut_by_client
    openai.misbehave(SLOW)
    interaction = await discord.invoke("ask", {"prompt": "why is the sky blue?"}, user=asker)
    await interaction.wait_until(lambda i: "sandbox" in i.text)
    stranger = discord.press(interaction.messages[0], "Stop", person(9))
    await stranger.wait_until(lambda i: "Only the person who asked" in i.text)
    assert stranger.private
    assert openai.in_flight == 1
    discord.press(interaction.messages[0], "Stop", asker)
    await scene.wait_answered(answered + 1)
    assert interaction.text.endswith("-# Stopped.\n-# OpenAI · gpt-6-luna · no search needed")
    with trio.fail_after(2):
        while openai.in_flight:  # noqa: ASYNC110  # the reset crosses a socket
            await trio.sleep(0.01)
    assert openai.cut_by_client == cut + 1
    # Who presses a button that was there a moment ago reads what has become of it.
    late = discord.press(interaction.messages[0], f"stop:{asker.id}:{interaction.id}", asker)
    await late.wait_until(lambda i: any("already finished" in message.content for message in i.messages))
    assert late.messages[-1].private


@played
async def test_a_message_that_is_deleted_stops_its_answer(scene: Scene) -> None:
    cut = scene.sandbox.openai.cut_by_client
    scene.sandbox.openai.misbehave(SLOW)
    prompt = {"prompt": "why is the sky blue?"}
    interaction = await scene.sandbox.discord.invoke("ask", prompt, user=person(3))
    await interaction.wait_until(lambda i: "sandbox" in i.text)
    interaction.messages[0].deleted = True
    with trio.fail_after(5):
        while scene.sandbox.openai.in_flight:  # noqa: ASYNC110  # the reset crosses a socket
            await trio.sleep(0.01)
        while "answer could not be shown" not in scene.log():  # noqa: ASYNC110  # a file tells nobody
            await trio.sleep(0.01)
    assert scene.sandbox.openai.cut_by_client == cut + 1


@played
async def test_one_person_has_five_questions_open_at_most(scene: Scene) -> None:
    discord, openai, asker = scene.sandbox.discord, scene.sandbox.openai, person(4)
    answered, openai.most_in_flight = scene.answered(), 0
    openai.misbehave(*[STEADY] * 5)
    asked = [
        discord.invoke_now("ask", {"prompt": f"number {n}"}, user=asker, channel=CHANNELS[n % 3])
        for n in range(6)
    ]
    await asked[-1].wait_until(lambda i: "You have 5 questions open" in i.text)
    assert asked[-1].private
    await asked[-2].wait_until(lambda i: "Waiting for earlier questions to finish." in i.text)
    assert openai.most_in_flight == 2
    await scene.wait_answered(answered + 5, timeout=60)
    assert openai.most_in_flight == 2


@played
async def test_an_endpoint_without_tools_is_noticed_and_rules_decide(scene: Scene) -> None:
    """The last of the module: the bot asks without tools from then on."""
    openai = scene.sandbox.openai
    before = len(openai.requests)
    openai.misbehave(Fault.no_tools())
    assert "OpenAI speaks" in (await scene.ask("why is the sky blue?", user=person(5))).text
    assert "Perplexity speaks" in (await scene.ask("what happened today in Oslo", user=person(5))).text
    assert scene.log().count("endpoint refuses tools") == 1
    assert "tools" in openai.requests[before]
    assert all("tools" not in body for body in list(openai.requests)[before + 1 :])
