"""What is shown while there is no text."""

import math

import pytest
import trio
import trio.testing

from discordianai.discord.messages.reply_status import (
    LONGEST_QUERY,
    SILENCE,
    ReplyStatus,
    searching,
    thinking,
)


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


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("tide table brest", "`tide table brest`"),
        ("  tides\n\n# of\tBrest ", "`tides # of Brest`"),
        ("`` `code` ``", "`'' 'code' ''`"),
        ("<@1> @everyone https://evil.example [a](b)", "`<@1> @everyone https://evil.example [a](b)`"),
        ("\u202egnp.exe\u200b", "`gnp.exe`"),
        ("weather \ud800", "`weather`"),
        ("\u3164tides\u2800", "`tides`"),
    ],
)
def test_a_query_is_shown_as_inline_code_alone(query: str, shown: str) -> None:
    """One line that nothing ends early, so that Discord makes no mention or link of it."""
    assert searching(query) == f"Searching the web for {shown}"


def test_a_long_query_is_cut_and_an_empty_one_is_not_quoted() -> None:
    """A status is one short line."""
    assert searching("a" * 1000) == f"Searching the web for `{'a' * (LONGEST_QUERY - 1)}…`"
    for nothing in (" \u200b\n", "\u3164", "\u2800"):
        assert searching(nothing) == "Searching the web"


def test_discord_counts_the_time() -> None:
    """Its own relative time needs no edit for each second."""
    assert thinking(1_795_600_000.7) == "Thinking, started <t:1795600000:R>"
