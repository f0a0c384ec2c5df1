"""Every way to an answer with the shipped settings, through services as strict as the originals.

With both keys, with each alone, and with a third provider. The fixture of all end-to-end tests sees to it
that no service has refused anything that the bot asked.
"""

import pytest
import trio

from discordianai.sandbox.discord import Interaction, person
from discordianai.sandbox.discord.user_actions import upload
from discordianai.sandbox.providers import Fault, ServiceOptions
from discordianai.sandbox.providers.provider_faults import FaultKind
from tests.end_to_end.conftest import Scene, Stage, said
from tests.end_to_end.sharing import SharedScene, played

SHIPPED = ServiceOptions(first_token=0.02, between_tokens=0.0)
"""With the limits of an account that has bought nothing yet."""

STEADY = ServiceOptions(first_token=0.05, between_tokens=0.05)
LIMITS = {"rate_limits.perplexity": {}, "rate_limits.user": {"questions": 10_000}}
"""The shipped ones of the providers; only the person asks more than a person does."""

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
NEWS = "what happened today in Oslo"

of_one_bot = pytest.mark.xdist_group("plain")


@pytest.fixture(scope="module")
def scene(plain_scene: SharedScene) -> SharedScene:
    return plain_scene


async def search(scene: Scene, query: str) -> Interaction:
    answered = scene.answered()
    interaction = await scene.sandbox.discord.invoke("search", {"query": query})
    await scene.wait_answered(answered + 1)
    return interaction


async def again(scene: Scene, answer: Interaction) -> Interaction:
    answered = scene.answered()
    pressed = scene.sandbox.discord.press(answer.messages[-1], "Again", person())
    await scene.wait_answered(answered + 1)
    return pressed


@pytest.mark.slow
async def test_with_both_keys_and_the_shipped_settings(stage: Stage) -> None:
    """The model decides, `/search` goes to the web at once, what goes along arrives."""
    async with stage(settings=LIMITS, providers=SHIPPED) as scene:
        discord, openai, perplexity = scene.sandbox.discord, scene.sandbox.openai, scene.sandbox.perplexity
        plain = await scene.ask("why is the sky blue?")
        assert plain.text.endswith("-# OpenAI · gpt-6-luna · no search needed")
        assert openai.requests[0]["tools"][0]["name"] == "web_search"
        routed = await scene.ask(NEWS)
        assert "**Sources**" in routed.text
        assert routed.text.endswith("-# Perplexity · fast · needs the web")
        assert "the last was: “what happened" in (await scene.ask("and then?")).text
        found = await search(scene, "llamas")
        assert "**Sources**" in found.text
        assert found.text.endswith("-# Perplexity · fast · as you asked")
        assert "You asked: “llamas”" in (await again(scene, found)).text
        file = upload(discord, "llama.py", b"print('llama')\n", "text/x-python")
        assert "llama.py" in (await scene.ask("what is it?", options={"file": file})).text
        image = upload(discord, "llama.png", PICTURE, "image/png")
        await scene.ask("what is it?", options={"file": image})
        assert image["url"] in str(openai.requests[-1])
        await scene.ask("and this?", options={"file": image, "provider": "perplexity"})
        assert image["url"] in str(perplexity.requests[-1])
        assert (openai.rate_limited, perplexity.rate_limited) == (0, 0), "paced as a new account allows"


@of_one_bot
@played
async def test_the_identifiers_are_nobodys_and_the_same_each_time(scene: Scene) -> None:
    """Providers can tell people apart; only the key in the database leads back to a person."""
    before = len(scene.sandbox.openai.requests)
    for number in (1, 1, 2):
        await scene.ask("who?", user=person(number))
    requests = list(scene.sandbox.openai.requests)[before:]
    first, same, other = [body["safety_identifier"] for body in requests]
    assert first == same
    assert first != other
    assert str(person(1).id) not in str(requests)


@pytest.mark.slow
async def test_with_openais_key_alone_its_own_search_answers_what_needs_the_web(stage: Stage) -> None:
    """With its citations as sources; nobody is offered a choice of one."""
    settings = {**LIMITS, "providers.perplexity": {"api_key": ""}}
    async with stage(settings=settings, providers=SHIPPED) as scene:
        plain = await scene.ask("why is the sky blue?")
        assert plain.text.endswith("-# OpenAI · gpt-6-luna · the only one")
        assert "**Sources**" not in plain.text
        for answer in (await scene.ask(NEWS), await search(scene, "llamas")):
            assert "**Sources**" in answer.text
            assert "OpenAI · gpt-6-luna" in answer.text
        (prompt,) = [o for o in scene.sandbox.discord.commands["ask"]["options"] if o["name"] == "prompt"]
        assert prompt["required"]
        assert "provider" not in [o["name"] for o in scene.sandbox.discord.commands["ask"]["options"]]


@pytest.mark.slow
async def test_with_perplexitys_key_alone_it_answers_all(stage: Stage) -> None:
    """Searching or not is its own affair."""
    settings = {**LIMITS, "providers.openai": {"api_key": ""}}
    async with stage(settings=settings, providers=SHIPPED) as scene:
        answer = await scene.ask("why is the sky blue?")
        assert answer.text.endswith("-# Perplexity · fast · the only one")
        assert "**Sources**" in (await search(scene, "llamas")).text
        image = upload(scene.sandbox.discord, "llama.png", PICTURE, "image/png")
        await scene.ask("what is it?", options={"file": image})
        assert image["url"] in str(scene.sandbox.perplexity.requests[-1])
        assert scene.sandbox.perplexity.rate_limited == 0


@pytest.mark.slow
async def test_a_third_provider_needs_settings_alone(stage: Stage) -> None:
    """An OpenAI-compatible endpoint beside the two: asked for by name, or set by the operator."""
    async with stage(with_foreign=True, settings={"routing": {"strategy": "foreign"}}) as scene:
        answer = await scene.ask("why is the sky blue?")
        assert answer.text.endswith("-# Foreign · local-model · set by operator")
        chosen = await scene.ask("why is the sky blue?", options={"provider": "openai"})
        assert chosen.text.endswith("-# OpenAI · gpt-6-luna · as you asked")
        assert "**Sources**" in (await search(scene, "llamas")).text
        assert len(scene.sandbox.foreign.requests) == 1


@pytest.mark.slow
async def test_a_foreign_provider_alone_routes_by_its_tool_to_the_web(stage: Stage) -> None:
    """With Perplexity beside it, it does what OpenAI does."""
    settings = {"providers.openai": {"api_key": ""}}
    async with stage(with_foreign=True, settings=settings) as scene:
        plain = await scene.ask("why is the sky blue?")
        assert plain.text.endswith("-# Foreign · local-model · no search needed")
        routed = await scene.ask(NEWS)
        assert routed.text.endswith("-# Perplexity · fast · needs the web")


@of_one_bot
@played
async def test_stop_cancels_perplexitys_run_within_a_second(scene: Scene) -> None:
    """Closing the stream would leave it on the bill."""
    discord, perplexity, asker = scene.sandbox.discord, scene.sandbox.perplexity, person(3)
    answered, cancelled = scene.answered(), len(perplexity.cancelled)
    perplexity.misbehave(Fault(FaultKind.SLOW, seconds=0.05))
    prompt = {"prompt": "why is the sky blue?", "provider": "perplexity"}
    asked = await discord.invoke("ask", prompt, user=asker)
    await asked.wait_until(lambda i: "sandbox" in i.text)
    discord.press(asked.messages[0], "Stop", asker)
    with trio.fail_after(1):
        while len(perplexity.cancelled) == cancelled:  # noqa: ASYNC110  # the call crosses a socket
            await trio.sleep(0.01)
    await scene.wait_answered(answered + 1)
    assert "Stopped." in asked.text


@pytest.mark.slow
async def test_a_shutdown_cancels_perplexitys_run(stage: Stage) -> None:
    """What is cut short by SIGTERM is not paid for to its end."""
    settings = {"discord": {"drain_seconds": 0}}
    async with stage(providers=STEADY, settings=settings) as scene:
        perplexity = scene.sandbox.perplexity
        asked = await scene.sandbox.discord.invoke("ask", {"prompt": "who?", "provider": "perplexity"})
        await asked.wait_until(lambda i: "sandbox" in i.text)
        await scene.bot.stop()
        assert len(perplexity.cancelled) == 1


@of_one_bot
@played
async def test_a_refusal_of_the_model_is_shown_as_what_it_said(scene: Scene) -> None:
    """Not as a failure; a filtered answer has a sentence of its own."""
    refused = await scene.ask("how? !refusal", options={"provider": "openai"}, user=person(4))
    assert said(refused).strip()
    assert "error" not in refused.text
    filtered = await scene.ask("how? !filter", options={"provider": "openai"}, user=person(4))
    assert "OpenAI's content filter stopped this answer." in filtered.text
