"""`<think>` blocks are none of the text, wherever the stream cuts them; what an answer says of them is."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.providers.thoughts import ThoughtFilter

CASES = [
    ("no block at all", "no block at all"),
    ("<think>hm</think>\n\nyes", "yes"),
    ("\n<THINK>\nhm < 3, </thin, <b>\n</THINK>yes", "\nyes"),
    ("<thinking>a</thinking><think>b</think>yes", "yes"),
    ("first\n<think>hm</think>\nthen", "first\nthen"),
    ("<think>cut while it thought", ""),
    ("", ""),
    ("say <think> in a sentence", "say <think> in a sentence"),
    ("```html\n<think>code</think>\n```\n<think>hm</think>yes", "```html\n<think>code</think>\n```\nyes"),
    ("<b>bold</b> a < b", "<b>bold</b> a < b"),
    ("it ends with <", "it ends with <"),
    ("<thi", "<thi"),
    ("<think></think>yes", "yes"),
]


def filtered(pieces: list[str]) -> str:
    thoughts = ThoughtFilter()
    return "".join([*map(thoughts.take, pieces), thoughts.close()])


@pytest.mark.parametrize(("text", "answer"), CASES)
def test_a_block_is_left_out_and_nothing_else(text: str, answer: str) -> None:
    """As one piece, and character by character."""
    assert filtered([text]) == answer
    assert filtered(list(text)) == answer


@given(st.sampled_from(CASES), st.lists(st.integers(0, 60), max_size=6))
def test_it_does_not_matter_where_the_stream_is_cut(case: tuple[str, str], cuts: list[int]) -> None:
    text, answer = case
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    assert filtered([text[a:b] for a, b in pairwise(places)]) == answer


@given(st.text("<>/think \n`", max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_text_gives_the_same_however_it_is_cut(text: str, cuts: list[int]) -> None:
    """A tag that nobody opened is the exception: what came before it may be shown already."""
    if "</think" in text.lower():
        return
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    assert filtered([text[a:b] for a, b in pairwise(places)]) == filtered([text])


def test_a_block_that_the_template_opened_ends_with_its_tag() -> None:
    """In one piece, what precedes it is reasoning; in a stream, that is shown already, but the tag is not."""
    assert filtered(["hm, let me see\n</think>\n\nyes"]) == "yes"
    assert filtered(["hm\n", "</think>\n\nyes"]) == "hm\nyes"


def test_what_is_certain_is_given_at_once() -> None:
    """A text is held back only as long as it may become a tag."""
    thoughts = ThoughtFilter()
    assert thoughts.take("one <") == "one <"
    assert thoughts.take("two\n<thi") == "two\n"
    assert thoughts.take("s is it") == "<this is it"
