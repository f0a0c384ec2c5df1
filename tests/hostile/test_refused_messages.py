"""A Discord that refuses a message for good: the person reads a poorer form of it, or a sentence."""

from collections.abc import Iterator

import pytest
import trio

from discordianai.discord.messages.fallbacks import LINK_REMOVED, NOT_TAKEN
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, LocalDiscord, SandboxMessage, person
from discordianai.sandbox.discord.api_objects import BOT
from discordianai.sandbox.discord.user_actions import say
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, played, shared_scene
from tests.hostile.endurance import SETTINGS, endured, told, told_in_channel

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("refused messages")]

AT_BOT = f"<@{BOT.id}>"
HERE = CHANNELS[0].id


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("refused")
    yield from shared_scene(folder, authority, SETTINGS, discord=DiscordOptions(allowed_intents=-1))


@played
async def test_automod_refuses_an_answer(scene: Scene) -> None:
    """The asker reads that this server did not take it."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.blocked_words = {"You asked"}
        text = await told(await discord.invoke("ask", {"prompt": "why is the sky blue?"}, user=person(1)))
        discord.blocked_words = set()
        assert NOT_TAKEN in text


@played
async def test_a_link_filter_refuses_the_sources(scene: Scene) -> None:
    """The answer comes without them."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.blocked_words = {"https://"}
        text = await told(await discord.invoke("search", {"query": "the news today"}, user=person(2)))
        discord.blocked_words = set()
        assert "You asked: “the news today”" in text
        assert LINK_REMOVED in text


@played
async def test_no_permission_for_files(scene: Scene) -> None:
    """A long answer that was to be a file comes in messages."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.channels_without_files.add(HERE)
        text = await told(await discord.invoke("ask", {"prompt": "tell me !long"}, user=person(3)), 60.0)
        discord.channels_without_files.clear()
        assert len(text) > 8_000
        assert "in the file" not in text


@played
async def test_no_permission_to_reply(scene: Scene) -> None:
    """A mention is answered by a message that replies to none."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.channels_without_replies.add(HERE)
        say(discord, f"{AT_BOT} why is grass green?", user=person(4))
        with trio.fail_after(60):
            while not (about := _messages_with(discord, "why is grass green?")):
                await discord.wait_changed()
        discord.channels_without_replies.clear()
        discord.permissions_changed()
        (shown,) = about
        assert shown.reply_to is None


def _messages_with(discord: LocalDiscord, words: str) -> list[SandboxMessage]:
    return [message for message in discord.channel_messages if words in message.content]


@played
async def test_no_permission_to_write(scene: Scene) -> None:
    """The log says why nobody is told; as soon as the permission is back, people are answered."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.closed_channels.add(HERE)
        say(discord, f"{AT_BOT} why is snow white?", user=person(5))
        with trio.fail_after(60):
            while "50001" not in scene.log():  # noqa: ASYNC110  # a file tells nobody when it grows
                await trio.sleep(0.05)
        discord.closed_channels.clear()
        discord.permissions_changed()
        await trio.sleep(0.5)  # the event is under way
        text = await told_in_channel(scene, say(discord, f"{AT_BOT} and now?", user=person(5)))
        assert "You asked: “and now?”" in text


@played
async def test_a_permission_to_write_that_is_missing_for_a_moment(scene: Scene) -> None:
    """What has come to its end meanwhile is shown as soon as the permission is back."""
    discord = scene.sandbox.discord
    async with endured(scene):
        before = len(discord.counters.refused)
        discord.closed_channels.add(HERE)
        asked = say(discord, f"{AT_BOT} why is water blue?", user=person(6))
        with trio.fail_after(60):
            while len(discord.counters.refused) == before:  # noqa: ASYNC110  # the local Discord tells nobody
                await trio.sleep(0.05)
        await trio.sleep(3.0)
        discord.closed_channels.clear()
        discord.permissions_changed()
        with trio.fail_after(60):
            while not (about := _messages_with(discord, "why is water blue?")):
                await discord.wait_changed()
        assert [message.reply_to for message in about] == [asked]


@played
async def test_an_acknowledgement_is_refused(scene: Scene) -> None:
    """Discord tells that person itself; the next one is answered, and the place in the queue is free."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.fail_next("/callback", 404)
        refused = await discord.invoke("ask", {"prompt": "who am I?"}, user=person(6))
        await trio.sleep(1)
        text = await told(await discord.invoke("ask", {"prompt": "and I?"}, user=person(6)))
        assert "You asked: “and I?”" in text
        assert refused.response_type is None


@played
async def test_acknowledgements_meet_errors_of_discord(scene: Scene) -> None:
    """They are sent again in time; a busy machine may be too late for one of them."""
    discord = scene.sandbox.discord
    async with endured(scene):
        asked = []
        for number in range(3):
            discord.fail_next("/callback", 503)
            asked.append(await discord.invoke("ask", {"prompt": f"{number}?"}, user=person(7 + number)))
            await trio.sleep(3.5)
        in_time = [interaction for interaction in asked if interaction.response_type is not None]
        assert in_time
        for interaction in in_time:
            assert "You asked: “" in await told(interaction)
