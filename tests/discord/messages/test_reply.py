"""An answer is shown at a bounded pace, always the newest, and in the end the whole of it."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from discordianai.answering.reply import AnswerEnd, ReplyFailed
from discordianai.conversations.pending_questions import TurnId
from discordianai.discord.messages.application_limits import ApplicationHeld
from discordianai.discord.messages.port import (
    Body,
    File,
    MessageError,
    MessageGone,
    MessageRefused,
    MessagesBusy,
    MessagesExpired,
    NotPermitted,
    ThreadArchived,
)
from discordianai.discord.messages.reply import (
    IN_THE_FILE,
    NOT_SHOWN,
    REFUSED,
    DiscordReply,
    open_reply,
)
from discordianai.discord.messages.reply_options import OUTAGE_WAITS, EditPace, ReplyOptions
from discordianai.discord.rendering.splitting import split
from discordianai.records import Citation
from tests.discord.builders import question
from tests.discord.rendering.markdown_texts import documents
from tests.doubles.messages import FakeMessages
from tests.examples import examples

FOR_THE_PERSON = f"-# For <@{question().person.id}>\n"


def options(**more: Any) -> ReplyOptions:
    """One edit a second, and as many messages as it takes."""
    return replace(ReplyOptions(EditPace(1.0), max_messages=50), **more)


async def end(reply: DiscordReply, closing: AnswerEnd | None = None) -> None:
    reply.close(closing or AnswerEnd())
    await reply.finish()


async def test_the_first_words_appear_at_once(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        began = trio.current_time()
        reply.write("first")
        await trio.sleep(0.01)
        assert messages.history == [(began, None, "first")]


async def test_edits_are_a_second_apart_with_the_newest_text_and_the_last_has_all(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages(latency=0.3)
    async with open_reply(messages, question(), options()) as reply:
        for number in range(100):
            reply.write(f"{number} ")
            await trio.sleep(0.05)
        await end(reply)
    times = [time for time, _, _ in messages.history]
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in pairwise(times))
    assert len(times) in {6, 7}
    assert messages.contents[None].split() == [str(number) for number in range(100)]
    # Each edit showed what had come when it was sent, 0.3 s before it was taken.
    for time, _, content in messages.history[1:-1]:
        assert len(content.split()) == pytest.approx((time - times[0]) / 0.05, abs=8)


async def test_the_last_look_stays_however_long_discord_takes_for_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Text that came just before the end must not bring the Stop button back."""
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.write("first")
        await trio.sleep(0.1)
        reply.write(" and last")
        messages.failures.append(MessagesBusy("Discord holds all of the application's requests", 3.0))
        await end(reply, AnswerEnd("a note"))
        await trio.sleep(5)
    assert messages.contents[None] == "first and last\n\n-# a note"
    assert messages.bodies[-1]["components"] == []


@pytest.mark.parametrize("latency", [0.0, 0.3])
async def test_a_long_answer_goes_on_in_further_messages_and_full_ones_do_not_change(
    latency: float, autojump_clock: trio.testing.MockClock
) -> None:
    messages = FakeMessages(latency)
    words = [f"word{number}" for number in range(1500)]
    async with open_reply(messages, question(), options()) as reply:
        for word in words:
            reply.write(word + " ")
            await trio.sleep(0.01)
        reply.cite((Citation("https://a.example", "A"),))
        await end(reply, AnswerEnd("a note"))
    shown = " ".join(messages.contents.values())
    assert shown.split()[: len(words)] == words
    assert shown.endswith("**Sources**\n[1] [A](<https://a.example>) · a.example\n\n-# a note")
    assert all(len(content) <= 2000 for content in messages.contents.values())
    by_message = defaultdict(list)
    for _, message_id, content in messages.history:
        by_message[message_id].append(content)
    assert len(by_message) > 4
    for contents in by_message.values():
        assert all(later.startswith(earlier.rstrip()) for earlier, later in pairwise(contents))


async def test_an_answer_that_has_ended_takes_one_request_for_each_of_its_messages(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Also the last one has its buttons at once: where others wait, each request more takes their place."""
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.write("word " * 1000)
        await end(reply, AnswerEnd("a note"))
        await trio.sleep(5)
    assert len(messages.contents) == 3
    assert len(messages.history) == 3
    assert messages.bodies[-1]["components"] == []


async def test_a_link_that_lies_is_shown_with_its_host_in_whichever_message_it_stands(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Also where one message ends and the next begins, and in what is remembered of the answer."""
    messages = FakeMessages()
    link = "[https://bank.example](<https://evil.example>)"
    text = f"{'word ' * 393}{link} {'word ' * 390}{link}"
    async with open_reply(messages, question(), options()) as reply:
        for start in range(0, len(text), 7):
            reply.write(text[start : start + 7])
            await trio.sleep(0.02)
        remembered = reply.close(AnswerEnd())
        await reply.finish()
    marked = "[https://bank.example (evil.example)](<https://evil.example>)"
    shown = list(messages.contents.values())
    assert len(shown) == 3
    assert [content.count(marked) for content in shown] == [0, 1, 1]
    assert "".join(shown).count("bank.example") == remembered.count(marked) == 2


async def test_each_edit_has_the_newest_text_also_where_the_answer_goes_on_in_a_further_message(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages, written = FakeMessages(latency=0.3), []
    async with open_reply(messages, question(), options()) as reply:
        for number in range(1000):
            written.append(trio.current_time())
            reply.write(f"{number:04} ")
            await trio.sleep(0.033)
        await end(reply)
    assert len(messages.contents) == 3
    shown, behind = 0, []
    for time, _, content in messages.history:
        if shown < len(written):
            behind.append(time - written[shown])  # how old what was not yet to be seen had become
        shown = max(shown, *(int(word) + 1 for word in content.split()))
    assert max(behind) <= 1.0 + 3 * 0.3 + 0.1  # at a joint, one message is completed and another opened


async def test_a_failed_edit_is_made_good(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    messages.failures = [MessagesBusy("429", 0.5), MessagesBusy("500", 0.0)]
    async with open_reply(messages, question(), options()) as reply:
        reply.write("all of it")
        await trio.sleep(5)
        assert messages.contents == {None: "all of it"}


async def test_when_the_place_takes_no_more_the_end_says_so(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    messages.failures = [MessageGone("Discord answered 404, code 10008")]
    async with open_reply(messages, question(), options()) as reply:
        with pytest.raises(ReplyFailed, match="10008"):
            await end(reply, AnswerEnd(note="too late"))


async def test_a_status_and_words_that_discord_has_not_taken_are_no_text(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.say("Waiting.")
        await trio.sleep(1)
        messages.failures = [MessagesBusy("503", 0.0)] * 100
        reply.write("because")
        await trio.sleep(1)
        assert reply.visible
        assert not reply.shows_text
        messages.failures = []
        await trio.sleep(5)
        assert reply.shows_text


async def test_who_deletes_the_message_stops_the_answer(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.write("first")
        await trio.sleep(0.1)
        messages.failures = [MessageGone("Discord answered 404, code 10008")]
        reply.write(" second")
        await trio.sleep(2)
        with pytest.raises(ReplyFailed, match="10008"):
            reply.write(" third")


async def test_a_query_is_shown_until_there_is_text_and_nothing_of_thinking(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What is searched for says more than that it takes long."""
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.search("tides in Brest")
        reply.think()
        await trio.sleep(60)
        assert [text for *_, text in messages.history] == ["-# Searching the web for `tides in Brest`"]


async def test_a_model_that_thinks_for_long_is_said_to_with_discords_own_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One edit after five seconds, and no further one for the ticks; text takes its place."""
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.say("You're next.")
        await trio.sleep(2)
        reply.think()
        await trio.sleep(4.9)
        assert len(messages.history) == 1
        await trio.sleep(100)
        assert re.fullmatch(r"-# Thinking, started <t:\d{10}:R>", messages.history[-1][2])
        assert len(messages.history) == 2
        reply.write("Text.")
        await trio.sleep(10)
        assert messages.history[-1][2] == "Text."
        assert len(messages.history) == 3


async def test_an_answer_that_comes_soon_is_not_said_to_be_thought_about(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The status would only delay the text by the pace of edits."""
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.think()
        await trio.sleep(4)
        reply.write("Text.")
        await trio.sleep(60)
        assert [text for *_, text in messages.history] == ["Text."]


async def test_the_first_words_wait_for_a_status_no_longer_than_they_must(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What follows keeps the pace."""
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.search("tides")
        await trio.sleep(0.1)
        reply.write("First.")
        await trio.sleep(0.5)
        reply.write(" Second.")
        await trio.sleep(10)
    assert [time for time, *_ in messages.history] == [0, pytest.approx(0.3), pytest.approx(1.3)]


async def test_a_status_is_shown_until_there_is_text(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.say("Waiting: number 3 in the queue.")
        await trio.sleep(0.1)
        assert messages.contents == {None: "-# Waiting: number 3 in the queue."}
        reply.write("The answer.")
        await trio.sleep(2)
        assert messages.contents == {None: "The answer."}
        reply.say("too late")
        await end(reply)
    assert messages.contents == {None: "The answer."}


def labels(body: Body) -> list[str]:
    return [button["label"] for row in body["components"] for button in row["components"]]


async def test_only_the_newest_message_has_a_stop_button_and_the_end_has_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        for number in range(900):
            reply.write(f"word{number} ")
            await trio.sleep(0.01)
        assert [labels(body) for body in messages.bodies].count(["Stop"]) > 5
        await end(reply)
    last = {message: body for (_, message, _), body in zip(messages.history, messages.bodies, strict=True)}
    assert len(last) > 2
    assert all(labels(body) == [] for body in last.values())


async def test_what_is_unfinished_can_be_gone_on_with(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.write("half an")
        await end(reply, AnswerEnd(note="It breaks off.", footer="OpenAI", unfinished=True))
    assert messages.contents == {None: "half an\n\n-# It breaks off.\n-# OpenAI"}
    assert labels(messages.bodies[-1]) == ["Continue"]


async def test_nothing_can_ping_and_private_stays_private(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(private=True), options()) as reply:
        reply.write("@everyone " * 400)
        await end(reply)
    assert len(messages.bodies) > 1
    for body in messages.bodies:
        assert body["allowed_mentions"] == {"parse": []}
        assert body["flags"] & 64


async def test_an_answer_of_nothing_still_ends(autojump_clock: trio.testing.MockClock) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.write(" \n")
        await end(reply)
    assert messages.contents[None].strip()


@settings(max_examples=examples(50), deadline=None)
@given(
    pieces=st.lists(st.tuples(st.text(max_size=400), st.floats(0, 2)), max_size=30),
    latency=st.floats(0, 3),
)
def test_whatever_comes_whenever_all_of_it_is_shown(pieces: list[tuple[str, float]], latency: float) -> None:
    messages = FakeMessages(latency)

    async def main() -> None:
        async with open_reply(messages, question(), options()) as reply:
            for text, pause in pieces:
                reply.write(text.replace("`", "").replace("~", ""))
                await trio.sleep(pause)
            await end(reply)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    wanted = "".join("".join(text.replace("`", "").replace("~", "") for text, _ in pieces).split())
    shown = "".join("".join(messages.contents.values()).split())
    assert shown == wanted or (not wanted and shown == "…")


async def test_each_further_message_is_noted_before_the_next_is_sent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages, noted = FakeMessages(0.1), list[tuple[int, str]]()
    written = " ".join(f"word{number}" for number in range(1500))

    async def note_further(message_id: int, text: str) -> None:
        await trio.sleep(0.5)
        noted.append((message_id, text))
        assert list(messages.contents) == [None, *(known for known, _ in noted)]

    async with open_reply(messages, question(), options(note_further=note_further)) as reply:
        reply.write(written)
        await end(reply)
    assert len(noted) > 3
    assert noted[-1][1] == written


async def test_a_message_that_was_sent_is_noted_even_if_the_answer_is_cancelled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages, noted = FakeMessages(), list[int]()

    async def note_further(message_id: int, text: str) -> None:
        await trio.sleep(0.5)
        noted.append(message_id)

    with trio.move_on_after(1.2):  # the first message is full, the second has just been sent
        async with open_reply(messages, question(), options(note_further=note_further)) as reply:
            reply.write("word " * 900)
            await trio.sleep(60)
    assert noted == [known for known in messages.contents if known is not None]


@pytest.mark.parametrize(("words", "kept"), [(1500, 4), (500, 2), (3, 1)])
async def test_an_answer_that_was_left_is_shown_in_the_messages_that_are_there(
    autojump_clock: trio.testing.MockClock, words: int, kept: int
) -> None:
    messages, noted = FakeMessages(), list[int]()
    left = (71, 72, 73)
    messages.contents = {None: "half", 71: "an", 72: "old", 73: "answer"}

    async def note_further(message_id: int, text: str) -> None:
        noted.append(message_id)

    async with open_reply(
        messages, question(), options(note_further=note_further, earlier_ids=left)
    ) as reply:
        for number in range(words):
            reply.write(f"word{number} ")
            await trio.sleep(0.01)
        await end(reply)
    assert list(messages.contents)[: len(left) + 1] == [None, *left][:kept]
    assert " ".join(messages.contents.values()).split() == [f"word{number}" for number in range(words)]
    assert len(messages.contents) == kept + len(noted)


async def test_a_left_message_that_somebody_removed_is_replaced(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages()
    messages.gone = {71}
    async with open_reply(messages, question(), options(earlier_ids=(71, 72))) as reply:
        reply.write("word " * 500)
        await end(reply)
    assert list(messages.contents) == [None, 72]


def test_what_is_stored_is_what_will_be_shown() -> None:
    reply = DiscordReply(FakeMessages(), question(), options())
    reply.cite((Citation("https://a.example", "A"),))
    reply.write("an answer [1]\n")
    text = reply.close(AnswerEnd("a note", "a footer"))
    assert text == (
        "an answer [[1]](<https://a.example>)"
        "\n\n**Sources**\n[1] [A](<https://a.example>) · a.example\n\n-# a note\n-# a footer"
    )


@pytest.mark.parametrize("before", ["", "\n\n"])
@pytest.mark.parametrize("after", ["", "\n\n\n\n"])
@pytest.mark.parametrize("moment", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4])
async def test_an_answer_loses_nothing_at_whatever_moment_it_ends(
    before: str, after: str, moment: float, autojump_clock: trio.testing.MockClock
) -> None:
    messages = FakeMessages(latency=0.5)
    async with open_reply(messages, question(), options()) as reply:
        reply.write(f"{before}word{' word' * 449}{after}")
        await trio.sleep(moment)  # the first message is full, and the next one is being opened
        stored = reply.close(AnswerEnd("a note"))
        await reply.finish()
    assert len(messages.contents) == 2
    assert " ".join(messages.contents.values()).split() == stored.split()
    assert list(messages.contents.values())[1].endswith("word\n\n-# a note")


async def test_a_message_ends_before_a_link_that_came_in_pieces(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        for piece in ("word " * 399, "[a page](https://exam", "ple.org/a) and\n", "```py\nx = 1"):
            reply.write(piece)
            await trio.sleep(3)
        reply.cite((Citation("https://a.example", "A"),))
        await end(reply)
    first, second = messages.contents.values()
    assert first == ("word " * 399).strip()
    assert second == (
        "[a page](https://example.org/a) and\n```py\nx = 1\n```"
        "\n\n**Sources**\n[1] [A](<https://a.example>) · a.example"
    )


async def test_half_a_character_does_not_keep_an_answer_from_being_sent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.write("\ud83d")
        await trio.sleep(3)
        reply.write("\ude00 and \ud83d")
        await end(reply)
    assert messages.contents == {None: "😀 and \ufffd"}


@settings(max_examples=examples(15), deadline=None)
@given(text=st.lists(documents(), min_size=3, max_size=12).map("\n\n".join), size=st.integers(1, 300))
def test_however_an_answer_comes_it_ends_as_the_messages_that_it_is_split_into(text: str, size: int) -> None:
    messages = FakeMessages()

    async def main() -> None:
        async with open_reply(messages, question(), options()) as reply:
            for start in range(0, len(text), size):
                reply.write(text[start : start + size])
                await trio.sleep(0.4)
            await end(reply)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert list(messages.contents.values()) == split(text.strip("\n"))
    places = [list(messages.contents).index(message_id) for _, message_id, _ in messages.history]
    assert places == sorted(places)  # only the newest message is edited


async def test_an_answer_of_more_messages_than_may_be_comes_as_a_file(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages()
    async with open_reply(messages, question(), options(max_messages=3)) as reply:
        for number in range(2000):
            reply.write(f"word{number} ")
            await trio.sleep(0.01)
        shown = list(messages.contents.values())
        await end(reply, AnswerEnd(footer="OpenAI"))
    assert len(shown) == 3
    assert list(messages.contents) == [None]  # the further ones are removed
    content = messages.contents[None]
    assert content.startswith("word0 word1 ")
    assert content.endswith(f"-# {IN_THE_FILE}\n-# OpenAI")
    assert len(content) <= 2000
    (file,) = messages.files[None]
    assert file.name == "answer.md"
    assert file.content.decode().split() == [f"word{number}" for number in range(2000)]


class WithoutUploads(FakeMessages):
    """Takes no files, for whatever reason, and all else."""

    def __init__(self, error: MessageError) -> None:
        super().__init__()
        self._error = error

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        if files:
            raise self._error
        await super().edit(message_id, body)


@pytest.mark.parametrize(
    "error", [MessageRefused("Discord answered 413"), MessagesBusy("Discord answered 500", 1.0)]
)
async def test_an_answer_whose_file_does_not_arrive_comes_in_messages(
    error: MessageError, autojump_clock: trio.testing.MockClock
) -> None:
    """Discord can fail to store files while it takes messages; a large one can be too slow for the line."""
    messages = WithoutUploads(error)
    async with open_reply(messages, question(), options(max_messages=2)) as reply:
        for number in range(1000):
            reply.write(f"word{number} ")
            await trio.sleep(0.01)
        await end(reply)
    shown = " ".join(messages.contents.values())
    assert shown.split() == [f"word{number}" for number in range(1000)]


async def test_a_file_that_is_held_up_with_everything_else_is_not_followed_by_messages(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """They would wait for as long again."""
    messages = WithoutUploads(ApplicationHeld("Discord's edge refuses all requests", 3600.0))
    async with open_reply(messages, question(), options(max_messages=1)) as reply:
        reply.write("word " * 1000)
        with pytest.raises(ReplyFailed, match="edge"):
            await end(reply)


@pytest.mark.parametrize(
    "error", [MessageRefused("Discord answered 403"), MessagesBusy("Discord answered 500", 1.0)]
)
async def test_an_answer_is_there_although_its_former_messages_cannot_be_removed(
    error: MessageError, autojump_clock: trio.testing.MockClock
) -> None:
    """Nobody is told that it could not be shown."""
    told: list[str] = []

    async def tell(words: str) -> bool:
        told.append(words)
        return True

    messages = FakeMessages()
    messages.no_removal = error
    async with open_reply(
        messages, question(), options(max_messages=2, earlier_ids=(1, 2), tell=tell)
    ) as reply:
        for number in range(1000):
            reply.write(f"word{number} ")
            await trio.sleep(0.01)
        await end(reply)
    (file,) = messages.files[None]
    assert file.content.decode().split() == [f"word{number}" for number in range(1000)]
    assert told == []


@dataclass
class Away(FakeMessages):
    """Those of a Discord that takes nothing `until` then; if it is `away`, no sentence elsewhere either."""

    until: float = 0.0
    away: bool = True
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        """As the real ones, tries for two minutes."""
        await trio.sleep(min(max(self.until - trio.current_time(), 0.0), 120.0))
        if trio.current_time() < self.until:
            raise MessagesBusy("Discord answered 503", 0.0)
        await super().edit(message_id, body, files)

    async def tell(self, words: str) -> bool | None:
        self.told.append(words)
        await trio.sleep(20.0)
        return None if self.away and trio.current_time() < self.until else True


@pytest.mark.parametrize("seconds", [130.0, 180.0, 600.0, 900.0])
async def test_an_outage_at_an_answers_end_is_outlasted(
    seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    """The answer is shown when it is over, with all that belongs to its end, also where it is over just when
    it would have been said that there is none."""
    messages = Away(seconds)
    async with open_reply(messages, question(), options(tell=messages.tell)) as reply:
        reply.write("because ")
        await trio.sleep(1)
        reply.write("of that")
        await end(reply, AnswerEnd("a note"))
    assert messages.contents[None] == "because of that\n\n-# a note"
    assert trio.current_time() <= messages.until + max(OUTAGE_WAITS)


async def test_what_no_webhook_takes_for_two_minutes_goes_to_the_channel(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where only interactions are in trouble."""
    messages, channel = Away(math.inf), FakeMessages()
    async with open_reply(messages, question(), options(elsewhere=channel, tell=messages.tell)) as reply:
        reply.write("because")
        await trio.sleep(1)
        reply.write(" of that")
        await end(reply, AnswerEnd("a note"))
    assert channel.contents[None] == f"{FOR_THE_PERSON}because of that\n\n-# a note"
    assert messages.told == []


async def test_what_discord_cannot_take_is_told_where_it_takes_a_sentence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An error of its own for these words is no outage; nor does one last for ever."""
    for away, said in ((False, [NOT_SHOWN]), (True, [NOT_SHOWN] * 6)):
        messages, began = Away(math.inf, away=away), trio.current_time()
        async with open_reply(messages, question(), options(tell=messages.tell)) as reply:
            reply.write("because")
            reply.close(AnswerEnd())
            with pytest.raises(ReplyFailed):
                await reply.finish()
        assert messages.told == said
        assert trio.current_time() - began <= 1400.0


@pytest.mark.parametrize(("closed", "shown"), [(5.0, True), (19.0, True), (60.0, False)])
async def test_a_permission_that_is_missing_for_a_moment_costs_no_answer(
    closed: float, shown: bool, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """Nobody is told of it; where it lasts, the person is told once."""
    messages, told = FakeMessages(), list[str]()

    async def tell(words: str) -> bool | None:
        told.append(words)
        return True

    async with open_reply(messages, question(), options(tell=tell)) as reply:
        reply.write("because ")
        await trio.sleep(1)
        messages.failures, reopened = (
            [NotPermitted("Discord answered 403")] * 99,
            trio.current_time() + closed,
        )
        reply.write("of that")
        reply.close(AnswerEnd())
        nursery.start_soon(_reopen, messages, reopened)
        with nullcontext() if shown else pytest.raises(ReplyFailed):
            await reply.finish()
    assert (messages.contents[None] == "because of that") is shown
    assert told == ([] if shown else [REFUSED])


async def test_a_long_answer_has_its_file_when_the_permission_is_back(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    """What was given up for the missing permission is tried anew."""
    messages, text = FakeMessages(), "A sentence of some words.\n\n" * 400
    async with open_reply(messages, question(), options(max_messages=2)) as reply:
        reply.write(text[:4200])
        await trio.sleep(5)
        messages.failures = [NotPermitted("Discord answered 403")] * 99
        nursery.start_soon(_reopen, messages, trio.current_time() + 1.0)
        reply.write(text[4200:])
        await end(reply)
    assert IN_THE_FILE in messages.contents[None]
    (file,) = messages.files[None]
    assert file.content.decode().strip() == text.strip()


async def test_what_is_said_after_the_end_repeats_no_sources(autojump_clock: trio.testing.MockClock) -> None:
    """A goodbye follows an end that was tried, and cancelled."""
    messages = FakeMessages()
    async with open_reply(messages, question(), options()) as reply:
        reply.cite((Citation("https://a.example/1", "One"),))
        reply.write("because")
        await end(reply, AnswerEnd(footer="OpenAI"))
        await end(reply, AnswerEnd("Back in a moment."))
    assert messages.contents[None].count("**Sources**") == 1


async def _reopen(messages: FakeMessages, at: float) -> None:
    await trio.sleep_until(at)
    messages.failures = []


async def test_what_an_ended_interaction_does_not_take_goes_to_the_channel(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages, channel = FakeMessages(), FakeMessages()
    async with open_reply(messages, question(), options(elsewhere=channel)) as reply:
        reply.write("the beginning")
        await trio.sleep(5)
        messages.failures = [MessagesExpired("15 minutes")] * 9
        reply.write(" and the end")
        await trio.sleep(5)
        await end(reply)
    assert messages.contents == {None: "the beginning"}
    assert channel.contents == {None: f"{FOR_THE_PERSON}the beginning and the end"}


async def test_the_last_edit_of_an_ended_interaction_goes_to_the_channel_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages, channel = FakeMessages(), FakeMessages()
    messages.failures = [MessagesExpired("15 minutes")] * 9
    async with open_reply(messages, question(), options(elsewhere=channel)) as reply:
        reply.write("all of it")
        await end(reply)
    assert channel.contents == {None: f"{FOR_THE_PERSON}all of it"}


async def test_an_answer_in_the_channel_says_for_whom_it_is_before_its_first_word_and_in_a_file(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages, channel = FakeMessages(), FakeMessages()
    messages.failures = [MessagesExpired("15 minutes")] * 9
    async with open_reply(messages, question(), options(elsewhere=channel, max_messages=1)) as reply:
        reply.say("Searching the web")
        await trio.sleep(2)
        assert channel.contents == {None: f"{FOR_THE_PERSON}-# Searching the web"}
        reply.write("word " * 1_000)
        await end(reply)
    assert channel.contents[None].startswith(f"{FOR_THE_PERSON}word word")
    assert channel.contents[None].count("word") < 400
    assert channel.files[None][0].content.startswith(b"word word")


async def test_without_another_place_an_ended_interaction_ends_the_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    messages = FakeMessages()
    messages.failures = [MessagesExpired("15 minutes")] * 9
    async with open_reply(messages, question(private=True), options()) as reply:
        reply.write("a secret")
        await trio.sleep(2)
        with pytest.raises(ReplyFailed):
            reply.write("more")


async def test_an_answer_that_is_remembered_can_be_asked_again_and_searched(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for closing, turn, can_search, expected in (
        (AnswerEnd(), TurnId("7.8"), True, ["Again", "Search the web"]),
        (AnswerEnd(searched=True), TurnId("7.8"), True, ["Again"]),
        (AnswerEnd(), TurnId("7.8"), False, ["Again"]),
        (AnswerEnd(unfinished=True), TurnId("7.8"), True, ["Continue", "Again", "Search the web"]),
        (AnswerEnd(), None, True, []),
    ):
        messages = FakeMessages()
        async with open_reply(messages, question(), options(can_search=can_search)) as reply:
            reply.write("text")
            reply.close(closing)
            await reply.finish(turn)
        assert labels(messages.bodies[-1]) == expected


@pytest.mark.slow
async def test_the_more_answers_stream_the_slower_each_is_edited(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pace = EditPace(1.0)
    all_messages = [FakeMessages(0.05) for _ in range(200)]

    async def stream(messages: FakeMessages) -> None:
        async with open_reply(messages, question(), options(pace=pace)) as reply:
            for number in range(60):
                reply.write(f"{number} ")
                await trio.sleep(0.5)
            await end(reply)

    async with trio.open_nursery() as nursery:
        for messages in all_messages:
            nursery.start_soon(stream, messages)
    edits = sum(len(messages.history) for messages in all_messages)
    assert edits / 30 <= 60
    assert all(messages.contents[None].split()[-1] == "59" for messages in all_messages)


async def test_an_answer_in_an_archived_thread_moves_to_where_writing_opens_that_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An interaction's webhook cannot. What stays where it was cannot be stopped any more."""
    messages, channel = FakeMessages(), FakeMessages()
    async with open_reply(messages, question(), options(elsewhere=channel)) as reply:
        reply.write("the beginning")
        await trio.sleep(5)
        assert labels(messages.bodies[-1]) == ["Stop"]
        messages.failures = [ThreadArchived("Discord answered 400, code 50083")] * 2
        reply.write(" and the end")
        await end(reply)
    assert channel.contents == {None: f"{FOR_THE_PERSON}the beginning and the end"}
    assert messages.bodies[-1]["components"] == []
