"""Answers cut into messages: nothing lost, nothing too long, code blocks whole."""

import re

from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.splitting import MESSAGE_LIMIT, cut, split, units

FENCE_LINE = re.compile(r"^(`{3,}|~{3,})[^\n`]*$", re.MULTILINE)

markdown = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            [
                "\n",
                "\n\n",
                " ",
                "```python\n",
                "```\n",
                "\n```",
                "~~~\n",
                "a sentence. ",
                "word " * 20,
                "😀" * 30,
            ]
        ),
    ),
    max_size=60,
).map("".join)


def bare(text: str) -> str:
    """The text without white space, and without the lines that only open or close a code block."""
    return "".join(FENCE_LINE.sub("", text).split())


@given(text=markdown, limit=st.integers(40, 400))
def test_every_part_fits_and_shows_something(text: str, limit: int) -> None:
    for part in split(text, limit):
        assert units(part) <= limit
        assert part.strip()


@given(text=st.text(max_size=1500).filter(lambda text: "``" not in text and "~~" not in text))
def test_without_code_blocks_the_parts_joined_are_the_text_but_for_white_space(text: str) -> None:
    assert "".join("".join(split(text, 50)).split()) == "".join(text.split())


@given(text=st.lists(st.sampled_from(["x = 1\n", "    y\n", "\n", "text. "]), max_size=80).map("".join))
def test_a_code_block_is_closed_and_opened_again_with_its_language(text: str) -> None:
    parts = split(f"before\n```python\n{text}\n```\nafter", 60)
    for part in parts:
        assert len(FENCE_LINE.findall(part)) % 2 == 0
    assert bare("\n".join(parts)) == bare(f"before\n{text}\nafter")


def test_paragraphs_are_kept_together_rather_than_sentences_and_those_rather_than_words() -> None:
    assert split("one two. three\n\nfour five. six", 20) == ["one two. three", "four five. six"]
    assert split("one two three. four five six.", 20) == ["one two three.", "four five six."]
    assert split("one two three four five six", 20) == ["one two three four", "five six"]


def test_code_keeps_its_indentation_where_it_is_cut() -> None:
    code = "\n".join(f"    line {number}" for number in range(20))
    parts = split(f"```py\n{code}\n```", 100)
    assert all(part.startswith("```py\n    line") and part.endswith("\n```") for part in parts)
    assert re.findall(r"    line \d+", "\n".join(parts)) == code.split("\n")


def test_no_character_is_torn_apart() -> None:
    parts = split("😀" * 1500)
    assert [units(part) for part in parts] == [MESSAGE_LIMIT, 1000]


@given(text=markdown, more=markdown)
def test_a_message_that_is_full_stays_as_it_is_when_more_text_comes(text: str, more: str) -> None:
    head, rest = cut(text, 60)
    if rest and FENCE_LINE.search(text) is None and len(rest) > 60:
        assert cut(text + more, 60)[0] == head


def test_what_fits_is_left_alone() -> None:
    assert split("short") == ["short"]
    assert split("x" * MESSAGE_LIMIT) == ["x" * MESSAGE_LIMIT]
    assert split("") == []
    assert split(" \n ") == []


def test_what_only_looks_like_a_code_block_ends_too() -> None:
    assert "".join(split("```" + "x" * 5000)) == "```" + "x" * 5000
