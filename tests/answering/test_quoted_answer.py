"""Whether what somebody replies to is the bot's last answer."""

import time

import pytest

from discordianai.answering.context import quotes_last_turn
from discordianai.records import Quotation, Role, Turn

ANSWER = "Llamas **spit** when cross [1]. " * 30 + "\n\nSee https://example.com/a for more; they also hum."
LAST = (Turn(Role.USER, "why?"), Turn(Role.ASSISTANT, ANSWER))


def quoting(own: str) -> Quotation:
    return Quotation("> …", "> …", own=own)


@pytest.mark.parametrize(
    "shown",
    [
        ANSWER,
        ANSWER[:900],
        ANSWER[900:],
        ANSWER.replace("[1]", "[[1]](<https://example.com/a>)"),
        f"{ANSWER[:900]}\n\n-# OpenAI · gpt · by default",
        "-# You're next.",
    ],
)
def test_a_message_of_the_last_answer_is_known_again(shown: str) -> None:
    """Whole or in part, with links for the numbers of sources, with small print or with nothing else yet."""
    assert quotes_last_turn(quoting(shown), LAST)


def test_anything_else_is_quoted() -> None:
    """Others' words, another answer, and an answer that is not the last."""
    assert not quotes_last_turn(quoting(""), LAST)
    assert not quotes_last_turn(quoting("Alpacas hum."), LAST)
    assert not quotes_last_turn(quoting("Cross!"), LAST)  # a word that is in the last answer, too
    assert not quotes_last_turn(quoting(ANSWER), ())
    assert not quotes_last_turn(quoting(ANSWER), (*LAST, Turn(Role.USER, "and?"), Turn(Role.ASSISTANT, "no")))


def test_an_answer_of_half_links_takes_no_more_time_than_any_other() -> None:
    """An answer has a million characters at most. What is quadratic takes minutes for a part of them."""
    last = (LAST[0], Turn(Role.ASSISTANT, "](" * 100_000))
    start = time.process_time()
    quotes_last_turn(quoting("](" * 1000), last)
    assert time.process_time() - start < 2
