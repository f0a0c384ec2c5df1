"""Lists what an answer refers to, in Discord's Markdown."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from discordianai.model import Citation

LONGEST_TITLE = 80


def sources(citations: Sequence[Citation]) -> str:
    """One line a source, numbered as the text refers to them. Angle brackets keep previews from unfolding."""
    if not citations:
        return ""
    lines = [f"{number}. {_link(citation)}" for number, citation in enumerate(citations, start=1)]
    return "\n".join(("**Sources**", *lines))


def _link(citation: Citation) -> str:
    if not citation.url.startswith(("https://", "http://")) or any(c in citation.url for c in "<> \n"):
        return _plain(citation.title or citation.url)
    return f"[{_plain(citation.title) or _site(citation.url)}](<{citation.url}>)"


def _plain(title: str) -> str:
    """A title cannot end its own link, nor break its line."""
    words = " ".join(title.translate({ord("["): "(", ord("]"): ")", ord("`"): "'"}).split())
    return words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 1] + "…"


def _site(url: str) -> str:
    return urlsplit(url).netloc.removeprefix("www.") or url
