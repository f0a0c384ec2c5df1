"""Discord counts in UTF-16 units, readers in grapheme clusters."""

import json

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from discordianai.discord.rendering import characters
from discordianai.discord.rendering.characters import (
    VISIBLE,
    Clusters,
    end_of_space,
    first_visible,
    fitting,
    last_boundary,
    last_code_point,
    last_visible,
    units,
)
from discordianai.text import well_formed
from tests.discord.rendering.counted_pattern import CountedPattern
from tests.discord.rendering.markdown_texts import CLUSTERS, ODDITIES, texts

clusters = st.lists(
    st.one_of(
        st.sampled_from(CLUSTERS + ODDITIES),
        st.characters(codec=None),
        st.sampled_from("🇩🇪👩\u200d\ufe0f\u0301\u0600\u0915가\u11a8\r\n a"),
    ),
    max_size=30,
).map("".join)


@given(texts)
def test_a_unit_is_two_bytes_of_utf_16(text: str) -> None:
    assert units(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


@given(text=texts, limit=st.integers(0, 300))
def test_what_fits_is_the_longest_beginning_within_the_limit(text: str, limit: int) -> None:
    end = fitting(text, limit)
    assert units(text[:end]) <= limit
    assert end == len(text) or units(text[: end + 1]) > limit


@settings(deadline=None)
@given(text=clusters, at=st.integers(0, 100))
def test_the_last_boundary_is_that_of_the_clusters_counted_from_the_beginning(text: str, at: int) -> None:
    at = min(at, len(text))
    boundaries = {cluster.start() for cluster in regex.finditer(r"\X", text)} | {len(text)}
    pairs = {match.start() + 1 for match in regex.finditer(r"[\ud800-\udbff][\udc00-\udfff]", text)}
    assert last_boundary(text, at) == max(place for place in boundaries - pairs if place <= at)


@settings(deadline=None)
@given(text=clusters, places=st.lists(st.integers(0, 100), max_size=12))
def test_in_whatever_order_they_are_asked_for_the_boundaries_are_the_same(
    text: str, places: list[int]
) -> None:
    """What is remembered from earlier questions changes no answer."""
    known = Clusters(text)
    for place in places:
        at = min(place, len(text))
        expected = last_boundary(text, at)
        assert known.is_boundary(at) == (expected == at)
        assert known.last_boundary(at) == expected


@settings(deadline=None)
@given(text=clusters, start=st.integers(0, 30), at=st.integers(0, 60))
@example(text="👨\u200d👩\u200d👧\u200d👦", start=1, at=2)
def test_what_is_before_a_text_that_begins_later_does_not_count(text: str, start: int, at: int) -> None:
    start = min(start, len(text))
    at = max(start, min(at, len(text)))
    assert last_boundary(text, at, start) == start + last_boundary(text[start:], at - start)


@pytest.mark.parametrize(
    "piece",
    [
        "\N{ARABIC NUMBER SIGN} \N{DEVANAGARI LETTER KA}",
        "\N{DEVANAGARI LETTER KA}\N{DEVANAGARI SIGN VIRAMA}",
        "\N{ZERO WIDTH JOINER}\n",
        " \N{COMBINING ACUTE ACCENT}",
        "🇩",
    ],
)
@pytest.mark.parametrize("size", [4000, 8000])
def test_each_character_is_examined_once_however_many_places_are_asked_for(
    piece: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cutting asks for thousands of places in texts where hardly any may be cut at."""
    counted = CountedPattern(characters._CLUSTER)  # counts what no result shows
    monkeypatch.setattr(characters, "_CLUSTER", counted)
    known = Clusters((piece * size)[:size])
    for _ in range(2):
        for at in (*range(size, 0, -1), *range(size)):
            known.last_boundary(at)
            known.is_boundary(at)
    assert counted.spanned <= size + len(piece)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_is_not_torn(cluster: str) -> None:
    text = f"ab{cluster}cd"
    end = 2 + len(cluster)
    assert {last_boundary(text, at) for at in range(2, end)} == {2}
    assert last_boundary(text, end) == end


def test_halves_of_a_pair_that_came_one_by_one_stay_together() -> None:
    text = json.loads('"\\ud83d"') + json.loads('"\\ude00"')
    assert len(text) == 2
    assert last_boundary(text, 1) == last_code_point(text, 1) == 0
    assert last_code_point("ab", 1) == 1


@given(texts)
def test_what_is_sent_can_be_encoded_and_is_as_long(text: str) -> None:
    assert len(well_formed(text).encode("utf-16-le")) == 2 * units(text)


def test_halves_are_joined_and_lone_ones_replaced() -> None:
    assert well_formed("a\ud83d\ude00\ude00b\ud83dc\ud83d") == "a😀\ufffdb\ufffdc\ufffd"
    assert well_formed("a😀é") == "a😀é"


def test_a_long_row_of_flags_or_marks_is_counted_in_passing() -> None:
    assert last_boundary("🇩🇪" * 50_000, 99_999) == 99_998
    assert last_boundary("a" + "\u0301" * 100_000, 99_999) == 0


@pytest.mark.parametrize(
    "blank", ["", " \n\t", "\u200b", "\u2060\ufe0f", "\u200e\u202e", "\u3164\u2800", "\x00\x1b"]
)
def test_what_shows_nothing_is_not_visible(blank: str) -> None:
    assert VISIBLE.search(blank) is None
    assert first_visible(blank + "é", 0) == len(blank)
    assert first_visible(blank, 0) == len(blank)


@given(text=texts, start=st.integers(0, 50), end=st.integers(0, 200))
def test_the_last_visible_character_is_found(text: str, start: int, end: int) -> None:
    visible = [match.start() for match in VISIBLE.finditer(text, start, end)]
    assert last_visible(text, start, end) == (visible[-1] if visible else start)


@pytest.mark.parametrize("something", ["a", "。", "👍", "\u0600", "\u0301", "\ud83d", "\ue000", "`"])
def test_what_shows_something_is_visible(something: str) -> None:
    assert VISIBLE.search(something)


def test_space_ends_where_the_next_character_is() -> None:
    assert end_of_space("a \n\u3000b", 1) == 4
    assert end_of_space("a b", 0) == 0
    assert end_of_space("a ", 2) == 2
