"""A link of an answer shows where it leads, where its text says otherwise."""

import re
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from discordianai.discord.rendering import masked_links
from discordianai.discord.rendering.masked_links import LONGEST_HELD, MaskedLinks
from discordianai.discord.rendering.splitting import cut, settled, split
from tests.discord.rendering.counted_pattern import CountedPattern
from tests.discord.rendering.markdown_texts import prose, spaced, texts

LIES = {
    "[https://bank.example](<https://evil.example>)": "evil.example",
    "[https://bank.example](https://evil.example)": "evil.example",
    "[bank.example](https://evil.example)": "evil.example",
    "[bank.example/login?x=y](https://evil.example/bank.example)": "evil.example",
    "[Bank: www.bank.example, now](http://evil.example:8080/x 'a title')": "evil.example",
    "[**bank**.example](https://evil.example)": "evil.example",
    "[`bank.example`](https://evil.example)": "evil.example",
    "[bank\u200b.exa\u00admple](https://evil.example)": "evil.example",
    "[bank．example](https://evil.example)": "evil.example",
    "[bank。example](https://evil.example)": "evil.example",
    "[bank\\.example](https://evil.example)": "evil.example",
    "![bank.example](https://evil.example)": "evil.example",
    "[[bank.example]](<https://evil.example>)": "evil.example",
    "[x] bank.example](https://evil.example)": "evil.example",
    "[a](https://a.example) bank.example](https://evil.example)": "evil.example",
    "[bank.example and evil.example](https://evil.example)": "evil.example",
    "[bank.example](https://bank.example@evil.example/)": "evil.example",
    "[bank.example](https://bank.example:x@evil.example/)": "evil.example",
    "[bank.example](https://bank.example.evil.example/)": "bank.example.evil.example",
    "[bank.example](HTTPS:/evil.example)": "evil.example",
    "[bank.example](\n https://evil.example)": "evil.example",
    "[http://localhost](http://evil.example)": "evil.example",
    "[192.168.0.1](http://evil.example)": "evil.example",
    "[me@bank.example](https://evil.example)": "evil.example",
    "[bänk.example](https://xn--80ak6aa92e.com)": "xn--80ak6aa92e.com",
    "[аррӏе.com](https://xn--80ak6aa92e.com)": "xn--80ak6aa92e.com",
    "[bank.example](https://xn--mnchen-3ya.example)": "münchen.example",
    "[bank.example](https://a_b_.example)": r"a\_b\_.example",
    "[bank.example](https://[::1]/)": "::1",
    "[bank.example](https://bank.example\\.evil.example)": "unclear address",
    "[bank.example](https://bank.example(x).evil.example)": "unclear address",
    "[bank.example](<https://bank.example>.evil.example)": "unclear address",
    "[bank.example](https://bank%2eexample)": "unclear address",
    f"[bank.example](https://{'x' * 400}@evil.example)": "unclear address",
    "[bank.example](mailto:a@evil.example)": "mailto:",
}
HONEST = [
    "[the docs](https://docs.example)",
    "[bank.example](https://bank.example/x)",
    "[https://www.bank.example/a.b?c.d](https://bank.example/a.b?c.d)",
    "[bank.example](https://www.BANK.example)",
    "[münchen.example](https://xn--mnchen-3ya.example)",
    "[[1]](<https://a.example/x>)",
    "[settings.json, 1.25, e.g. this](https://a.example)",
    "see bank.example [here](https://evil.example)",
    "[bank.example] and [here](https://evil.example)",
    "[bank.example][1] and [1]: https://evil.example",
    "table[a.b](c) and f[x.y](https)",
    "[bank.example] (https://evil.example)",
    "<https://evil.example> bank.example",
]


def shown(*pieces: str) -> str:
    links = MaskedLinks()
    return "".join([*(links.feed(piece) for piece in pieces), links.end()])


@pytest.mark.parametrize(("link", "host"), LIES.items())
def test_a_link_that_names_another_host_gets_its_own_into_its_text(link: str, host: str) -> None:
    end = link.rindex("](")
    for around in ("{}", "words ({}) words", "```\n{}", "[1] [a](https://b.example) {} [c](d)"):
        marked = f"{link[:end]} ({host}){link[end:]}"
        assert shown(around.format(link)) == around.format(marked)


@pytest.mark.parametrize("text", HONEST)
def test_other_links_are_left_alone(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize("text", [*LIES, *HONEST])
def test_it_is_the_same_character_by_character(text: str) -> None:
    assert shown(*text) == shown(text)


ATOMS = [
    *["[", "]", "](", "(", ")", "<", ">", " ", "\n", "'", '"', "\\", "@", "/", ":", ".", "*", "`", "x", "!"],
    *["bank.example", "evil.example", "https://", "http:", "https://evil.example", "](https://evil.example"],
    *[
        "](<https://bank.example",
        "[bank.example",
        "[a](https://bank.example)",
        "\u200b",
        "bаnk.example",
        "e.g.",
    ],
]
hostile = st.lists(st.sampled_from(ATOMS), max_size=25).map("".join)
brackets = st.lists(
    st.sampled_from(
        ["[", "[", "]", "](", "[x]", "bank.example", "](https://a.example)", "](<", "(y)", " ", "\\"]
    ),
    max_size=9,
).map(lambda atoms: f"{''.join(atoms)}](https://evil.example)")
"""Links that lie, or nearly so, however their texts are nested."""

DISCORDS_LINK = regex.compile(
    r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]\(\s*<?((?:\([^)]*\)|[^\s\\]|\\.)*?)>?(?:\s+['\"]([\s\S]*?)['\"])?\s*\)"
)
"""As simple-markdown has it, on which Discord's own is built."""


@settings(deadline=None)
@given(text=st.one_of(hostile, brackets, brackets))
@example("[a](http://x(y) [bank.example](https://evil.example)")
@example('[bank.example](https://evil.example "](https://bank.example)')
def test_no_link_that_discord_renders_hides_its_host(text: str) -> None:
    """Wherever a link may begin: its text names no other host without naming its own."""
    output = shown(text)
    for match in DISCORDS_LINK.finditer(output, overlapped=True):
        address = re.sub(r"\\(?=[^\w\s])", "", match[2])
        try:
            host = urlsplit(address).hostname
        except ValueError:
            continue
        for real, other in [("evil.example", "bank.example"), ("bank.example", "evil.example")]:
            if host == real and other in match[1].replace("\u200b", "").replace("*", "").replace("`", ""):
                assert re.search(rf"{re.escape(real)}|unclear address", match[1]), output


@settings(deadline=None)
@given(text=st.one_of(hostile, brackets, texts), cuts=st.lists(st.integers(0, 300), max_size=12))
def test_however_the_text_comes_it_is_shown_the_same_and_only_hosts_are_added(
    text: str, cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    whole = shown(text)
    assert shown(*(text[start:end] for start, end in pairwise(edges))) == whole
    assert shown(*text) == whole
    at, text = 0, re.sub("[\u202d\u202e]", "", text)
    while whole != text:  # each difference is a note before `](`
        at = next(i for i in range(at, len(whole)) if whole[i : i + 1] != text[i : i + 1])
        while not (note := re.compile(r" \([^()\s]+( address)?\)(?=\]\()").match(whole, at)):
            at -= 1
            assert at >= 0
        whole = whole[:at] + whole[note.end() :]


@settings(deadline=None)
@given(text=st.one_of(prose, spaced))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert shown(text) == text


@settings(deadline=None)
@given(
    before=prose,
    link=st.sampled_from([link for link in LIES if len(link) < 100]),
    after=spaced,
    size=st.integers(1, 40),
    limit=st.integers(200, 400),
)
def test_no_cut_parts_a_link_from_its_host_while_the_answer_is_written(
    before: str, link: str, after: str, size: int, limit: int
) -> None:
    links, tail, parts = MaskedLinks(), "", list[str]()
    text = f"{before} {link} {after}"
    for start in range(0, len(text), size):
        tail += links.feed(text[start : start + size])
        while settled(tail, limit):
            part, tail = cut(tail, limit)
            parts.append(part)
    parts += split(tail + links.end(), limit)
    for part in parts:
        assert shown(part) == part or link not in text or f"{LIES[link]})](" in part


@given(text=st.one_of(hostile, texts))
def test_little_is_held_back(text: str) -> None:
    """People read along; a text without links is not delayed by more than a character."""
    links, given_out = MaskedLinks(), 0
    for position, character in enumerate(text, 1):
        given_out += len(links.feed(character))
        assert position - given_out <= LONGEST_HELD + 2


def test_a_host_of_another_script_is_named_in_the_first_links_and_unclear_in_the_hundredth() -> None:
    """Each one takes time, and an answer that leads to so many of them misleads."""
    hosts = [f"ü{chr(0xE0 + number // 20)}{chr(0x61 + number % 20)}.example" for number in range(100)]
    hosts = [host.replace("÷", "ö") for host in hosts]
    text = " ".join(f"[bank.example](https://{host})" for host in hosts)
    assert f"[bank.example ({hosts[0]})](" in shown(text)
    assert shown(text).endswith(f"[bank.example (unclear address)](https://{hosts[-1]})")


@pytest.mark.parametrize("piece", ["[", "[a.b](", "](", "[a.b ](x ", "a.b ", "[a.b](https://", "]", "[[a.b]"])
def test_each_character_is_examined_once(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither brackets that never close nor addresses that never end make it look back again and again."""
    counted = CountedPattern(masked_links._NAME)  # counts what no result shows
    monkeypatch.setattr(masked_links, "_NAME", counted)
    text = piece * (8000 // len(piece))
    shown(*text)
    assert counted.spanned <= len(text)


@given(
    st.lists(st.sampled_from(["\u202e", "\u202d", "[", "moc.elgoog", "](https://evil.example)", " שלום "]))
)
def test_nothing_turns_the_letters_of_an_answer_around(pieces: list[str]) -> None:
    """`moc.elgoog` would be read as google.com, and the host that is added backwards; scripts that are
    written from right to left need no such character."""
    links = MaskedLinks()
    shown = "".join([*map(links.feed, pieces), links.end()])
    assert not {"\u202d", "\u202e"} & set(shown)
    assert shown.count("שלום") == pieces.count(" שלום ")
