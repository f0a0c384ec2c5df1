"""What is shown before there is text."""

import pytest

from discordianai.discord.rendering.status_text import LONGEST_QUERY, searching, thinking


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
