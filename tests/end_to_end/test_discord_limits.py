"""Long answers, interactions that expire, user-installed apps: what Discord limits. One bot runs."""

import pytest
import trio

from discordianai.sandbox.discord import CHANNELS, Channel, direct_messages, person
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.sandbox.providers.scripted_answers import compose
from tests.end_to_end.conftest import Scene, said
from tests.end_to_end.sharing import SharedScene, played

pytestmark = pytest.mark.xdist_group("limited")

FOREIGN = Channel(77, "elsewhere", 78)
"""In a server that the bot is no member of."""
LONG = "tell me all, !long"


@pytest.fixture(scope="module")
def scene(limited_scene: SharedScene) -> SharedScene:
    return limited_scene


@played
async def test_an_answer_of_too_many_messages_becomes_a_file_and_the_others_go(scene: Scene) -> None:
    answer = await scene.ask(LONG, user=person(60))
    first, *others = answer.messages
    assert "The whole answer is in the file." in first.content
    assert first.content.endswith("-# OpenAI · gpt-6-luna · no search needed")
    assert others
    assert all(message.deleted for message in others)
    text = first.files["answer.md"].decode()
    assert text == compose("OpenAI", LONG, [], sources=False).text
    assert text.startswith(said(answer))


@pytest.mark.slow
@played
async def test_an_answer_that_outlives_its_interaction_goes_on_in_the_channel(scene: Scene) -> None:
    discord = scene.sandbox.discord
    answered, before = scene.answered(), len(discord.channel_messages)
    scene.sandbox.openai.misbehave(Fault(FaultKind.SLOW, seconds=0.05))
    asked = await discord.invoke(
        "ask", {"prompt": "why is the sky blue?"}, user=person(61), channel=CHANNELS[2]
    )
    await asked.wait_until(lambda i: "sandbox" in i.text)
    discord.advance(16 * 60)
    await scene.wait_answered(answered + 1, timeout=120)
    (rest,) = discord.channel_messages[before:]
    assert rest.channel_id == CHANNELS[2].id
    assert rest.content.endswith("-# OpenAI · gpt-6-luna · no search needed")
    assert "You asked: “why is the sky blue?”" in rest.content


@played
async def test_a_guest_answers_publicly_and_privately_and_is_remembered(scene: Scene) -> None:
    user = person(70)
    first = await scene.ask("hello from afar", user=user, channel=FOREIGN, guest=True)
    assert "You asked: “hello from afar”" in first.text
    second = await scene.ask("and again", user=user, channel=FOREIGN, guest=True)
    assert "the last was: “hello from afar”" in second.text
    private = await scene.ask("quietly", user=user, channel=FOREIGN, guest=True, options={"private": True})
    assert private.private


@played
async def test_a_guest_opens_no_thread_and_says_so(scene: Scene) -> None:
    threads = len(scene.sandbox.discord.threads)
    for user, channel, words in (
        (person(71), FOREIGN, "can't open a thread here"),
        (person(72), direct_messages(person(90)), "Threads can't be opened here"),
    ):
        answer = await scene.ask(
            "no thread", user=user, channel=channel, guest=True, options={"thread": True}
        )
        assert "You asked: “no thread”" in answer.text
        assert words in answer.text
    assert len(scene.sandbox.discord.threads) == threads


@played
async def test_a_guest_says_in_the_answer_that_the_rest_is_in_a_file(scene: Scene) -> None:
    answer = await scene.ask(LONG, user=person(73), channel=FOREIGN, guest=True)
    assert "The whole answer is in the file." in answer.text
    assert set(answer.messages[0].files) == {"answer.md"}
    assert all(message.deleted for message in answer.messages[1:])


@played
async def test_a_guest_writes_nothing_into_the_channel_when_the_time_is_over(scene: Scene) -> None:
    """They have a direct message."""
    discord, user = scene.sandbox.discord, person(74)
    scene.sandbox.openai.misbehave(Fault(FaultKind.SLOW, seconds=0.05))
    prompt = {"prompt": "why is the sky blue?"}
    asked = await discord.invoke("ask", prompt, user=user, channel=FOREIGN, guest=True)
    await asked.wait_until(lambda i: "sandbox" in i.text)
    discord.advance(16 * 60)
    with trio.fail_after(60):
        while "answer could not be shown" not in scene.log():  # noqa: ASYNC110  # a file
            await trio.sleep(0.02)
    assert not [message for message in discord.channel_messages if message.channel_id == FOREIGN.id]
    direct = direct_messages(user).id
    with trio.fail_after(20):  # the log may be ahead of it
        while not any(each.channel_id == direct for each in discord.channel_messages):  # noqa: ASYNC110  # once
            await trio.sleep(0.02)
    (told,) = (each for each in discord.channel_messages if each.channel_id == direct)
    assert told.content.startswith("About your question")
    assert not [line for line in discord.counters.refused if "/channels" in line]
