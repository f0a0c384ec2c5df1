"""A Discord that refuses everything for a while: no answer is lost, and it is not asked again and again."""

from collections.abc import Iterator

import pytest
import trio

from discordianai.discord.messages.posting import heading_for
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, Interaction, person
from tests.end_to_end.conftest import Scene, said
from tests.end_to_end.sharing import SharedScene, played, shared_scene
from tests.hostile.endurance import endured, told

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("discord-limits")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    yield from shared_scene(tmp_path_factory.mktemp("limits"), authority, {})


@played
async def test_answers_wait_for_the_end_of_a_ban_and_are_whole_then(scene: Scene) -> None:
    """Cloudflare bans the address while ten answers are being written."""
    discord, count = scene.sandbox.discord, scene.answered()
    prompt = {"prompt": "Tell me a story."}
    asked = [await discord.invoke("ask", prompt, user=person(700 + number)) for number in range(10)]
    with trio.fail_after(60):
        while not all(one.messages and one.text for one in asked):  # noqa: ASYNC110  # no event tells
            await trio.sleep(0.01)
    discord.counters.while_banned.clear()
    discord.ban(3.0)
    await scene.wait_answered(count + 10, timeout=60.0)
    assert all("-# " in one.text for one in asked)  # the small print comes last
    # One request of each that was under way, and then nobody's until the ban was over.
    assert len(discord.counters.while_banned) <= 10


@played
async def test_who_could_not_be_acknowledged_finds_the_answer_in_the_channel(scene: Scene) -> None:
    """A page of Cloudflare's is what an acknowledgement is answered, and the library takes it for JSON."""
    discord, count = scene.sandbox.discord, scene.answered()
    discord.ban(2.0)
    asked = discord.invoke_now("ask", {"prompt": "Are you there?"}, user=person(750), channel=CHANNELS[1])
    await scene.wait_answered(count + 1, timeout=60.0)
    assert not asked.messages
    last = [message for message in discord.channel_messages if message.channel_id == CHANNELS[1].id][-1]
    assert "-# " in last.content
    again = await scene.ask("And now?", user=person(751))
    assert said(again)


@played
async def test_a_global_429_is_met_once_and_waited_for(scene: Scene) -> None:
    """Ten answers are being written; none is lost, and few requests come before the time is over."""
    discord = scene.sandbox.discord
    async with endured(scene):
        prompt = {"prompt": "Tell me a story."}
        asked = [await discord.invoke("ask", prompt, user=person(760 + number)) for number in range(10)]
        discord.limit_globally(3.0)
        for interaction in asked:
            assert "You asked: “Tell me a story.”" in await told(interaction, 60.0)
        assert discord.counters.while_limited <= 10


@played
async def test_answers_outlast_503s_for_each_edit(scene: Scene) -> None:
    """Of each message and each edit; the answer is whole as soon as Discord takes one."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.fail_next("/webhooks/", 503, 20)
        asked = [await discord.invoke("ask", {"prompt": "Go."}, user=person(780 + n)) for n in range(5)]
        for interaction in asked:
            assert "You asked: “Go.”" in await told(interaction, 60.0)
        discord.clear_failures()


@played
async def test_answers_and_replies_outlast_an_outage_of_half_a_minute(scene: Scene) -> None:
    """Each request fails meanwhile; there are few, and everybody has what they asked for after it."""
    discord = scene.sandbox.discord
    async with endured(scene):
        asked = [await discord.invoke("ask", {"prompt": "Go."}, user=person(790 + n)) for n in range(3)]
        discord.fail_next("/webhooks/", 503, 10_000)
        asked += [await discord.invoke("ask", {"prompt": "Go."}, user=person(795 + n)) for n in range(3)]
        listed = await discord.invoke("help", user=person(799))
        await trio.sleep(30.0)
        discord.clear_failures()
        for interaction in asked:
            assert "You asked: “Go.”" in await told(interaction, 60.0)
        with trio.fail_after(60):
            await listed.wait_until(lambda each: "/ask" in each.text)


@pytest.mark.long
@played
async def test_an_answer_is_shown_after_an_outage_of_some_minutes(scene: Scene) -> None:
    """Discord takes nothing anywhere, so that nobody can be told that it takes longer. What may be read by
    everybody has gone to the channel meanwhile."""
    discord = scene.sandbox.discord

    def shows(interaction: Interaction) -> bool:
        moved = heading_for(interaction.user.id)
        texts = [each.content for each in discord.channel_messages if each.content.startswith(moved)]
        return any("You asked: “Go.”" in text for text in (interaction.text, *texts))

    async with endured(scene):
        asked = [await discord.invoke("ask", {"prompt": "Go."}, user=person(810 + n)) for n in range(2)]
        private = {"prompt": "Go.", "private": True}
        asked += [await discord.invoke("ask", private, user=person(815 + n)) for n in range(2)]
        with trio.fail_after(10.0):
            while any(one.response_type is None for one in asked):  # noqa: ASYNC110  # no event tells
                await trio.sleep(0.01)
        discord.fail_next("/", 503, 100_000)
        await trio.sleep(270.0)
        discord.clear_failures()
        with trio.fail_after(150.0):
            while not all(map(shows, asked)):  # noqa: ASYNC110  # no event tells
                await trio.sleep(0.5)
