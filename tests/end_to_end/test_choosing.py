"""Who answers, and the buttons under an answer: the whole way, with the real library."""

import trio

from discordianai.sandbox.discord import CHANNELS, person
from discordianai.sandbox.providers import Fault, ServiceOptions
from tests.end_to_end.conftest import Stage

SLOW = ServiceOptions(first_token=0.05, between_tokens=0.1)
STEADY = ServiceOptions(first_token=0.05, between_tokens=0.04)


async def test_where_the_model_calls_for_the_web_perplexity_answers_with_sources(stage: Stage) -> None:
    async with stage() as scene:
        answer = await scene.ask("what happened today in Oslo")
        assert "The sandbox's Perplexity speaks" in answer.text
        assert "**Sources**" in answer.text
        assert answer.text.endswith("-# Perplexity · fast · needs the web")
        asked = scene.sandbox.perplexity.requests[0]["input"][-1]["content"]
        assert "what happened today in Oslo" in asked
        assert "sandbox search:" in asked
        # A follow-up knows what was said, whoever said it.
        assert "the last was: “what happened today in Oslo”" in (await scene.ask("and then?")).text


async def test_an_endpoint_without_tools_is_noticed_and_rules_decide(stage: Stage) -> None:
    async with stage() as scene:
        scene.sandbox.openai.misbehave(Fault.no_tools())
        assert "OpenAI speaks" in (await scene.ask("why is the sky blue?")).text
        assert "Perplexity speaks" in (await scene.ask("what happened today in Oslo")).text
        assert scene.log().count("the endpoint refuses tools") == 1
        assert all("tools" not in body for body in list(scene.sandbox.openai.requests)[1:])


async def test_stop_ends_the_answer_at_once_and_resets_the_stream(stage: Stage) -> None:
    async with stage(providers=SLOW) as scene:
        discord = scene.sandbox.discord
        interaction = await discord.invoke("ask", {"prompt": "why is the sky blue?"})
        await interaction.wait_until(lambda i: "sandbox" in i.text)
        stranger = discord.press(interaction.messages[0], "Stop", person(1))
        await stranger.wait_until(lambda i: "Only the person who asked" in i.text)
        assert stranger.private
        assert scene.sandbox.openai.in_flight == 1
        discord.press(interaction.messages[0], "Stop", person())
        await scene.wait_answered(1)
        assert interaction.text.endswith("-# Stopped.\n-# OpenAI · gpt-6-luna · no search needed")
        with trio.fail_after(2):
            while scene.sandbox.openai.in_flight:  # noqa: ASYNC110  # the reset crosses a socket
                await trio.sleep(0.01)
        assert scene.sandbox.openai.cut_by_client == 1
        # Who presses a button that was there a moment ago reads what has become of it.
        late = discord.press(interaction.messages[0], f"stop:{person().id}:{interaction.id}", person())
        await late.wait_until(lambda i: any("already ended" in message.content for message in i.messages))
        assert late.messages[-1].private


async def test_a_message_that_is_deleted_stops_its_answer(stage: Stage) -> None:
    async with stage(providers=SLOW) as scene:
        interaction = await scene.sandbox.discord.invoke("ask", {"prompt": "why is the sky blue?"})
        await interaction.wait_until(lambda i: "sandbox" in i.text)
        interaction.messages[0].deleted = True
        with trio.fail_after(5):
            while scene.sandbox.openai.in_flight:  # noqa: ASYNC110  # the reset crosses a socket
                await trio.sleep(0.01)
        assert scene.sandbox.openai.cut_by_client == 1
        assert "the answer could not be shown" in scene.log()


async def test_one_person_has_five_questions_open_at_most(stage: Stage) -> None:
    async with stage(providers=STEADY) as scene:
        discord = scene.sandbox.discord
        asked = [
            discord.invoke_now("ask", {"prompt": f"number {n}"}, channel=CHANNELS[n % 3]) for n in range(6)
        ]
        await asked[-1].wait_until(lambda i: "You have 5 questions open" in i.text)
        assert asked[-1].private
        await asked[-2].wait_until(lambda i: "Waiting for the questions before this one." in i.text)
        assert scene.sandbox.openai.most_in_flight == 2
        await scene.wait_answered(5, timeout=60)
        assert scene.sandbox.openai.most_in_flight == 2
