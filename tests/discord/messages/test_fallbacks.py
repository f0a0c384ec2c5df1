"""What Discord refuses for good is shown in a poorer form: real HTTP, and the local Discord's refusals."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import trio

from discordianai.answering.reply import AnswerEnd, ReplyFailed
from discordianai.discord.messages import reply
from discordianai.discord.messages.fallbacks import LINK_REMOVED, NOT_TAKEN, without_links
from discordianai.discord.messages.posting import ChannelMessages, InteractionWebhook, heading_for
from discordianai.discord.messages.reply import (
    NO_FILE,
    REFUSED,
    DiscordReply,
    open_reply,
)
from discordianai.discord.messages.reply_options import EditPace, ReplyOptions
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.rendering.characters import units
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, LocalDiscord, open_local_discord
from discordianai.sandbox.discord.rate_limit_buckets import Buckets
from tests.discord.builders import question

HERE = CHANNELS[0].id


@dataclass(frozen=True)
class Scene:
    """`told` are the sentences that were said elsewhere."""

    discord: LocalDiscord
    api: DiscordApi
    told: list[str]

    async def shown(self, text: str, *, pieces: int = 1, fails: bool = False, **more: Any) -> list[str]:
        """Show an answer to a message in the channel; the contents of the messages that are there then."""

        async def tell(words: str) -> bool:
            self.told.append(words)
            return True

        options = replace(ReplyOptions(EditPace(0.05), tell=tell), **more)
        messages = ChannelMessages(self.api, HERE, reply_to=77)
        with trio.fail_after(60):
            async with open_reply(messages, question(), options) as reply:
                await self._write(reply, text, pieces, fails=fails)
        return [message.content for message in self.discord.channel_messages if not message.deleted]

    async def _write(self, reply: DiscordReply, text: str, pieces: int, *, fails: bool) -> None:
        size = -(-len(text) // pieces)
        for start in range(0, len(text), size):
            reply.write(text[start : start + size])
            await trio.sleep(0.06 if pieces > 1 else 0)
        reply.close(AnswerEnd(footer="Model"))
        if fails:
            with pytest.raises(ReplyFailed):
                await reply.finish()
        else:
            await reply.finish()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_local_discord(DiscordOptions()) as discord, httpx.AsyncClient(timeout=60) as client:
        discord.channel_buckets = Buckets(1000, 5.0, "channel")
        yield Scene(discord, DiscordApi(client, discord.api_url, "sandbox-token"), [])


async def test_what_moved_to_the_channel_says_for_whom_it_is_whatever_is_refused(
    scene: Scene,
) -> None:
    """All that is left is a sentence there, which would be about nobody's answer."""
    scene.discord.blocked_words.add("forbidden")
    heading = heading_for(question().person.id)
    channel = ChannelMessages(scene.api, HERE)
    gone = InteractionWebhook(scene.api, replace(question().address, token="gone"))
    async with open_reply(gone, question(), ReplyOptions(EditPace(0.05), elsewhere=channel)) as reply:
        reply.write("What is forbidden here.")
        reply.close(AnswerEnd())
        await reply.finish()
    assert [message.content for message in scene.discord.channel_messages] == [f"{heading}{NOT_TAKEN}"]


async def test_where_the_bot_may_not_reply_it_writes_a_plain_message(scene: Scene) -> None:
    scene.discord.channels_without_replies.add(HERE)
    assert await scene.shown("An answer.") == ["An answer.\n\n-# Model"]
    assert scene.discord.channel_messages[0].reply_to is None
    assert scene.told == []


async def test_an_answer_with_a_link_that_is_blocked_comes_without_its_links(scene: Scene) -> None:
    scene.discord.blocked_words.add("evil.example")
    [content] = await scene.shown("Look [here](https://evil.example/a) or at https://evil.example/b now.")
    assert content == f"Look here {LINK_REMOVED} or at {LINK_REMOVED} now.\n\n-# Model"
    assert scene.discord.channel_messages[0].reply_to == 77


async def test_a_link_that_is_blocked_while_the_answer_grows_costs_one_edit(scene: Scene) -> None:
    scene.discord.blocked_words.add("evil.example")
    text = "At https://evil.example/b " + "and so on " * 30
    [content] = await scene.shown(text, pieces=20)
    assert content.startswith(f"At {LINK_REMOVED} and so on")
    assert len([each for each in scene.discord.counters.refused if "240000" in each]) <= 2


async def test_what_was_refused_while_it_grew_is_whole_in_the_end_if_that_is_taken(scene: Scene) -> None:
    """A thread can have been archived, or a rule been in force, for some seconds."""
    scene.discord.blocked_words.add("and so on")

    async def end_of_the_rule() -> None:
        with trio.fail_after(20):
            while len([each for each in scene.discord.counters.refused if "240000" in each]) < 2:  # noqa: ASYNC110  # they tell nobody
                await trio.sleep(0.01)
        scene.discord.blocked_words.clear()

    text = "Well, " + "and so on " * 30 + "to the end."
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_of_the_rule)
        [content] = await scene.shown(text, pieces=20)
    assert content == f"{text}\n\n-# Model"


async def test_words_that_are_blocked_are_replaced_by_a_sentence(scene: Scene) -> None:
    scene.discord.blocked_words.add("forbidden")
    assert await scene.shown("What is forbidden here.") == [NOT_TAKEN]
    assert scene.discord.channel_messages[0].components == []


async def test_a_blocked_part_of_a_long_answer_leaves_the_others_whole(scene: Scene) -> None:
    scene.discord.blocked_words.add("forbidden")
    contents = await scene.shown(
        "word " * 390 + "\n\nforbidden " + "word " * 390 + "\n\n" + "last " * 100 + "one"
    )
    assert NOT_TAKEN in contents
    assert contents[0].startswith("word word")
    assert contents[-1].endswith("last one\n\n-# Model")


async def test_without_the_permission_for_files_the_answer_comes_in_messages(scene: Scene) -> None:
    scene.discord.channels_without_files.add(HERE)
    words = [f"word{number}" for number in range(1500)]
    contents = await scene.shown(" ".join(words), max_messages=3)
    assert len(contents) > 3
    assert " ".join(contents).removesuffix("\n\n-# Model").split() == words


async def test_what_does_not_even_fit_into_many_messages_says_so(scene: Scene) -> None:
    scene.discord.channels_without_files.add(HERE)
    contents = await scene.shown("word " * 3000, max_messages=2, most_without_file=4)
    assert len(contents) == 4
    assert f"-# {NO_FILE}" in contents[-1]
    assert not any(part["label"] == "Stop" for m in scene.discord.channel_messages for part in _buttons(m))


async def test_a_place_that_takes_nothing_has_it_said_elsewhere(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply, "ACCESS_WAITS", ())
    scene.discord.closed_channels.add(HERE)
    assert await scene.shown("An answer.", fails=True) == []
    assert scene.told == [REFUSED]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("so [[3]](<https://a.example/1>).", f"so [3] {LINK_REMOVED}."),
        ("[a](https://en.example/A_(b)) or (https://b.example)", f"a {LINK_REMOVED} or ({LINK_REMOVED}"),
        ("_https://a.example_ and www.a.example", f"_{LINK_REMOVED} and {LINK_REMOVED}"),
        ("no links, [x] (y) and `a[0](b c)`", "no links, [x] (y) and `a[0](b c)`"),
    ],
)
def test_of_links_the_text_stays(text: str, shown: str) -> None:
    assert without_links({"content": text})["content"] == shown


def test_a_full_message_loses_nothing_but_its_links() -> None:
    """The words for a link may be longer than the link."""
    text = "😀" * 920 + " ab://c" * 22 + " end"
    shown = without_links({"content": text})["content"]
    assert shown == "😀" * 920 + " …" * 22 + " end"
    assert units(text) <= 2000


async def test_a_form_that_changes_nothing_is_not_tried(scene: Scene) -> None:
    """There are neither links nor buttons to be left out."""
    scene.discord.blocked_words.add("forbidden")
    assert await scene.shown("What is forbidden here.") == [NOT_TAKEN]
    assert len(scene.discord.counters.refused) == 1


async def test_a_place_that_takes_nothing_while_an_answer_grows_is_asked_again_at_its_end(
    scene: Scene,
) -> None:
    """Not with each edit: a hundred answers of some minutes would be ten thousand refused requests."""
    scene.discord.refused_texts = {'"content"': (400, 50035)}
    await scene.shown("See https://a.example/b " + "and so on " * 500, pieces=60, fails=True)
    assert scene.told == [REFUSED]
    assert len(scene.discord.counters.refused) <= 2 * 2 * 4


async def test_the_sentence_that_stands_for_a_growing_part_is_sent_once(scene: Scene) -> None:
    scene.discord.blocked_words.add("forbidden")
    assert await scene.shown("forbidden " + "word " * 100, pieces=40) == [NOT_TAKEN]
    assert [text for _, text in scene.discord.channel_messages[0].history] == [NOT_TAKEN] * 2


@pytest.mark.parametrize("status", [400, pytest.param(403, marks=pytest.mark.slow)])
@pytest.mark.parametrize("files", [True, False])
async def test_where_no_further_message_is_taken_the_answer_is_in_a_file_or_ends_in_its_message(
    scene: Scene, status: int, files: bool
) -> None:
    """The permission was taken away meanwhile, or an app of somebody's own has used up its messages."""
    words = [f"word{number}" for number in range(1000)]

    async def close() -> None:
        with trio.fail_after(20):
            while not scene.discord.channel_messages:  # noqa: ASYNC110  # nobody tells of it
                await trio.sleep(0.01)
        scene.discord.refused_texts = {"enforce_nonce": (status, 50013)}
        if not files:
            scene.discord.channels_without_files.add(HERE)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close)
        [content] = await scene.shown(" ".join(words), pieces=60)
    (message,) = scene.discord.channel_messages
    assert content.startswith("word0 word1 ")
    assert scene.told == []
    assert _buttons(message) == []
    if files:
        assert message.files["answer.md"].decode().split() == words
    else:
        assert f"-# {NO_FILE}\n-# Model" in content
    assert len(scene.discord.counters.refused) <= 2 * 2 * 4


async def test_what_is_refused_in_the_end_leaves_no_button_for_stopping_it(scene: Scene) -> None:
    """What was shown of it stays, and the person is told elsewhere."""

    async def refuse() -> None:
        with trio.fail_after(20):
            while not scene.discord.channel_messages:  # noqa: ASYNC110  # nobody tells of it
                await trio.sleep(0.01)
        assert _buttons(scene.discord.channel_messages[0])
        scene.discord.refused_texts = {'"content"': (400, 50035)}

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        [content] = await scene.shown("word " * 100, pieces=40, fails=True)
    assert content.startswith("word")
    assert _buttons(scene.discord.channel_messages[0]) == []
    assert scene.told == [REFUSED]


def _buttons(message: Any) -> list[dict[str, Any]]:
    return [part for row in message.components for part in row["components"]]
