"""References become links, and sources are listed so that they can be clicked and cannot break out."""

import re
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.rendering.source_list import References, sources
from discordianai.records import Citation, Citations

TWO = (Citation("https://a.example/x", "First"), Citation("https://www.b.example/y", "Second"))


def linked(*pieces: str, citations: Citations = TWO) -> str:
    references = References()
    references.know(citations)
    return "".join([*(references.feed(piece) for piece in pieces), references.end()])


def test_a_reference_becomes_a_link_to_its_source() -> None:
    assert linked("It is so[1][2].") == (
        "It is so[[1]](<https://a.example/x>)[[2]](<https://www.b.example/y>)."
    )


@given(st.lists(st.integers(0, 40), max_size=6))
def test_however_the_text_is_cut_the_links_are_the_same(cuts: list[int]) -> None:
    text = "One [1], two[2]. `a[1]` and ```\nb[2]\n``` then [1]"
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert linked(*pieces) == linked(text)


def test_code_is_left_alone() -> None:
    text = "`a[1]` and\n```py\nb[2] = c[1]\n```\nand ``d`[1]``."
    assert linked(text) == text


def test_nothing_but_half_a_reference_is_held_back() -> None:
    """So a piece costs what it is long, whatever came before it."""
    references = References()
    references.know(TWO)
    for piece in ["`" * 5000, "`", "text", "[" * 5000, "]", "`" * 5001, " "]:
        assert len(references.feed(piece)) >= len(piece) - len("[12]")
    assert references.feed("[1]") + references.feed(" ") == "[[1]](<https://a.example/x>) "


@given(st.lists(st.sampled_from(["`", "``", "`" * 7, "[1]", "[2", "] ", "x", "[", "1]"]), max_size=30))
def test_backticks_count_however_they_come(pieces: list[str]) -> None:
    assert linked(*pieces) == linked("".join(pieces))


def test_what_has_no_source_stays_as_it_is() -> None:
    assert linked("[1] and [3] and [x] and [", citations=()) == "[1] and [3] and [x] and ["
    assert linked("[3]") == "[3]"
    assert linked("[1]", citations=(Citation("javascript:alert(1)"),)) == "[1]"


def test_those_that_the_text_uses_are_listed_with_its_numbers_and_do_not_unfold() -> None:
    assert sources(TWO, {2}) == "**Sources**\n[2] [Second](<https://www.b.example/y>) · b.example"
    assert sources(TWO) == (
        "**Sources**\n[1] [First](<https://a.example/x>) · a.example"
        "\n[2] [Second](<https://www.b.example/y>) · b.example"
    )


def test_a_number_without_a_source_is_neither_linked_nor_listed() -> None:
    """What one search has numbered so that it cannot be used leaves the others their numbers."""
    citations = (TWO[0], None, TWO[1])
    assert linked("a [2] b [3]", citations=citations) == "a [2] b [[3]](<https://www.b.example/y>)"
    assert sources(citations, {2, 3}).startswith("**Sources**\n[3] [Second]")
    assert "[3] [Second]" in sources(citations)
    assert sources((None,)) == ""


def test_a_source_is_listed_once() -> None:
    assert sources((*TWO, TWO[0]), {1, 3}) == "**Sources**\n[1][3] [First](<https://a.example/x>) · a.example"


def test_no_sources_no_heading() -> None:
    assert sources([]) == ""


def test_a_title_cannot_end_its_link_or_its_line() -> None:
    listed = sources([Citation("https://a.example", "evil](https://b.example)\n# big")])
    assert listed == "**Sources**\n[1] [evil)(b.example) # big](<https://a.example>) · a.example"


def test_an_address_that_is_none_is_not_made_a_link() -> None:
    listed = sources([Citation("javascript:alert(1)", "x"), Citation("https://a.example/> <b", "y")])
    assert listed == "**Sources**\n[1] x\n[2] y"


ODD = ["https://[docs]/guide", "https://example.com\uff0fpath", "https://[2001:db8::1/x", "http://[http//a.b"]


@pytest.mark.parametrize("url", ODD)
def test_an_address_that_cannot_be_read_is_named_and_not_linked(url: str) -> None:
    """One odd source must not cost the answer."""
    citations = (Citation(url, "The guide"), Citation("https://a.example/x", "First"))
    assert linked("So it is [1][2].", citations=citations) == "So it is [1][[2]](<https://a.example/x>)."
    assert sources(citations) == (
        "**Sources**\n[1] The guide\n[2] [First](<https://a.example/x>) · a.example"
    )


@pytest.mark.parametrize(
    ("citation", "shown"),
    [
        (Citation("https://www.bank.example@evil.example/x", "Bank"), "· evil.example"),
        (Citation("https://a.example/x", "\u202egnp.exe\u200b"), "[gnp.exe](<"),
        (Citation("https://a.example/x", "\u200b\u2060"), "[a.example](<"),
        (Citation("https://a.example/x", "||hidden|| ~~not~~"), "[¦¦hidden¦¦ ∼∼not∼∼](<"),
        (Citation("", ""), "untitled page"),
        (Citation("https://www.bank.example@evil.example/x", "Bank"), "[Bank](<https://evil.example/x>)"),
        (Citation("https://xn--mnchen-3ya.example/", "Rathaus"), "· münchen.example"),
        (Citation("https://xn--80ak6aa92e.com/", "Apple"), "· xn--80ak6aa92e.com"),
        (Citation("https://аррӏе.com/", "Apple"), "· xn--80ak6aa92e.com"),
        (Citation("https://bank.example." + "x" * 63 + ".evil.example/", "Bank"), "…xxx"),
        (Citation("https://a_b_.example/", "__init__ and _x"), r"[\_\_init\_\_ and \_x]("),
        (Citation("https://a_b_.example/", ""), r"[a\_b\_.example](<https://a_b_.example/>)"),
        (
            Citation("https://a.example/x", "see https://bank.example/ and x://y"),
            "[see bank.example/ and x: y](",
        ),
        (Citation("https://a.example/x", "hhttps://ttps://bank.example"), "[hhttps: ttps: bank.example]("),
        (Citation("https://a.example/x", "soft\u00adly, \u3164\u2066isolated\u2069"), "[softly, isolated]("),
        (Citation("https://a.example/x", "\u0301Z" + "\u0301" * 50 + "a"), "[Z\u0301\u0301\u0301\u0301a]("),
        (Citation("https://a.example/x_(y)", "A"), "(<https://a.example/x_(y)>)"),
        (Citation("https://a.example/x)y", "A"), "(<https://a.example/x%29y>)"),
        (Citation("https://a.example/||x`", "A"), "(<https://a.example/%7C%7Cx%60>)"),
        (Citation("https://evil.example\\@bank.example/", "Bank"), "[1] Bank"),
        (Citation("https://a.example/" + "x" * 1500, "Long"), "[1] Long · a.example"),
    ],
)
def test_a_source_shows_what_it_is(citation: Citation, shown: str) -> None:
    """Neither a title nor an address can look like something else, or take the rest of the list with it."""
    assert shown in sources([citation])


@given(
    st.lists(st.none() | st.builds(Citation, url=st.text(), title=st.text(), date=st.text()), max_size=5),
    st.text(),
)
def test_any_sources_and_any_text_can_be_shown(citations: list[Citation | None], text: str) -> None:
    """There is a line for each source that is listed, and nothing in it ends the line."""
    linked(text, citations=tuple(citations))
    listed = sources(citations)
    different = len({citation.url for citation in citations if citation})
    assert len(listed.splitlines()) == (different + 1 if different else 0)


titles = st.text(
    st.one_of(st.characters(), st.sampled_from("[]()<>_*~|`\\ \u202e\u200b\ufe0f\u0301:/#\n")), max_size=400
)


@given(
    title=titles,
    host=st.sampled_from(["a.example", "www.xn--mnchen-3ya.example", "b_c.example", "x@d.example"]),
)
def test_a_title_shows_all_that_it_has_and_does_nothing(title: str, host: str) -> None:
    """No direction, nothing unseen, no Markdown that could reach over; of bounded length, before the host."""
    url = f"https://{host}/x"
    _, _, line = sources([Citation(url, title)]).partition("**Sources**\n[1] ")
    link, _, site = line.partition(f"](<https://{host.partition('@')[2] or host}/x>)")
    shown = link.removeprefix("[")
    assert site.removeprefix(" · ") or shown in {"a.example", "münchen.example", r"b\_c.example", "d.example"}
    assert len(shown) <= 2 * 80
    assert not regex.search(r"[\p{C}\p{Default_Ignorable_Code_Point}\u2800\n]", shown)
    assert not regex.search(r"\p{M}{5}", shown)
    assert not re.search(r"[\[\]`|*~<>]|(?<!\\)_|\\(?!_)|://", shown)
