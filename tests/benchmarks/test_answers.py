"""Whether an answer of the sandbox's providers is on the screen."""

import pytest

from benchmarks.answers import is_whole
from discordianai.sandbox.providers.scripted_answers import compose

PROMPT = "what about number 1?"


@pytest.mark.parametrize(
    "source", ["[1].", "[[1]](<https://a.example/1>).", "([a.example](https://a.example/1))."]
)
def test_an_answer_is_whole_whatever_form_its_sources_have(source: str) -> None:
    """Each provider refers to its sources in another way."""
    shown = compose("OpenAI", PROMPT, [], sources=True).text
    for number in range(1, 5):
        shown = shown.replace(f"One page says so [{number}].", f"One page says so {source}")
    assert source in shown
    assert is_whole(PROMPT, shown)


def test_half_an_answer_is_not_whole_nor_is_one_that_is_shown_twice() -> None:
    """And neither is nothing."""
    shown = compose("OpenAI", PROMPT, [], sources=False).text
    assert is_whole(PROMPT, shown)
    assert not is_whole(PROMPT, shown[: len(shown) // 2])
    assert not is_whole(PROMPT, shown + shown)
    assert not is_whole(PROMPT, "")
