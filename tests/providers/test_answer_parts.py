"""A call of a tool is put together from whatever pieces it comes in, and thoughts are none of the text."""

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers.answer_parts import ThoughtFilter, ToolCalls
from discordianai.records import ToolCall


def calls(*pieces: str, name: str = WEB_SEARCH.name) -> ToolCalls:
    made = ToolCalls((WEB_SEARCH,))
    made.add(0, name, "")
    for piece in pieces:
        made.add(0, "", piece)
    return made


@given(st.text(), st.lists(st.integers(0, 80), max_size=6))
def test_however_it_is_cut_the_query_is_whole_and_told_once(query: str, cuts: list[int]) -> None:
    arguments = json.dumps({"query": query})
    edges = [0, *sorted(min(cut, len(arguments)) for cut in cuts), len(arguments)]
    made = calls(*(arguments[start:end] for start, end in pairwise(edges)))
    assert made.whole() == ToolCall(WEB_SEARCH.name, query)
    assert made.whole() is None


def test_arguments_that_make_no_sense_are_a_call_without_a_query() -> None:
    for arguments in ("", "{", "[]", '{"query": 7}', '{"other": "x"}', "null"):
        assert calls(arguments).whole() == ToolCall(WEB_SEARCH.name, "")


def test_of_several_calls_the_first_counts_and_a_strange_tool_is_none() -> None:
    made = calls('{"query": "first"}')
    made.add(1, "web_search", '{"query": "2"}')
    assert made.whole() == ToolCall(WEB_SEARCH.name, "first")
    assert calls("{}", name="delete_everything").whole() is None


def test_a_call_behind_one_of_a_strange_tool_counts() -> None:
    made = calls('{"queries": ["theirs"]}', name="search_web")
    made.add(1, "web_search", '{"query": "ours"}')
    assert made.whole() == ToolCall(WEB_SEARCH.name, "ours")


def test_the_whole_arguments_count_more_than_their_pieces() -> None:
    made = calls('{"que')
    made.replace(0, "", '{"query": "whole"}')
    assert made.whole() == ToolCall(WEB_SEARCH.name, "whole")


def test_arguments_without_end_are_a_call_without_a_query() -> None:
    made = calls(*['{"query": "' + "x" * 1000] * 10_000)
    assert made.whole() == ToolCall(WEB_SEARCH.name, "")


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


@pytest.mark.parametrize("piece", ["\n", "<", "\n<", "<a\n", "</think>\n", "```\n<think>\n```\n"])
def test_no_piece_takes_more_time_than_its_length_allows(piece: str) -> None:
    """An event has a megabyte at most. This takes 50 ms; what is quadratic takes ten seconds and more."""
    text = piece * (200_000 // len(piece))
    start = time.process_time()
    ThoughtFilter().take(f"{text}<")
    assert time.process_time() - start < 2
