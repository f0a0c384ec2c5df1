"""A call of a tool is put together from whatever pieces it comes in, or is none."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers.answer_parts import ToolCalls
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
