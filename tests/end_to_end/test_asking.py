"""A person asks and reads the answer: the whole way, through real sockets."""

import re
from itertools import pairwise

import pytest
import trio

from discordianai.sandbox.discord import CHANNELS, direct_messages, person
from discordianai.sandbox.launcher import open_bot
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.sandbox.providers.scripted_answers import compose
from tests.end_to_end.conftest import Scene, said
from tests.end_to_end.databases import on_both_databases, only_on_sqlite
from tests.end_to_end.sharing import SharedScene, played

pytestmark = [pytest.mark.xdist_group("plain"), on_both_databases]

LONG = "hello"  # the sandbox answers this one in several messages


@pytest.fixture(scope="module")
def scene(plain_scene: SharedScene) -> SharedScene:
    return plain_scene


def squeezed(text: str) -> str:
    """Without white space, and without the fences that are added where a code block runs on."""
    return "".join(re.sub(r"^```\w*$", "", text, flags=re.MULTILINE).split())


@played
async def test_the_answer_arrives_whole_publicly_and_is_remembered(scene: Scene) -> None:
    asker, stranger = person(1000), person(1001)
    first = await scene.ask("why is the sky blue?", user=asker)
    assert said(first) == compose("OpenAI", "why is the sky blue?", [], sources=False).text
    assert first.text.endswith("\n\n-# OpenAI · gpt-6-luna · no search needed")
    assert not first.private
    second = await scene.ask("and at night?", user=asker)
    assert "the last was: “why is the sky blue?”" in second.text
    assert "You have asked" not in (await scene.ask("and at night?", user=stranger)).text
    elsewhere = await scene.ask("and at night?", user=asker, channel=CHANNELS[1])
    assert "You have asked" not in elsewhere.text
    direct = await scene.ask("in private", user=asker, channel=direct_messages(asker))
    assert "You asked: “in private”" in direct.text
    assert scene.sandbox.discord.counters.refused == []


@played
async def test_a_long_answer_streams_into_several_messages_at_a_readable_pace(scene: Scene) -> None:
    scene.sandbox.openai.misbehave(Fault(FaultKind.SLOW, seconds=0.002))
    answer = await scene.ask(LONG, user=person(1002))
    wanted = compose("OpenAI", LONG, [], sources=False).text
    assert len(answer.messages) > 1
    assert squeezed(said(answer)) == squeezed(wanted)
    assert len(answer.messages[0].history) > 1
    for message in answer.messages:
        times = [moment for moment, _ in message.history]
        # The bot keeps one second; what arrives may be some milliseconds closer.
        assert all(later - earlier > 0.9 for earlier, later in pairwise(times))
    assert scene.sandbox.discord.counters.rate_limited == 0


@played
async def test_perplexity_answers_with_its_sources(scene: Scene) -> None:
    answer = await scene.ask("what happened today", options={"provider": "perplexity"}, user=person(1003))
    sources = compose("Perplexity", "what happened today", [], sources=True).sources
    for number, source in enumerate(sources, start=1):
        assert f"[{number}] [{source.title}](<{source.url}>) · " in answer.text
        assert f"One page says so [[{number}]](<{source.url}>)." in answer.text


@played
async def test_a_private_question_is_answered_privately_in_every_message(scene: Scene) -> None:
    answer = await scene.ask(LONG, options={"private": True}, user=person(1004))
    assert len(answer.messages) > 1
    assert all(message.private for message in answer.messages)


NO_QUESTIONS = {
    "": "Your question is empty",
    " \n\t ": "Your question is empty",
    "\u200b\u200d\u2060\u200f": "Your question is empty",
    "x" * 6001: "That's too long",
}


@played
async def test_what_is_no_question_is_refused_to_the_asker_alone(scene: Scene) -> None:
    before = len(scene.sandbox.openai.requests)
    for prompt, refusal in NO_QUESTIONS.items():
        interaction = scene.sandbox.discord.invoke_now("ask", {"prompt": prompt}, user=person(1005))
        await interaction.wait_until(lambda i: not i.loading)
        assert refusal in interaction.text
        assert interaction.private
    assert len(scene.sandbox.openai.requests) == before


AWKWARD = (
    "@everyone @here <@1300000000000010000> <@&5>",
    "```python\nunclosed `` ~~~ ``` and ```",
    "\u202eright to left\u202c \u200bzero width",
    "**bold *nested _italics_ ||spoiler `code",
    "word " * 1200,
)


@played
async def test_awkward_questions_are_answered_and_ping_nobody(scene: Scene) -> None:
    for prompt in AWKWARD:
        answer = await scene.ask(prompt, user=person(1006))
        assert "You asked" in answer.text
        assert all(message.pings == [] for message in answer.messages)
        assert all(body is not None for body in scene.sandbox.openai.requests)
    assert scene.sandbox.discord.counters.refused == []


@played
async def test_sixty_people_at_once_are_all_acknowledged_and_answered_once(scene: Scene) -> None:
    discord, before = scene.sandbox.discord, scene.answered()
    requests = scene.sandbox.openai.answered
    numbers = range(1100, 1160)
    asked = [discord.invoke_now("ask", {"prompt": f"I am {n}"}, user=person(n)) for n in numbers]
    await scene.wait_answered(before + 60, timeout=120)
    assert max(i.acknowledged_after or 99 for i in asked) < 3.0
    for number, interaction in zip(numbers, asked, strict=True):
        wanted = compose("OpenAI", f"I am {number}", [], sources=False).text
        assert squeezed(said(interaction)) == squeezed(wanted)
    assert scene.sandbox.openai.answered == requests + 60
    assert discord.counters.late_acknowledgements == 0


@played
async def test_with_h2_it_says_so_for_each_client_and_uses_it(scene: Scene) -> None:
    await scene.ask("who?", user=person(1007))
    assert scene.log().count("HTTP/2 enabled") == 3
    assert scene.sandbox.openai.server is not None
    assert {c.protocol for c in scene.sandbox.openai.server.history} == {"HTTP/2"}


@played
async def test_discord_is_told_that_it_is_a_bot(scene: Scene) -> None:
    """Cloudflare may block others."""
    told = scene.sandbox.discord.counters.user_agents
    assert [agent for agent in told if not agent.startswith("DiscordBot (")] == []
    assert any("discordianai" in agent for agent in told)


@only_on_sqlite  # several processes may share a PostgreSQL
@played
async def test_two_bots_cannot_share_a_database(scene: Scene) -> None:
    async with open_bot(scene.sandbox) as second:
        with trio.fail_after(90):
            assert await second.process.wait() == 1
    assert re.search(r"in use by another bot \(process \d+\)", scene.log())
    assert "You asked" in (await scene.ask("are you there?", user=person(1008))).text


@only_on_sqlite
@played
async def test_files_with_tokens_are_for_the_bot_alone(scene: Scene) -> None:
    await scene.ask("who?", user=person(1009))
    files = list(scene.sandbox.folder.glob("conversations.sqlite3*"))
    assert len(files) >= 3
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
