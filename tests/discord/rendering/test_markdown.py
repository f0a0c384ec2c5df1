"""Code blocks, links, citations, addresses and inline code are found as a reader of Markdown finds them."""

import pytest

from discordianai.discord.rendering.markdown import (
    LONGEST_LANGUAGE,
    end_of_closing_line,
    inline_code_spans,
    last_block,
    may_close,
    may_open,
    whole_spans,
)
from tests.discord.rendering.markdown_texts import CITATIONS, LINKS

OPEN_BLOCKS = {
    "```python\ncode": ("```python", "```"),
    "before\n\n~~~\ncode\n```\n": ("~~~", "~~~"),
    "````md\n```py\n```\n": ("````md", "````"),
    "```\n~~~\n``\n``` x\n> ```\n- ```\n": ("```", "```"),
    "```js title=x\n": ("```js", "```"),
    "1. item\n   ```c++\n   code": ("   ```c++", "   ```"),
    "- ```sh\n  code": ("  ```sh", "  ```"),
    "> ```js\n> code": ("> ```js", "> ```"),
    "> > ~~~\n> > code\n> ~~~": ("> > ~~~", "> > ~~~"),
    "```a```\n```\n": ("```", "```"),
    "```\r\ncode\r\n": ("```", "```"),
    "~~~ `x` y\n": ("~~~`x`", "~~~"),
    "```\ncode\n```\n```rb\n": ("```rb", "```"),
    f"```{'x' * (LONGEST_LANGUAGE + 1)}\n": ("```", "```"),
}


@pytest.mark.parametrize(("text", "lines"), OPEN_BLOCKS.items())
def test_an_open_block_is_closed_and_opened_by_lines_of_its_own_kind(
    text: str, lines: tuple[str, str]
) -> None:
    _, block = last_block(text, len(text), 1000)
    assert block is not None
    assert (block.opening, block.closing) == lines


CLOSED_BLOCKS = {
    "```\ncode\n```": 12,
    "```\ncode\n``` \t\nprose": 14,
    "~~~\n```\n~~~~~\nprose": 13,
    "> ```\n> code\nprose": 12,
    "> ```\n> code\n> ```\n> prose": 18,
    "> ```\nprose\n> ```": None,
    "`` ` ``\n`x`\n~~no~~": 0,
    "a ```inline``` b": 0,
    "text ``` text": 0,
    "": 0,
}


@pytest.mark.parametrize(("text", "edge"), CLOSED_BLOCKS.items())
def test_a_block_ends_with_its_fence_or_its_quote(text: str, edge: int | None) -> None:
    found, block = last_block(text, len(text), 1000)
    if edge is None:
        assert found == 5
        assert block is not None
        assert block.start == 12
    else:
        assert (found, block) == (edge, None)


def test_only_what_is_before_the_place_counts() -> None:
    text = "```py\ncode\n```\nprose\n```c\n"
    open_at = [last_block(text, end, 1000)[1] is not None for end in range(len(text) + 1)]
    assert open_at == [0 < end < 14 or end > 21 for end in range(len(text) + 1)]


def test_fences_that_leave_no_room_are_prose() -> None:
    assert last_block("`" * 40 + "\n", 41, 80) == (0, None)
    assert last_block("``` a sentence\n", 15, 13) == (0, None)
    _, block = last_block("```python\n", 10, 10)
    assert block is not None
    assert block.opening == "```"


@pytest.mark.parametrize(
    "line", ["", "`", "``", "```", "```py", "> ``", "1", "1.", "1. ~", "-", "  ~~~ a `b`"]
)
def test_the_beginning_of_an_opening_line_is_known(line: str) -> None:
    assert may_open(f"text\n{line}", 5)


@pytest.mark.parametrize("line", ["a", "```a`", "` ", "~~a", "12 ", "# `", "- a"])
def test_what_can_no_longer_open_a_block_is_known(line: str) -> None:
    assert not may_open(f"text\n{line}", 5)


def test_the_beginning_of_a_closing_line_is_known() -> None:
    assert all(may_close(line, 0) for line in ["", "`", "```", "> ``` ", "  ~~", "````"])
    assert not any(may_close(line, 0) for line in ["x", "``` x", "```\nx", "~`"])


def test_a_closing_line_ends_where_it_ends() -> None:
    _, block = last_block("```\n", 4, 100)
    assert block is not None
    assert end_of_closing_line("x\n  ```` \nprose", 2, block) == 9
    assert end_of_closing_line("x\n```` py\nprose", 2, block) is None
    assert end_of_closing_line("x ```\n", 2, block) is None


def kept(text: str, longest: int = 1000) -> list[str]:
    """What stays whole in a text, without what is within another of these."""
    spans = [span for span in whole_spans(text, 0, len(text), longest) if span[2]]
    outer = [
        one
        for one in spans
        if not any(other != one and other[0] <= one[0] and one[1] <= other[1] for other in spans)
    ]
    return [text[begin:end] for begin, end, _ in sorted(outer)]


@pytest.mark.parametrize("link", LINKS)
def test_a_link_stays_whole(link: str) -> None:
    assert kept(f"see {link} there") == [link.removeprefix("!")]
    assert kept(f"see ({link}), [x and [y]") == [link.removeprefix("!")]


@pytest.mark.parametrize("citation", CITATIONS)
def test_a_citation_stays_whole(citation: str) -> None:
    assert "".join(kept(f"as it says{citation}.")) == citation


@pytest.mark.parametrize(
    "text",
    [
        "[x] (y)",
        "\\[a](b)",
        "[a]",
        "[x][y]",
        "a < b > c",
        "[a\n\nb](c)",
        "[a](b c)",
        "arr[i]",
        "[a\n- b](c)",
        "[[[x]]]",
    ],
)
def test_what_is_no_link_does_not(text: str) -> None:
    assert kept(text) == []


def test_what_is_too_long_does_not_but_what_is_in_it() -> None:
    text = f"[{'x ' * 30}[1] y](https://example.org/a)"
    assert kept(text, 60) == ["[1]", "https://example.org/a"]
    assert kept(f"[{'x ' * 30}[a](b) y](c)", 60) == ["[a](b)"]
    assert kept(f"https://{'x' * 80} <{'x' * 80}>", 60) == []
    assert kept(f"{'x ' * 30}[a]({'y' * 60}) [b](c)", 60) == ["[b](c)"]


@pytest.mark.parametrize(
    "half",
    [
        *["[", "[text", "[text [1", "[text [1]", "[text]", "[text](", "[text](<a b", "[text](a(b", "[a\\"],
        *[
            '[text](a "ti',
            "h",
            "htt",
            "https:",
            "https://",
            "https://example.org",
            "<",
            "<@123",
            "[1",
            "[1, 2",
        ],
    ],
)
def test_what_may_become_a_link_is_unfinished_or_ends_with_the_text(half: str) -> None:
    text = f"words {half}"
    spans = list(whole_spans(text, 0, len(text), 100))
    assert min(begin for begin, end, finished in spans if not finished or end == len(text)) == 6


@pytest.mark.parametrize(
    "text", ["words [a] b", "[a](b c", "[a\n\nb", "hat", "<a b", "https://a b", "[a](b) c"]
)
def test_what_can_no_longer_become_one_is_not(text: str) -> None:
    assert all(finished and end < len(text) for _, end, finished in whole_spans(text, 0, len(text), 100))


INLINE_CODE = {
    "a `b` c": ["`b`"],
    "`` a ` b `` c": ["`` a ` b ``"],
    "` `` ` ```x```": ["` `` `", "```x```"],
    "a ` b": [],
    "a ` b\n\n c` d": [],
    "a `b\nc` d": ["`b\nc`"],
    "a \\` b `c`": ["`c`"],
    "a ``b` `c`": ["` `"],
}


@pytest.mark.parametrize(("text", "expected"), INLINE_CODE.items())
def test_inline_code_ends_with_as_many_backticks_as_it_began(text: str, expected: list[str]) -> None:
    spans = inline_code_spans(text, 0, len(text), 100)
    assert [text[begin:end] for begin, end, finished in spans if finished] == expected


def test_inline_code_that_may_go_on_is_unfinished() -> None:
    assert list(inline_code_spans("a `b", 0, 4, 100)) == [(2, 4, False)]
    assert list(inline_code_spans("a `b", 0, 4, 1)) == []
    assert list(inline_code_spans("a `b\n\nc", 0, 7, 100)) == []
