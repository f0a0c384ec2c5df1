"""An answer is cut into messages: nothing lost, too long or torn, and the same while it is written.

`pytest tests/discord/rendering --hypothesis-profile=thorough` tries 10,000 examples of each property.
"""

import re
import time
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

import pytest
import regex
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from benchmarks.splitting import PIECES, sized
from discordianai.discord.rendering import characters
from discordianai.discord.rendering.characters import units
from discordianai.discord.rendering.splitting import closed, cut, settled, split
from tests.discord.rendering.counted_pattern import CountedPattern
from tests.discord.rendering.markdown_texts import (
    CITATIONS,
    LINKS,
    documents,
    prose,
    rows,
    spaced,
    texts,
    without_fences,
    words,
)

unhurried = settings(deadline=None)  # other tests run beside these

FENCE = re.compile(r"(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])[ \t])*(?:`{3,}[^`\n]*|~{3,}[^\n]*)")
QUOTE = re.compile(r"[ \t]*>[ \t>]*")


def bare(text: str) -> str:
    """The text without white space."""
    return "".join(text.split())


def without_added_lines(part: str) -> Iterator[tuple[str, bool]]:
    """What of the text a part may carry, and whether a closing line was taken off it."""
    lines = part.split("\n")
    bodies = [lines]
    if FENCE.fullmatch(lines[0]):
        bodies.append(lines[1:])
        if len(lines) > 1 and QUOTE.match(lines[1]):  # the quote's mark, where a line of it was cut
            bodies.append([QUOTE.sub("", lines[1], count=1), *lines[2:]])
    for body in bodies:
        yield bare("\n".join(body)), False
        if body and FENCE.fullmatch(body[-1]):
            yield bare("\n".join(body[:-1])), True


def carries(parts: list[str], text: str) -> bool:
    """Whether the parts, with some fences at their ends taken off, are the text but for white space."""
    wanted = bare(text)
    reached = {0}
    for part in parts:
        found = set()
        for content, is_closed in without_added_lines(part):
            for start in reached:
                if wanted.startswith(content, start):
                    end = start + len(content)
                    found.add(end)
                    # The line that was added may stand for the text's own.
                    own = re.compile(r">*(?:`{3,}|~{3,})").match(wanted, end) if is_closed else None
                    found |= set(range(end + 3, own.end() + 1)) if own else set()
        reached = found
    return len(wanted) in reached


def shows_something(text: str) -> bool:
    return any(
        not character.isspace()
        and unicodedata.category(character) != "Cc"
        and not regex.match(r"\p{Default_Ignorable_Code_Point}|\u2800", character)
        for character in text
    )


@unhurried
@given(text=texts, limit=st.integers(2, 300))
def test_every_part_fits(text: str, limit: int) -> None:
    for part in split(text, limit):
        assert len(part.encode("utf-16-le", "surrogatepass")) // 2 <= limit
        assert part.strip()


@unhurried
@given(text=texts, limit=st.integers(60, 300))
def test_every_part_shows_something(text: str, limit: int) -> None:
    assume(shows_something(text))
    before = ""
    for part in split(text, limit):
        assert shows_something(part) or FENCE.fullmatch(before.split("\n")[-1])
        before = part


@pytest.mark.parametrize("blank", ["\u200b", "\u200b" * 9, "\x00\x00", "   \u2060", "\ufe0f"])
def test_what_shows_nothing_does_not_make_a_message(blank: str) -> None:
    for text in ("x" * 50 + blank, "x" * 50 + blank + "x" * 60, "one two " * 7 + blank):
        parts = split(text, 50)
        assert all(shows_something(part) for part in parts)
        assert carries(parts, text)


def test_a_block_behind_what_shows_nothing_does_not_wait_for_the_next_message() -> None:
    text = "\u200b" * 30 + "\n```\n" + "x = 1\n" * 6 + "```"
    assert all("x = 1" in part for part in split(text, 50))


@unhurried
@given(text=texts, limit=st.integers(40, 300))
def test_nothing_is_lost_or_reordered(text: str, limit: int) -> None:
    assert carries(split(text, limit), text)


@unhurried
@example(text=" " + "\u200b" * 9 + "👨\u200d👩\u200d👧\u200d👦", limit=20)
@given(text=without_fences, limit=st.integers(20, 300))
def test_without_code_blocks_only_white_space_is_left_out_and_no_cluster_is_torn(
    text: str, limit: int
) -> None:
    parts = split(text, limit)
    assert bare("".join(parts)) == bare(text)
    places = [place for place, character in enumerate(text) if not character.isspace()]
    clusters = {cluster.start(): cluster.group() for cluster in regex.finditer(r"\X", text)}
    count = 0
    for part, following in pairwise(parts):
        count += len(bare(part))
        end, begin = places[count - 1] + 1, places[count]
        assert not (end == begin and re.fullmatch(r"[\ud800-\udbff][\udc00-\udfff]", text[end - 1 : end + 1]))
        for place in {end, begin} - clusters.keys():
            start = max(other for other in clusters if other < place)
            is_space_with_marks = following.partition(text[place])[0].endswith(text[start:place])
            lead = part[: -(end - start)]
            # What shows nothing cannot be a message of its own.
            together = units(clusters[start]) + (0 if shows_something(lead) else units(lead))
            assert together > limit or is_space_with_marks, part


@unhurried
@given(text=spaced, limit=st.integers(150, 400))
def test_no_link_or_citation_is_torn(text: str, limit: int) -> None:
    parts = split(text, limit)
    for whole in LINKS + CITATIONS:
        assert sum(part.count(whole) for part in parts) == text.count(whole)


@unhurried
@given(text=texts, limit=st.integers(150, 400))
def test_no_link_is_torn_whatever_is_around_it(text: str, limit: int) -> None:
    parts = split(text, limit)
    for link in LINKS:
        if link.startswith("["):  # a bare address takes in what follows
            found = re.compile(rf"(?<!\\){re.escape(link)}")
            assert sum(len(found.findall(part)) for part in parts) >= len(found.findall(text))


def code_lines(markdown: str) -> tuple[list[tuple[str, str]], bool]:
    """The lines of code with their languages, and whether a block is open at the end."""
    found, marks, language = [], "", ""
    for line in markdown.split("\n"):
        fence = re.fullmatch(r"[ >]*(`{3,}|~{3,})(.*)", line)
        if not marks and fence and "`" not in fence[2]:
            marks, language = fence[1], (fence[2].split() or [""])[0]
        elif marks and fence and fence[1].startswith(marks) and not fence[2].strip():
            marks = ""
        elif marks and line.strip(" >"):
            found.append((language, line))
    return found, bool(marks)


@unhurried
@given(text=documents(), limit=st.integers(120, 400))
def test_code_stays_code_of_its_language_line_by_line(text: str, limit: int) -> None:
    found = []
    for part in split(text, limit):
        lines, is_open = code_lines(part)
        assert not is_open
        assert closed(part) == part
        found += lines
    assert found == code_lines(text)[0]


@unhurried
@given(text=rows, limit=st.integers(170, 400))
def test_tables_and_lists_break_between_rows(text: str, limit: int) -> None:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    assume(all(len(line) <= limit * 3 // 4 for line in lines))
    assert [line.strip() for part in split(text, limit) for line in part.split("\n") if line.strip()] == lines


def kind_of_break(text: str, end: int) -> int:
    """0 for the end of a paragraph, 1 of a line, 2 of a sentence, 3 of a word."""
    space = text[end : len(text) - len(text[end:].lstrip())]
    if space.count("\n"):
        return 0 if space.count("\n") > 1 else 1
    return 2 if text[end - 1] in ".?" else 3


@unhurried
@given(text=words, limit=st.integers(40, 400))
def test_the_best_kind_of_break_is_taken_and_no_message_is_mostly_empty(text: str, limit: int) -> None:
    at = 0
    for part, following in pairwise(split(text, limit)):
        begin = text.index(part, at)
        end = begin + len(part)
        at = text.index(following, end)
        assert at - begin >= (limit // 4 if following.lstrip().startswith("- ") else limit // 2)
        ends = [gap.start() for gap in re.finditer(r"(?<=[^\s-])\s+(?=\S)", text)]
        late = [kind_of_break(text, other) for other in ends if limit // 2 < other - begin <= limit]
        assert kind_of_break(text, end) <= min(late, default=3)


@unhurried
@given(text=texts, sizes=st.lists(st.integers(1, 60), min_size=1), limit=st.integers(40, 300))
def test_what_is_shown_as_complete_while_the_text_is_written_is_how_the_whole_is_split(
    text: str, sizes: list[int], limit: int
) -> None:
    complete: list[str] = []
    newest = ""
    at = turn = 0
    while at < len(text):
        newest += text[at : at + sizes[turn % len(sizes)]]
        at, turn = at + sizes[turn % len(sizes)], turn + 1
        while settled(newest, limit):
            part, newest = cut(newest, limit)
            complete.append(part)
        assert units(cut(newest, limit)[0]) <= limit
    assert complete + split(newest, limit) == split(text, limit)


@unhurried
@given(text=texts, more=texts, limit=st.integers(20, 300))
def test_a_settled_cut_is_the_same_whatever_follows(text: str, more: str, limit: int) -> None:
    assume(settled(text, limit))
    part, rest = cut(text, limit)
    assert cut(text + more, limit) == (part, rest + more)


@unhurried
@given(text=texts, limit=st.integers(20, 200))
def test_a_cut_is_settled_within_another_message(text: str, limit: int) -> None:
    assert settled(text + " word" * limit, limit)


@given(words=st.lists(st.sampled_from(["word", "words.", "\n", "\n\n"]), max_size=40).map(" ".join))
def test_in_prose_it_is_settled_by_the_first_character_that_does_not_fit(words: str) -> None:
    assert settled(words, 40) == (len(re.sub(r"^\s*\n", "", words).rstrip()) > 40)


@unhurried
@given(text=texts, limit=st.integers(2, 300))
def test_splitting_is_cutting_again_and_again(text: str, limit: int) -> None:
    parts, rest = [], text
    while rest.strip():
        part, rest = cut(rest, limit)
        parts.append(part)
    assert [part for part in parts if part] == split(text, limit)


@unhurried
@given(text=prose, limit=st.integers(20, 300))
def test_what_fits_is_left_alone(text: str, limit: int) -> None:
    for part in split(text, limit):
        assert split(part, limit) == [part]


@pytest.mark.parametrize("name", PIECES)
def test_no_text_takes_more_time_than_its_length_allows(name: str) -> None:
    """This takes 30 ms at most; what is quadratic takes ten seconds and more."""
    text = sized(PIECES[name], 60_000)
    start = time.process_time()
    split(text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("piece", ["\u0600 \u0915", "\u0600\n", "\u200d ", "\u0301\n"])
def test_a_cut_examines_no_character_again_and_again(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In these texts each white space may end a message, were it not part of a cluster."""
    counted = CountedPattern(characters._CLUSTER)  # counts what no result shows
    monkeypatch.setattr(characters, "_CLUSTER", counted)
    text = piece * 4000
    parts = split(text)
    assert len(text) / 2 < counted.spanned <= 2 * len(text) + 100 * len(parts)
