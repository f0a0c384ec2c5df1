"""What is shown while there is no text."""

import math

import trio
import trio.testing

from discordianai.discord.messages.reply_status import SILENCE, ReplyStatus


async def test_that_the_model_thinks_is_told_when_it_lasts(autojump_clock: trio.testing.MockClock) -> None:
    status = ReplyStatus()
    status.think()
    assert status.text == ""
    assert status.due_at == trio.current_time() + SILENCE
    status.tell_thinking()
    assert status.text.startswith("-# Thinking")
    assert status.due_at == math.inf


async def test_whoever_searches_is_not_said_to_think(autojump_clock: trio.testing.MockClock) -> None:
    status = ReplyStatus()
    status.think()
    status.search("the weather")
    status.think()
    assert "the weather" in status.text
    assert status.due_at == math.inf
