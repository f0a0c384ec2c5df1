"""The process is killed in the middle: what was asked is answered all the same, once."""

from functools import partial

import pytest
import trio

from benchmarks.answers import is_whole
from benchmarks.stored import rows
from discordianai.sandbox.discord import CHANNELS, Interaction, person
from discordianai.sandbox.launcher import Sandbox, open_bot
from discordianai.sandbox.providers import Fault, ServiceOptions
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.sandbox.providers.scripted_answers import compose
from tests.end_to_end.conftest import FAST, RESTARTED, Scene, Stage, said
from tests.end_to_end.databases import on_both_databases
from tests.end_to_end.test_asking import LONG, squeezed

pytestmark = [pytest.mark.slow, on_both_databases]

SLOW = ServiceOptions(first_token=0.05, between_tokens=0.02)
HOUR = 3600


def turns(sandbox: Sandbox) -> list[str]:
    """What is remembered, oldest first."""
    if sandbox.database is None:
        assert rows(sandbox, "PRAGMA integrity_check") == [("ok",)]
    return [text for (text,) in rows(sandbox, "SELECT text FROM turns ORDER BY id")]


def open_questions(sandbox: Sandbox) -> int:
    """How many a process would find at its start."""
    ((count,),) = rows(sandbox, "SELECT count(*) FROM questions WHERE state < 2")
    return int(count)


def make_older(sandbox: Sandbox, seconds: float) -> None:
    """Let the questions that are pending have been asked earlier."""
    rows(sandbox, "UPDATE questions SET acknowledged_at = acknowledged_at - ?", seconds)
    sandbox.discord.advance(seconds)


def noted(sandbox: Sandbox) -> str:
    """The ids of the messages that the journal knows of."""
    return " ".join(row[0] for row in rows(sandbox, "SELECT message_ids FROM questions"))


async def killed_while_streaming(scene: Scene, prompt: str, **more: object) -> Interaction:
    """Ask, and kill the bot when the first words are shown."""
    scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=60))
    interaction = await scene.sandbox.discord.invoke("ask", {"prompt": prompt, **more})
    await interaction.wait_until(lambda i: "sandbox" in i.text)
    await scene.bot.kill()
    return interaction


async def test_an_answer_that_had_begun_is_completed_in_its_message(stage: Stage) -> None:
    async with stage(discord=RESTARTED) as scene:
        interaction = await killed_while_streaming(scene, "why is the sky blue?")
        async with open_bot(scene.sandbox):
            await scene.wait_answered(1)
            wanted = compose("OpenAI", "why is the sky blue?", [], sources=False).text
            assert said(interaction) == wanted
            assert len(interaction.messages) == 1
            assert len(scene.sandbox.discord.channel_messages) == 0
        assert turns(scene.sandbox) == ["why is the sky blue?", wanted]


async def test_a_long_answer_goes_on_in_the_messages_that_are_there(stage: Stage) -> None:
    async with stage(discord=RESTARTED, providers=SLOW) as scene:
        scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=420))  # of 454 pieces
        interaction = await scene.sandbox.discord.invoke("ask", {"prompt": LONG})
        await interaction.wait_until(lambda i: len(i.messages) >= 2)
        with trio.fail_after(60):
            while str(interaction.messages[1].id) not in noted(scene.sandbox):  # noqa: ASYNC110  # a file
                await trio.sleep(0.02)
        await scene.bot.kill()
        before = [message.id for message in interaction.messages]
        scene.sandbox.openai.options = FAST
        async with open_bot(scene.sandbox):
            await scene.wait_answered(1, timeout=60)
            wanted = compose("OpenAI", LONG, [], sources=False).text
            assert squeezed(said(interaction)) == squeezed(wanted)
            assert [message.id for message in interaction.messages][: len(before)] == before
            assert not any(message.deleted for message in interaction.messages)
        assert turns(scene.sandbox) == [LONG, wanted]


async def test_a_restart_tells_who_waits_and_answers_when_it_is_back(stage: Stage) -> None:
    async with stage(discord=RESTARTED, settings={"discord": {"drain_seconds": 0.1}}) as scene:
        scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=60))
        interaction = await scene.sandbox.discord.invoke("ask", {"prompt": "take your time"})
        await interaction.wait_until(lambda i: "sandbox" in i.text)
        assert await scene.bot.stop() == 0
        assert "The answer will come when I'm back." in interaction.text
        async with open_bot(scene.sandbox):
            await scene.wait_answered(1)
            wanted = compose("OpenAI", "take your time", [], sources=False).text
            assert squeezed(said(interaction)) == squeezed(wanted)


async def test_the_second_crash_is_told_and_no_provider_is_asked_a_third_time(stage: Stage) -> None:
    """What ends the process ends it once more at most; then the person is told, and others are served."""
    async with stage() as scene:
        openai = scene.sandbox.openai
        interaction = await killed_while_streaming(scene, "a question that ends processes")
        openai.misbehave(Fault(FaultKind.STALL, after=60))
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            with trio.fail_after(60):
                while len(openai.requests) < 2 or not openai.in_flight:  # noqa: ASYNC110  # it tells nobody
                    await trio.sleep(0.02)
            await bot.kill()
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            await interaction.wait_until(lambda i: "stopped me twice" in i.text)
            await scene.ask("and now?", user=person(1))
            assert await bot.stop() == 0
        assert len(openai.requests) == 3  # twice this one, once the other
        assert open_questions(scene.sandbox) == 0


async def test_stops_in_good_order_are_no_crashes(stage: Stage) -> None:
    """An operator may restart the bot as often as they like: the question is still answered in the end."""
    async with stage(settings={"discord": {"drain_seconds": 0.1}}) as scene:
        openai = scene.sandbox.openai
        openai.misbehave(*[Fault(FaultKind.STALL, after=60)] * 3)
        interaction = await scene.sandbox.discord.invoke("ask", {"prompt": "take your time"})
        await interaction.wait_until(lambda i: "sandbox" in i.text)
        assert await scene.bot.stop() == 0
        for number in (2, 3):
            async with open_bot(scene.sandbox) as bot:
                with trio.fail_after(60):
                    while len(openai.requests) < number or not openai.in_flight:  # noqa: ASYNC110  # as above
                        await trio.sleep(0.02)
                assert await bot.stop() == 0
        async with open_bot(scene.sandbox):
            await scene.wait_answered(1)
            wanted = compose("OpenAI", "take your time", [], sources=False).text
            assert squeezed(said(interaction)) == squeezed(wanted)


async def test_what_was_left_waits_until_the_bot_hears_new_questions_and_a_stop_meanwhile_is_clean(
    stage: Stage,
) -> None:
    """A question that ends the process must not keep it from all the others, start after start."""
    async with stage() as scene:
        sandbox = scene.sandbox
        interaction = await killed_while_streaming(scene, "why is the sky blue?")
        sandbox.discord.fail_next("/gateway", 503, times=10_000)
        async with open_bot(sandbox) as bot:
            with trio.fail_after(60):
                while "the listener stopped; starting it again" not in scene.log():  # noqa: ASYNC110  # a file
                    await trio.sleep(0.05)
            assert len(sandbox.openai.requests) == 1
            with trio.fail_after(15):
                assert await bot.stop() == 0
        sandbox.discord.clear_failures()
        async with open_bot(sandbox):
            await scene.wait_answered(1)
            assert is_whole("why is the sky blue?", interaction.text)


async def test_many_that_were_left_do_not_keep_new_questions_waiting(stage: Stage) -> None:
    """Few of them are worked on at a time, beside what is asked now."""
    async with stage(providers=ServiceOptions(first_token=0.05, between_tokens=0.02)) as scene:
        discord = scene.sandbox.discord
        asked = {
            f"question {number}": discord.invoke_now(
                "ask", {"prompt": f"question {number}"}, user=person(100 + number)
            )
            for number in range(40)
        }
        for interaction in asked.values():
            await interaction.wait_until(lambda i: i.response_type is not None)
        await scene.bot.kill()
        open_before = open_questions(scene.sandbox)
        assert open_before > 20
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            new = await discord.invoke("ask", {"prompt": "a new one"}, user=person(1))
            await new.wait_until(lambda i: is_whole("a new one", i.text))
            assert open_questions(scene.sandbox) > 5
            for prompt, interaction in asked.items():
                if interaction.response_type is not None:
                    await interaction.wait_until(partial(shows_whole, prompt))


def shows_whole(prompt: str, interaction: Interaction) -> bool:
    return is_whole(prompt, interaction.text)


async def test_after_the_interactions_time_the_channel_is_told_and_only_the_asker_is_pinged(
    stage: Stage,
) -> None:
    async with stage(discord=RESTARTED) as scene:
        discord = scene.sandbox.discord
        await killed_while_streaming(scene, "why is the sky blue?")
        make_older(scene.sandbox, HOUR)
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            with trio.fail_after(60):
                while not discord.channel_messages:  # noqa: ASYNC110  # it happens once
                    await trio.sleep(0.05)
            (message,) = discord.channel_messages
            assert "before I could finish answering your question" in message.content
            assert message.pings == [f"<@{person().id}>"]
            assert message.channel_id == CHANNELS[0].id


async def test_a_whole_answer_that_is_late_comes_as_any_other_does(stage: Stage) -> None:
    """Too long for the messages that an answer may have, it comes to the channel as a file."""
    async with stage(discord=RESTARTED) as scene:
        discord, whole = scene.sandbox.discord, "All of it. " * 3_000
        await killed_while_streaming(scene, "why is the sky blue?")
        rows(scene.sandbox, "UPDATE questions SET state = 1, text = ?", whole)
        make_older(scene.sandbox, HOUR)
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            with trio.fail_after(60):
                while open_questions(scene.sandbox):  # noqa: ASYNC110  # a file tells nobody when it changes
                    await trio.sleep(0.05)
            assert await bot.stop() == 0
        word, *answer = [message for message in discord.channel_messages if not message.deleted]
        assert word.content.startswith(f"<@{person().id}> I was restarted while answering you.")
        assert len(answer) == 1
        assert answer[0].files["answer.md"].decode().strip() == whole.strip()
        assert answer[0].pings == []
        assert open_questions(scene.sandbox) == 0


async def told_of_what_was_missed(scene: Scene) -> Interaction:
    """Ask until a message below one of the answers tells it; it comes after the answer that it belongs to."""
    asked: list[Interaction] = []
    with trio.fail_after(60):  # another process may have to wait for the end of a lease
        while True:
            asked.append(await scene.ask("hello?"))
            with trio.move_on_after(2):
                while True:
                    for each in asked:
                        if "2 hours ago" in each.text:
                            return each
                    await trio.sleep(0.02)


async def test_what_was_private_is_told_with_the_next_command_and_to_nobody_else(stage: Stage) -> None:
    async with stage(discord=RESTARTED) as scene:
        discord = scene.sandbox.discord
        await killed_while_streaming(scene, "a secret", private=True)
        make_older(scene.sandbox, 2 * HOUR)
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            await scene.ask("hello?", user=person(1))
            answer = await told_of_what_was_missed(scene)
            assert answer.messages[-1].private
            assert not answer.messages[0].private
            again = await scene.ask("and again?")
            assert "hours ago" not in again.text
        assert discord.channel_messages == []


async def test_a_replayed_event_is_answered_once_also_by_the_next_process(stage: Stage) -> None:
    async with stage(discord=RESTARTED) as scene:
        discord = scene.sandbox.discord
        interaction = await scene.ask("why is the sky blue?")
        discord.replay(interaction)
        await scene.ask("and now?", user=person(1))  # by then the replayed one has come
        await scene.bot.stop()
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            discord.replay(interaction)
            await scene.ask("and then?", user=person(1))
        assert len(scene.sandbox.openai.requests) == 3
        assert interaction.refused_acknowledgements == 0
