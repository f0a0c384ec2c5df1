"""What the sandbox prints at the terminal."""

import pytest

from discordianai.sandbox.terminal import PrintedMessage


def printed(*contents: str) -> str:
    """All that is printed of a message that is edited so."""
    shown = PrintedMessage()
    return "".join([*(shown.news(content) for content in contents), shown.rest()])


@pytest.mark.parametrize("last", ["```py\na\nb\n```\nEnd.", "```py\na\nb\n```"])
def test_a_code_block_that_is_being_written_is_printed_once(last: str) -> None:
    """Each edit closes it: what stood behind it is not printed before it stays."""
    assert printed("```py\n```", "```py\na\n```", "```py\na\nb\n```", last) == last


def test_an_answer_in_the_place_of_a_note_is_printed_below_it() -> None:
    """A note that has stood for a while was seen."""
    assert printed("-# You're next.", "-# You're next.", "An", "An answer") == "-# You're next.\nAn answer"
    assert printed("-# You're next.", "An answer") == "An answer"


def test_words_are_printed_as_soon_as_they_stay() -> None:
    """Not only when the answer is complete."""
    shown = PrintedMessage()
    assert [shown.news(text) for text in ("One", "One two", "One two three")] == ["", "One", " two"]
    assert shown.rest() == " three"
    assert shown.rest() == ""
