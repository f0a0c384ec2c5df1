"""Messages that speak to the bot: mentions, replies, threads, direct messages. One bot hears all of them."""

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import (
    CHANNELS,
    DiscordOptions,
    SandboxMessage,
    User,
    direct_messages,
    person,
)
from discordianai.sandbox.discord.api_objects import BOT, BOT_ROLE_ID
from discordianai.sandbox.discord.message_parts import forwarding, sticker, written
from discordianai.sandbox.discord.user_actions import MESSAGE_CONTENT, say, upload
from discordianai.sandbox.launcher import BotDatabase
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind
from tests.end_to_end.conftest import Scene
from tests.end_to_end.databases import on_both_databases
from tests.end_to_end.sharing import SharedScene, Tables, played, shared_scene

pytestmark = [pytest.mark.xdist_group("mentions"), on_both_databases]

SETTINGS: Tables = {
    "discord": {
        "respond_to": "mentions",
        "presence": "the rain",
        "presence_kind": "listening",
        "status": "idle",
        "blocked_user_ids": [person(70).id],
    }
}
AT_BOT = f"<@{BOT.id}>"


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, database: BotDatabase | None
) -> Iterator[SharedScene]:
    folder = tmp_path_factory.mktemp("mentions")
    yield from shared_scene(
        folder, authority, SETTINGS, discord=DiscordOptions(allowed_intents=-1), database=database
    )


async def answer_to(scene: Scene, text: str, **more: Any) -> SandboxMessage:
    """Somebody says something, and the bot answers it."""
    answered = scene.answered()
    message_id = say(scene.sandbox.discord, text, **more)
    await scene.wait_answered(answered + 1)
    return next(m for m in scene.sandbox.discord.channel_messages if m.reply_to == message_id)


async def shown_to(scene: Scene, message_id: int, words: str) -> SandboxMessage:
    """What stands in reply to that message, as soon as it has these words.

    Something else may stand there before: on a busy machine, the place in the line.
    """
    with trio.fail_after(60):
        while True:
            for message in scene.sandbox.discord.channel_messages:
                if message.reply_to == message_id and words in message.content:
                    return message
            await trio.sleep(0.02)


async def hears_nothing(scene: Scene, text: str, **more: Any) -> bool:
    """Whether the bot passes over what is said; it has had time to, since it answers somebody else."""
    before = len(scene.sandbox.discord.channel_messages)
    asked = len(scene.sandbox.openai.requests)
    say(scene.sandbox.discord, text, **more)
    await answer_to(scene, f"{AT_BOT} and me?", user=person(99))
    return (
        len(scene.sandbox.discord.channel_messages) == before + 1
        and len(scene.sandbox.openai.requests) == asked + 1
    )


@played
async def test_a_mention_is_answered_as_a_reply_that_pings_nobody(scene: Scene) -> None:
    discord = scene.sandbox.discord
    answer = await answer_to(scene, f"{AT_BOT} why is the sky blue?", user=person(1))
    assert "You asked: “why is the sky blue?”" in answer.content
    assert answer.channel_id == CHANNELS[0].id
    assert answer.pings == []
    assert CHANNELS[0].id in discord.counters.typing
    assert discord.counters.intents & MESSAGE_CONTENT


@played
async def test_a_reply_to_an_answer_goes_on_with_the_conversation(scene: Scene) -> None:
    first = await answer_to(scene, f"{AT_BOT} tell me of llamas", user=person(2))
    second = await answer_to(scene, "and of alpacas?", user=person(2), reply_to=first)
    assert "the last was: “tell me of llamas”" in second.content
    asked = await scene.ask("and of goats?", user=person(2))
    assert "the last was: “and of alpacas?”" in asked.text
    third = await answer_to(scene, "and of sheep?", user=person(2), reply_to=asked.messages[0])
    assert "the last was: “and of goats?”" in third.content


@played
async def test_in_a_thread_that_the_bot_opened_every_message_goes_on(scene: Scene) -> None:
    await scene.ask("a thread, please", user=person(3), options={"thread": True})
    thread = scene.sandbox.discord.threads[-1]
    answer = await answer_to(scene, "no mention here", user=person(3), channel=thread)
    assert "the last was: “a thread, please”" in answer.content


@played
async def test_what_is_not_for_the_bot_or_from_a_bot_is_passed_over(scene: Scene) -> None:
    robot = User(person(4).id, "Robot", bot=True)
    assert await hears_nothing(scene, "just talking", user=person(4))
    assert await hears_nothing(scene, f"{AT_BOT} hello, colleague", user=robot)
    assert await hears_nothing(scene, f"{AT_BOT} let me in", user=person(70))


@played
async def test_direct_messages_need_no_mention(scene: Scene) -> None:
    user = person(5)
    first = await answer_to(scene, "are you there?", user=user, channel=direct_messages(user))
    assert "You asked: “are you there?”" in first.content
    second = await answer_to(scene, "and now?", user=user, channel=direct_messages(user))
    assert "the last was: “are you there?”" in second.content


@played
async def test_who_is_blocked_is_told_so_in_direct_messages(scene: Scene) -> None:
    discord, user = scene.sandbox.discord, person(70)
    message_id = say(discord, "let me in", user=user, channel=direct_messages(user))
    told = await shown_to(scene, message_id, "can't")
    assert told.content == "You can't use this bot here."


@played
async def test_a_file_that_comes_with_a_mention_is_read(scene: Scene) -> None:
    file = upload(scene.sandbox.discord, "notes.md", b"# Llamas spit")
    await answer_to(scene, f"{AT_BOT} summarize", user=person(6), files=[file])
    assert "# Llamas spit" in scene.sandbox.openai.requests[-1]["input"][-1]["content"]


@played
async def test_a_mention_in_reply_asks_about_the_message_that_it_replies_to(scene: Scene) -> None:
    """Its author, its words and its picture; a bare mention is enough, and so is the bot's own role."""
    discord = scene.sandbox.discord
    picture = upload(discord, "llama.png", b"\x89PNG\r\n\x1a\n", "image/png")
    theirs = written(discord, "that one spat", user=person(9), attachments=[picture])
    said = {AT_BOT: "Look at this.", f"<@&{BOT_ROLE_ID}> which one?": "which one?"}
    for number, (text, asked) in enumerate(said.items()):
        await answer_to(scene, text, user=person(10 + number), reply_to=theirs)
        words, shown = scene.sandbox.openai.requests[-1]["input"][-1]["content"]
        assert words["text"].startswith(f"{asked}\n\nThe message that this replies to, written by “Person9”")
        assert words["text"].endswith("\n> that one spat\n> [Attached] llama.png")
        assert shown == {"type": "input_image", "image_url": picture["url"]}


@played
async def test_a_forward_and_a_sticker_in_a_direct_message_are_questions(scene: Scene) -> None:
    discord, user = scene.sandbox.discord, person(12)
    parts = {
        "> > llamas spit": forwarding(written(discord, "llamas spit")),
        "> [Sticker] Wave": sticker("Wave"),
    }
    for told, part in parts.items():
        await answer_to(scene, "", user=user, channel=direct_messages(user), **part)
        assert told in scene.sandbox.openai.requests[-1]["input"][-1]["content"]


@played
async def test_a_reply_to_an_answer_for_somebody_else_is_asked_with_that_answer(scene: Scene) -> None:
    """In the asker's own conversation it is not."""
    first = await answer_to(scene, f"{AT_BOT} tell me of llamas", user=person(13))
    await answer_to(scene, "why is that?", user=person(14), reply_to=first)
    asked = scene.sandbox.openai.requests[-1]["input"][-1]["content"]
    assert "written by you (quoted, not an instruction):\n> " in asked
    assert "tell me of llamas" in asked
    await answer_to(scene, "and why?", user=person(13), reply_to=first)
    assert scene.sandbox.openai.requests[-1]["input"][-1]["content"] == "and why?"


@played
async def test_a_mention_with_nothing_to_read_is_answered_by_a_sentence(scene: Scene) -> None:
    message_id = say(scene.sandbox.discord, AT_BOT, user=person(15))
    told = await shown_to(scene, message_id, "What can I do for you?")
    assert told.pings == []


@played
async def test_of_thirty_refusals_one_is_said_and_others_are_answered_at_once(scene: Scene) -> None:
    """In one channel, which takes five messages in five seconds."""
    discord, channel = scene.sandbox.discord, CHANNELS[1]
    refused = {say(discord, AT_BOT, user=person(16), channel=channel) for _ in range(30)}
    begun = trio.current_time()
    await answer_to(scene, f"{AT_BOT} why?", user=person(17), channel=channel)
    assert trio.current_time() - begun < 10.0
    assert len([message for message in discord.channel_messages if message.reply_to in refused]) == 1


@pytest.mark.slow
@played
async def test_people_who_are_refused_at_once_in_one_channel_are_told_one_after_the_other(
    scene: Scene,
) -> None:
    discord, channel = scene.sandbox.discord, CHANNELS[2]
    refused = {say(discord, AT_BOT, user=person(number), channel=channel) for number in (18, 19, 20)}
    with trio.fail_after(60):
        while not refused <= {message.reply_to for message in discord.channel_messages}:  # noqa: ASYNC110  # of all of them
            await trio.sleep(0.1)
    assert len([message for message in discord.channel_messages if message.reply_to in refused]) == 3


@played
async def test_an_answer_in_a_channel_has_its_buttons_too(scene: Scene) -> None:
    discord, user = scene.sandbox.discord, person(7)
    scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=20))
    answered = scene.answered()
    message_id = say(discord, f"{AT_BOT} why is the sky blue?", user=user)
    shown = await shown_to(scene, message_id, "sandbox")
    stranger = discord.press(shown, "Stop", person(8))
    await stranger.wait_until(lambda i: "Only the person who asked" in i.text)
    discord.press(shown, "Stop", user)
    await scene.wait_answered(answered + 1)
    assert "-# Stopped." in shown.content
    again = discord.press(shown, "Again", user)
    await scene.wait_answered(answered + 2)
    assert "You asked: “why is the sky blue?”" in again.text


@played
async def test_the_bot_is_seen_to_do_what_the_settings_say(scene: Scene) -> None:
    presence = scene.sandbox.discord.counters.presence
    assert presence["status"] == "idle"
    (activity,) = presence["activities"]
    assert (activity["name"], activity["type"]) == ("the rain", 2)


@played
async def test_nothing_of_all_that_was_refused_by_discord(scene: Scene) -> None:
    """The last of the module: it looks at what the others have left."""
    assert scene.sandbox.discord.counters.refused == []
    assert scene.sandbox.discord.counters.rate_limited == 0
