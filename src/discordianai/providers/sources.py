"""Collects the sources of one answer, and numbers them as its text cites them."""

from collections.abc import Iterable
from dataclasses import dataclass

from discordianai.model import Citation
from discordianai.providers.json_values import Json, count, text

MOST_SOURCES = 100
LONGEST_URL = 2048
LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class _Found:
    number: int | None
    citation: Citation


class Sources:
    """The search results of an answer, in the order in which they came.

    A result's `id` is the number by which the text cites it. Several searches may give out the same one; then
    nothing tells which is meant, and the results count by their place.
    """

    def __init__(self) -> None:
        self._found: dict[str, _Found] = {}

    def add(self, results: Iterable[Json]) -> bool:
        """Search results, or annotations; whether a new source is among them."""
        known = len(self._found)
        for result in results:
            self._add(result)
        return len(self._found) > known

    def _add(self, result: Json) -> None:
        url = text(result, "url")
        if not url or len(url) > LONGEST_URL or url in self._found or len(self._found) >= MOST_SOURCES:
            return
        citation = Citation(url, text(result, "title")[:LONGEST_TITLE], text(result, "date")[:LONGEST_TITLE])
        self._found[url] = _Found(count(result, "id"), citation)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """`[1]` first."""
        found = list(self._found.values())
        by_number = {each.number: each for each in found if each.number is not None}
        if by_number.keys() == set(range(1, len(found) + 1)):
            found = [by_number[number] for number in range(1, len(found) + 1)]
        return tuple(each.citation for each in found)
