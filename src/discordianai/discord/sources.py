"""Turns the references of an answer into links, and lists what they refer to, in Discord's Markdown."""

import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from discordianai.model import Citation

LONGEST_TITLE = 80
MOST_UNUSED = 10
"""Sources that are listed where the text refers to none."""

LONGEST_LINK = 300
"""Characters of an address that is worth its place in the text; a longer one is in the list only."""

_MARKS = re.compile(r"`+|\[(\d{1,3})\]")
_UNFINISHED = re.compile(r"(?:`+|\[\d{0,3}\]?)\Z")


class References:
    """Makes links of the references in a text that comes in pieces: `[1]`, but not in code.

    What has been given out never changes: a reference whose source is not known yet stays as it is.
    """

    def __init__(self) -> None:
        self._citations: Sequence[Citation] = ()
        self._held = ""
        self._code = ""  # the backticks that opened it
        self.used: set[int] = set()

    def know(self, citations: Sequence[Citation]) -> None:
        """These are the sources, by number from 1."""
        self._citations = citations or self._citations

    def feed(self, text: str) -> str:
        """The next piece, as it is to be shown; what may be half a reference waits for the next one."""
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return _MARKS.sub(self._mark, text[:end])

    def end(self) -> str:
        """What waited for more."""
        held, self._held = self._held, ""
        return _MARKS.sub(self._mark, held)

    def _mark(self, mark: re.Match[str]) -> str:
        if mark[1] is None:
            if not self._code:
                self._code = mark[0]
            elif mark[0].startswith(self._code):
                self._code = ""
            return mark[0]
        number = int(mark[1])
        if self._code or not number >= 1:
            return mark[0]
        self.used.add(number)
        citation = self._citations[number - 1] if number <= len(self._citations) else None
        if citation is None or not _is_address(citation.url) or len(citation.url) > LONGEST_LINK:
            return mark[0]
        return f"[[{number}]](<{citation.url}>)"


def sources(citations: Sequence[Citation], used: Collection[int] = ()) -> str:
    """One line a source, with the number that the text uses, its title and its site; each source once.

    Those that the text uses, or where it uses none, the first ones. Angle brackets keep previews from
    unfolding.
    """
    numbers = sorted(number for number in used if number <= len(citations))
    if not numbers:
        numbers = list(range(1, min(len(citations), MOST_UNUSED) + 1))
    by_address: dict[str, list[int]] = {}
    for number in numbers:
        by_address.setdefault(citations[number - 1].url, []).append(number)
    lines = [
        f"{''.join(f'[{number}]' for number in same)} {_listed(citations[same[0] - 1])}"
        for same in by_address.values()
    ]
    return "\n".join(("**Sources**", *lines)) if lines else ""


def _listed(citation: Citation) -> str:
    if not _is_address(citation.url):
        return _plain(citation.title or citation.url)
    site = _site(citation.url)
    title = _plain(citation.title)
    return f"[{title}](<{citation.url}>) · {site}" if title else f"[{site}](<{citation.url}>)"


def _is_address(url: str) -> bool:
    return url.startswith(("https://", "http://")) and not any(c in url for c in "<> \n")


def _plain(title: str) -> str:
    """A title cannot end its own link, nor break its line."""
    words = " ".join(title.translate({ord("["): "(", ord("]"): ")", ord("`"): "'"}).split())
    return words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 1] + "…"


def _site(url: str) -> str:
    return urlsplit(url).netloc.removeprefix("www.") or url
