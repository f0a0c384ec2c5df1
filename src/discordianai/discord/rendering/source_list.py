"""Turns the references of an answer into links, and lists what they refer to, in Discord's Markdown."""

import re
from collections.abc import Collection, Sequence

import regex

from discordianai import addresses
from discordianai.addresses import Address
from discordianai.discord.rendering.characters import first_visible, seen_on_one_line
from discordianai.discord.rendering.hosts import shown_host
from discordianai.records import Citation

LONGEST_TITLE = 80
MOST_UNUSED = 10
"""Sources that are listed if the text refers to none."""

LONGEST_LINK = 300
"""Characters of an address that is worth its place in the text; a longer one is in the list only."""

LONGEST_LISTED = 1000
"""Characters of an address in the list: half of what a message holds."""

LONGEST_READ = 4 * LONGEST_TITLE
"""Characters of a title that are looked at."""

NAMELESS = "untitled page"

_HARMLESS = str.maketrans("[]`|*~<>\\", "()'¦∗∼‹›∖") | {ord("_"): r"\_"}
"""What Discord's Markdown would take for its own; a pair may reach over lines."""

_PILED_MARKS = regex.compile(r"(?:^\p{M}|(?<=\p{M}{4})\p{M})+")
"""Marks that no letter bears, or so many that they cover other lines."""

_SCHEME = re.compile(r"\bhttps?://", re.IGNORECASE)
_WHOLE_IN_A_LINK = re.compile(r"(?:[^()]|\([^()]*\))*+")

_MARKS = re.compile(r"`+|\[(\d{1,3})\]")
_UNFINISHED = re.compile(r"\[\d{0,3}\]?\Z")
LONGEST_MARK = len("[123]")


class References:
    """Makes links of the references in a text that comes in pieces: `[1]`, but not in code.

    What was returned never changes: a reference whose source is not known yet stays as it is.
    """

    def __init__(self) -> None:
        self._citations: Sequence[Citation | None] = ()
        self._links: dict[int, str | None] = {}  # of the citations that were referred to
        self._held = ""
        self._run = 0  # backticks at the end of what was given out; more may follow
        self._code = 0  # backticks that opened the code that is open
        self.used: set[int] = set()

    def know(self, citations: Sequence[Citation | None]) -> None:
        """These are the sources, by number from 1."""
        if citations != self._citations:
            self._citations, self._links = citations, {}

    def feed(self, text: str) -> str:
        """The next piece, as it is to be shown; what may be half a reference waits for the next one."""
        if not (self._held or self._run) and "[" not in text and "`" not in text:  # the usual case
            return text
        text = self._held + text
        unfinished = _UNFINISHED.search(text, max(len(text) - LONGEST_MARK, 0))
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return self._shown(text, end)

    def end(self) -> str:
        """What waited for more."""
        held, self._held = self._held, ""
        return self._shown(held, len(held))

    def _shown(self, text: str, end: int) -> str:
        if text and text[0] != "`":
            self._end_run()
        return _MARKS.sub(self._mark, text[:end])

    def _end_run(self) -> None:
        """A run of backticks opens code; as many or more close it."""
        if self._run and not self._code:
            self._code = self._run
        elif self._run >= self._code:
            self._code = 0
        self._run = 0

    def _mark(self, mark: re.Match[str]) -> str:
        if mark[1] is None:
            self._run += len(mark[0])
            if mark.end() < len(mark.string):
                self._end_run()
            return mark[0]
        number = int(mark[1])
        if self._code or not number >= 1:
            return mark[0]
        self.used.add(number)
        if number not in self._links:
            self._links[number] = self._link(number)
        return self._links[number] or mark[0]

    def _link(self, number: int) -> str | None:
        citation = self._citations[number - 1] if number <= len(self._citations) else None
        address = addresses.read(citation.url) if citation is not None else None
        if address is None or len(address.url) > LONGEST_LINK:
            return None
        return f"[[{number}]](<{_target(address)}>)"


def sources(citations: Sequence[Citation | None], used: Collection[int] = ()) -> str:
    """One line a source, with the number that the text uses, its title and its site; each source once.

    Those that the text uses, or where it uses none, the first ones. Angle brackets keep previews from
    unfolding.
    """
    known = {number: citation for number, citation in enumerate(citations, 1) if citation is not None}
    numbers = [number for number in known if number in used] or list(known)[:MOST_UNUSED]
    by_address: dict[str, list[int]] = {}
    for number in numbers:
        by_address.setdefault(known[number].url, []).append(number)
    lines = [
        f"{''.join(f'[{number}]' for number in same)} {_listed(known[same[0]])}"
        for same in by_address.values()
    ]
    return "\n".join(("**Sources**", *lines)) if lines else ""


def _listed(citation: Citation) -> str:
    address, title = addresses.read(citation.url), _plain(citation.title)
    if address is None:
        return title or _plain(citation.url) or NAMELESS
    site = shown_host(address.host.removeprefix("www.")).replace("_", r"\_")
    if len(address.url) > LONGEST_LISTED:
        return f"{title} · {site}" if title else site
    target = _target(address)
    return f"[{title}](<{target}>) · {site}" if title else f"[{site}](<{target}>)"


def _target(address: Address) -> str:
    """The address as a link leads to it: without user-info, and with brackets that do not end the link.

    Nor does it end code or a spoiler that was opened before it, and would hide the list.
    """
    url = address.without_user_info.replace("`", "%60").replace("|", "%7C")
    return url if _WHOLE_IN_A_LINK.fullmatch(url) else url.replace("(", "%28").replace(")", "%29")


def _plain(title: str) -> str:
    """A title of at most `LONGEST_TITLE` characters; empty where there is nothing to see.

    It cannot end its own link, break its line, or be taken for an address that Discord links.
    """
    words = _SCHEME.sub("", seen_on_one_line(title[:LONGEST_READ])).replace("://", ": ")
    words = " ".join(_PILED_MARKS.sub("", words.lstrip()).split())
    if first_visible(words, 0) == len(words):
        return ""
    shown = words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 1] + "…"
    return shown.translate(_HARMLESS)
