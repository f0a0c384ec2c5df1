"""What Discord refuses for good is shown in a poorer form: real HTTP, and the local Discord's refusals."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import trio

from discordianai.answering.reply import AnswerEnd, ReplyFailed
from discordianai.discord.messages.fallbacks import LINK_REMOVED, NOT_TAKEN
from discordianai.discord.messages.posting import ChannelMessages
from discordianai.discord.messages.reply import (
    NO_FILE,
    REFUSED,
    DiscordReply,
    open_reply,
)
from discordianai.discord.messages.reply_options import EditPace, ReplyOptions
from discordianai.discord.messages.rest import DiscordApi
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

        async def tell(words: str) -> None:
            self.told.append(words)

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


async def test_where_the_bot_may_not_reply_it_writes_a_plain_message(scene: Scene) -> None:
    scene.discord.channels_without_replies.add(HERE)
    assert await scene.shown("An answer.") == ["An answer.\n\n-# Model"]
    assert scene.discord.channel_messages[0].reply_to is None
    assert scene.told == []


async def test_an_answer_with_a_link_that_is_blocked_comes_without_its_links(scene: Scene) -> None:
    scene.discord.blocked_words.add("evil.example")
    [content] = await scene.shown("Look [here](https://evil.example/a) or at https://evil.example/b now.")
    assert content == f"Look here {LINK_REMOVED} or at {LINK_REMOVED} now.\n\n-# Model"


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
            while len([each for each in scene.discord.counters.refused if "240000" in each]) < 3:  # noqa: ASYNC110  # they tell nobody
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


async def test_a_place_that_takes_nothing_has_it_said_elsewhere(scene: Scene) -> None:
    scene.discord.closed_channels.add(HERE)
    assert await scene.shown("An answer.", fails=True) == []
    assert scene.told == [REFUSED]


def _buttons(message: Any) -> list[dict[str, Any]]:
    return [part for row in message.components for part in row["components"]]
