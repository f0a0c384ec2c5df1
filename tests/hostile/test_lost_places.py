"""Places that take no more: the person is told where any place can take it, and the log says why."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio

from discordianai.discord.messages.direct_messages import ALL, PERIOD
from discordianai.discord.messages.fallbacks import NOT_TAKEN
from discordianai.discord.messages.reply import NOT_SHOWN, REFUSED
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, LocalDiscord, direct_messages, person
from discordianai.sandbox.discord.api_objects import BOT, Channel, User
from discordianai.sandbox.discord.sandbox_message import SandboxMessage
from discordianai.sandbox.discord.user_actions import say
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, played, shared_scene
from tests.hostile.endurance import SETTINGS, endured, told

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lost places")]

AT_BOT = f"<@{BOT.id}>"
HERE = CHANNELS[0]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("places")
    yield from shared_scene(folder, authority, SETTINGS, discord=DiscordOptions(allowed_intents=-1))


@contextmanager
def among(places: set[int], place_id: int, discord: LocalDiscord) -> Iterator[None]:
    """A channel, thread or person is one of these meanwhile."""
    places.add(place_id)
    yield
    places.discard(place_id)
    discord.permissions_changed()


async def until(found: Callable[[], bool], within: float = 60.0) -> None:
    """Wait until it is so, as long as a question may take."""
    with trio.fail_after(within):
        while not found():  # noqa: ASYNC110  # what is looked at tells nobody when it changes
            await trio.sleep(0.02)


def written_in(scene: Scene, channel: Channel) -> list[SandboxMessage]:
    """The bot's messages there."""
    return [each for each in scene.sandbox.discord.channel_messages if each.channel_id == channel.id]


async def told_directly(scene: Scene, user: User) -> str:
    """What the bot writes this person in a direct message."""
    await until(lambda: bool(written_in(scene, direct_messages(user))))
    (message,) = written_in(scene, direct_messages(user))
    assert not message.pings
    return message.content


async def answer_in_thread(scene: Scene, user: User) -> Channel:
    """A thread in which an answer has begun, and is not yet complete."""
    before = len(scene.sandbox.discord.threads)
    options = {"prompt": f"tell {user.name} !long", "thread": True}
    await scene.sandbox.discord.invoke("ask", options, user=user)
    await until(lambda: len(scene.sandbox.discord.threads) > before)
    thread = scene.sandbox.discord.threads[-1]
    await until(lambda: bool(written_in(scene, thread)))
    return thread


@played
async def test_a_mention_in_a_closed_channel(scene: Scene) -> None:
    """Its author reads in a direct message that nothing can be said there; once, not for each mention."""
    discord, user = scene.sandbox.discord, person(1)
    async with endured(scene):
        with among(discord.closed_channels, HERE.id, discord):
            say(discord, f"{AT_BOT} why is snow white?", user=user, channel=HERE)
            text = await told_directly(scene, user)
            assert text == f"About your question in <#{HERE.id}>: {REFUSED}"
            say(discord, f"{AT_BOT} and ice?", user=user, channel=HERE)
            await until(lambda: "direct message not sent" in scene.log())
        assert len(written_in(scene, direct_messages(user))) == 1
        assert "403, code 50001 (the bot cannot see the channel" in scene.log()


@played
async def test_a_channel_that_is_deleted_meanwhile(scene: Scene) -> None:
    """Its author reads so directly; no more is asked of the provider, and the log names the cause."""
    discord, user, there = scene.sandbox.discord, person(2), CHANNELS[2]
    async with endured(scene):
        message_id = say(discord, f"{AT_BOT} tell me !long", user=user, channel=there)
        await until(lambda: any(each.reply_to == message_id for each in discord.channel_messages))
        with among(discord.deleted_channels, there.id, discord):
            text = await told_directly(scene, user)
            assert text == f"About your question in <#{there.id}>: {NOT_SHOWN}"
            await until(lambda: "the channel was deleted" in scene.log())


@played
async def test_a_private_command_during_a_ban(scene: Scene) -> None:
    """It could not be acknowledged, so that it can be answered nowhere but directly."""
    discord, user = scene.sandbox.discord, person(3)
    async with endured(scene):
        discord.ban(4.0)
        options = {"prompt": "what is for nobody else?", "private": True}
        asked = discord.invoke_now("ask", options, user=user, channel=HERE)
        text = await told_directly(scene, user)
        assert text == f"About your question in <#{HERE.id}>: {NOT_SHOWN}"
        assert asked.response_type is None
        assert not any("nobody else" in message.content for message in discord.channel_messages)


@played
async def test_a_member_who_has_left(scene: Scene) -> None:
    """Nobody can be told; the log says which of both refused it."""
    discord, user = scene.sandbox.discord, person(4)
    async with endured(scene):
        with (
            among(discord.closed_channels, HERE.id, discord),
            among(discord.unreachable_people, user.id, discord),
        ):
            say(discord, f"{AT_BOT} am I still here?", user=user, channel=HERE)
            await until(lambda: "this person does not accept direct messages from the bot" in scene.log())
            await until(lambda: "person could not be notified" in scene.log())
        assert not written_in(scene, direct_messages(user))


@played
async def test_a_thread_that_is_archived_meanwhile(scene: Scene) -> None:
    """It is opened again, and the answer is whole in it."""
    discord = scene.sandbox.discord
    async with endured(scene):
        thread = await answer_in_thread(scene, person(5))
        with among(discord.archived_threads, thread.id, discord):
            await until(lambda: any("-# OpenAI" in each.content for each in written_in(scene, thread)))
            assert thread.id not in discord.archived_threads
        assert not any(NOT_TAKEN in message.content for message in written_in(scene, thread))


@played
async def test_a_thread_that_is_locked_meanwhile(scene: Scene) -> None:
    """The asker reads in the channel above that the answer was not taken; the log names the cause."""
    discord, user = scene.sandbox.discord, person(6)
    async with endured(scene):
        thread = await answer_in_thread(scene, user)
        with among(discord.locked_threads, thread.id, discord):
            await until(lambda: any(REFUSED in text for text in _shown_to(scene, user)))
            # Which of both depends on what was written first: an edit, or a further message.
            causes = ("(the thread is archived)", "(the thread is locked)")
            await until(lambda: any(cause in scene.log() for cause in causes))


def _texts(scene: Scene, channel: Channel) -> list[str]:
    return [message.content for message in written_in(scene, channel)]


def _shown_to(scene: Scene, user: User) -> list[str]:
    """In response to this person's commands, or to the person by name."""
    discord = scene.sandbox.discord
    by_name = [each.content for each in discord.channel_messages if f"<@{user.id}>" in each.content]
    return by_name + [asked.text for asked in discord.interactions.values() if asked.user == user]


@played
async def test_a_file_over_the_limit(scene: Scene) -> None:
    """A long answer that was to be a file comes in messages; who exports reads that no file was taken."""
    discord = scene.sandbox.discord
    async with endured(scene):
        discord.file_limit = 100
        text = await told(await discord.invoke("ask", {"prompt": "tell me !long"}, user=person(7)), 60.0)
        exported = await discord.invoke("export", user=person(7))
        await until(lambda: "Discord didn't accept the file here." in exported.text)
        discord.file_limit = 10 * 1024 * 1024
        assert len(text) > 8_000
        assert "413, code 40005 (the file is too large)" in scene.log()


@pytest.mark.parametrize(("refused", "shown"), [('"label"', "You asked: “"), ("You asked", NOT_TAKEN)])
@pytest.mark.parametrize("by_mention", [False, True], ids=["command", "mention"])
def test_a_final_message_that_discord_calls_malformed(
    scene: SharedScene, refused: str, shown: str, by_mention: bool
) -> None:
    """The answer comes without buttons where those are refused, else a sentence stands in its place."""

    async def play(stage: Scene) -> None:
        discord, user = stage.sandbox.discord, person(8 + by_mention)
        async with endured(stage):
            discord.refused_texts = {refused: (400, 50035)}
            if by_mention:
                before = len(written_in(stage, CHANNELS[1]))
                say(discord, f"{AT_BOT} what is it?", user=user, channel=CHANNELS[1])
                await until(lambda: any(shown in text for text in _texts(stage, CHANNELS[1])[before:]))
                (text,) = _texts(stage, CHANNELS[1])[before:]
            else:
                text = await told(await discord.invoke("ask", {"prompt": "what is it?"}, user=user))
            discord.refused_texts = {}
            assert shown in text

    scene.portal.call(play, scene.scene)


@played
async def test_a_channel_that_is_closed_to_many(scene: Scene) -> None:
    """All of them are told, a few in a minute."""
    discord, people = scene.sandbox.discord, [person(20 + number) for number in range(ALL + 2)]

    def told_to(someone: User) -> int:
        return len(written_in(scene, direct_messages(someone)))

    with among(discord.closed_channels, HERE.id, discord):
        for someone in people:
            say(discord, f"{AT_BOT} do you hear {someone.name}?", user=someone, channel=HERE)
        await until(lambda: all(told_to(each) for each in people), 2 * PERIOD + 10)
    assert {told_to(each) for each in people} == {1}
