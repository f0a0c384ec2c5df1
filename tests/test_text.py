"""A text that comes in pieces is the pieces joined, and takes little more memory than that."""

import json
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from discordianai.answering.answer import AnswerSoFar
from discordianai.providers.port import TextDelta
from discordianai.providers.responses import ResponsesDecoder
from discordianai.records import Route
from discordianai.text import AT_ONCE, GrowingText
from tests.known_providers import OPENAI


@given(first=st.text(), pieces=st.lists(st.text() | st.none()), times=st.integers(1, AT_ONCE))
def test_it_is_what_was_appended_whenever_it_is_read(
    first: str, pieces: list[str | None], times: int
) -> None:
    text, expected = GrowingText(first), first
    for piece in pieces:
        if piece is None:
            assert str(text) == expected
        else:
            for _ in range(times):
                text.append(piece)
            expected += piece * times
        assert bool(text) == bool(expected)
    assert str(text) == expected


def test_an_answer_that_comes_character_by_character_takes_no_more_memory_than_another() -> None:
    """A string of one character takes eighty bytes, and an answer may have a million of them."""
    decoder, answer = ResponsesDecoder(OPENAI, ()), AnswerSoFar()
    answer.add(Route(OPENAI, "a-model", "why"))
    tracemalloc.start()
    try:
        for number in range(10_000):
            delta = {"type": "response.output_text.delta", "delta": chr(0x4E00 + number % 5000)}
            for event in decoder.decode(json.dumps(delta)):
                assert isinstance(event, TextDelta)
                answer.add(event)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    length = len(answer.text)
    assert length == 10_000
    assert kept < 10 * length
