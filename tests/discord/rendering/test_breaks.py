"""A message ends behind a paragraph, a line, a sentence, a word, in this order."""

import pytest

from discordianai.discord.rendering.characters import Clusters, Stretch, best_end


def end(text: str, room: int, *, start: int = 0, whole: str = "", is_code: bool = False) -> str | None:
    """The message that the text begins with; `whole` is not to be torn."""
    inner = bytearray(room + 1)
    for place in range(text.find(whole) + 1, text.find(whole) + len(whole) if whole else 0):
        if place <= room:
            inner[place] = 1
    found = best_end(Stretch(Clusters(text), start, 0, room, is_code), inner)
    return None if found is None else text[:found].rstrip()


def test_the_best_kind_of_break_wins_and_of_it_the_last() -> None:
    assert end("One. Two\nthree\n\nfour. Five\n\nsix. seven eight", 38) == "One. Two\nthree\n\nfour. Five"
    assert end("One. Two\nthree\nfour. Five\nsix. seven eight", 36) == "One. Two\nthree\nfour. Five"
    assert end("One. Two three. four. Five six seven eight", 36) == "One. Two three. four."
    assert end("One two three four five six seven eight", 32) == "One two three four five six"


def test_a_break_in_the_first_half_is_too_early() -> None:
    assert end("One.\n\nTwo three four five", 20) == "One.\n\nTwo three four"
    assert end("One\ntwo three four five. six", 20) == "One\ntwo three four"
    assert end("One. Two three four five six", 20) == "One. Two three four"
    assert end("One two xxxxxxxxxxxxxxxxxxxx", 20) == "One two xxxxxxxxxxxx"


def test_space_at_the_end_takes_no_room() -> None:
    assert end("0123456789 next", 10) == "0123456789"
    assert end("01234\n6789 \n \n next", 10) == "01234\n6789"


def test_rows_and_items_and_lines_of_code_stay_whole_from_the_first_quarter_on() -> None:
    for row in (
        "| a b | c d e |",
        "- a b c d e f g",
        "  1. a b c d e f",
        "> - a b c d e f",
        "a b c | d e f g",
    ):
        assert end(f"Intro:\n{row}", 20) == "Intro:"
    assert end("Intro:\n    a b c d e f g", 20, is_code=True) == "Intro:"
    assert end("Intro:\na b c d e f g h i", 20) == "Intro:\na b c d e f g"
    assert end("It:\n- a b c d e f g h i", 20) == "It:\n- a b c d e f g"


def test_a_heading_stays_with_what_it_is_about() -> None:
    assert end("One two three.\n\nFour.\n\n## Five\n\nsix", 33) == "One two three.\n\nFour."
    assert end("One two three\nfour\n# Five\nsix seven eight", 30) == "One two three\nfour"
    assert end("# Aaaa\n# One. Two\n# Three", 24) == "# Aaaa\n# One. Two"


def test_a_sentence_ends_with_its_quote_or_bracket() -> None:
    assert end('He said: "Is it?" and left it there', 26) == 'He said: "Is it?"'
    assert end("It was so (as they say.) then and now", 30) == "It was so (as they say.)"
    assert end("Version 1.25 of it is out since now", 30) == "Version 1.25 of it is out"
    assert end("这是一句话。「它后面？」还有一句很长的话", 14) == "这是一句话。「它后面？」"
    assert end("一句话。第二！？后面很长", 7) == "一句话。"


def test_code_has_no_sentences() -> None:
    assert end("a = b. c = d. e = f + g", 20, is_code=True) == "a = b. c = d. e = f"


def test_the_end_of_a_code_block_is_that_of_a_paragraph() -> None:
    text = "```\nx = 1\n```\nOne. Two\nthree four"
    assert end(text, 25, start=13) == text[:13].rstrip()


def test_what_is_whole_is_not_torn() -> None:
    assert end("One two [three four five six]", 24, whole="[three four five six]") == "One two"
    assert end("One two [three four five six", 24) == "One two [three four five"
    assert end("0123456789", 6, whole="0123456789") is None


def test_no_cluster_is_torn() -> None:
    assert end("👍🏽" * 5, 5) == "👍🏽" * 2
    assert end("word \u0301word", 7) == "word"
    assert end("这是一句话。\u0301后面还有一句", 8) == "这是一句话。\u0301后"
    assert end("👨‍👩‍👧", 3) is None


def test_a_place_is_tried_once_however_much_space_follows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All the newlines behind the limit are one place, tried once for each kind of break."""
    tried: list[int] = []
    monkeypatch.setattr(Clusters, "is_boundary", lambda _, at: tried.append(at))
    end(">" * 50 + "\n" * 500, 50)
    assert len(tried) <= 5
