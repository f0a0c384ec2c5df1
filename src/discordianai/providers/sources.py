"""Collects the sources of one answer, and numbers them as its text cites them."""

from collections.abc import Iterable

from discordianai.providers.json_values import Json, count, text
from discordianai.records import Citation, Citations

MOST_SOURCES = 100
LONGEST_URL = 2048
LONGEST_TITLE = 300

HIGHEST_NUMBER = 2 * MOST_SOURCES
"""Of a source that a text cites; a page that is found twice has two."""


class Sources:
    """The search results of an answer, in the order in which they came.

    A result's `id` is the number by which the text cites it; a page that several searches found has several.
    Where one number stands for two pages, nothing tells which is meant, and the results count by their place.
    """

    def __init__(self) -> None:
        self._found: dict[str, Citation] = {}
        self._numbered: dict[int, Citation] = {}
        self._ambiguous = False

    def add(self, results: Iterable[Json]) -> bool:
        """Search results, or annotations; whether `citations` are others now."""
        before = len(self._found), len(self._numbered), self._ambiguous
        for result in results:
            self._add(result)
        return before != (len(self._found), len(self._numbered), self._ambiguous)

    def _add(self, result: Json) -> None:
        url = text(result, "url")
        if not url or len(url) > LONGEST_URL:
            return
        if url not in self._found:
            if len(self._found) >= MOST_SOURCES:
                return
            title, date = text(result, "title")[:LONGEST_TITLE], text(result, "date")[:LONGEST_TITLE]
            self._found[url] = Citation(url, title, date)
        number = _number(result)
        if number is not None:
            known = self._numbered.setdefault(number, self._found[url])
            self._ambiguous = self._ambiguous or known is not self._found[url]

    @property
    def citations(self) -> Citations:
        """`[1]` first; those without a number behind the others."""
        numbered = {} if self._ambiguous else self._numbered
        highest = max(numbered, default=0)
        cited = {citation.url for citation in numbered.values()}
        return (
            *(numbered.get(number) for number in range(1, highest + 1)),
            *(citation for url, citation in self._found.items() if url not in cited),
        )


def _number(result: Json) -> int | None:
    """By which the text cites it, if that can be: some write it as a string."""
    written = text(result, "id")
    short = written.isascii() and written.isdigit() and len(written) < len(str(HIGHEST_NUMBER)) + 1
    number = int(written) if short else count(result, "id")
    return number if number is not None and 1 <= number <= HIGHEST_NUMBER else None
