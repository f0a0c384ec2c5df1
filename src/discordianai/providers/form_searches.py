"""Bounds what finding the form that an endpoint takes can cost: one question searches, and not again in vain.

A question whose refusal names no field may be at fault itself. It is, where others of its kind are answered;
and where nothing helped, nothing will help the next one.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from discordianai.providers.optional_fields import OptionalField
from discordianai.records import ChatRequest

SETTLED_FOR = 600.0
"""Seconds in which no form is searched for such a question: after an answer, and after a search in vain."""

MOST_SETTLED = 1000
"""Kinds of questions that are remembered."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Questions that an endpoint takes, or refuses, alike: with these optional fields, and such contents."""

    model: str
    fields: frozenset[OptionalField]
    images: bool
    files: bool
    follows_up: bool


def kind_of(request: ChatRequest, fields: Collection[OptionalField]) -> Kind:
    """Of a question that is sent with these fields."""
    turns = request.turns
    images, files = any(turn.images for turn in turns), any(turn.files for turn in turns)
    return Kind(request.model, frozenset(fields), images, files, len(turns) > 1)


class FormSearches:
    """Those at one endpoint."""

    def __init__(self) -> None:
        self._settled: OrderedDict[Kind, float] = OrderedDict()
        self._running: dict[str, trio.Event] = {}

    def settle(self, kind: Kind) -> None:
        """A question of that kind was answered, or nothing helped."""
        self._settled[kind] = trio.current_time() + SETTLED_FOR
        self._settled.move_to_end(kind)
        if len(self._settled) > MOST_SETTLED:
            self._settled.popitem(last=False)

    def is_settled(self, kind: Kind) -> bool:
        """Whether that was so lately."""
        return trio.current_time() < self._settled.get(kind, 0.0)

    @contextmanager
    def of(self, model: str) -> Iterator["FormSearch"]:
        """What one question needs to search by its turn; at the end of the block the next one may."""
        search = FormSearch(self._running, model)
        try:
            yield search
        finally:
            search.end()


class FormSearch:
    """The search of one question, which others for the same model wait for."""

    def __init__(self, running: dict[str, trio.Event], model: str) -> None:
        self._running = running
        self._model = model
        self._over = trio.Event()
        self._waited = False

    async def begin(self) -> bool:
        """Begin, or go on; False if another question was searching: what it found is known now.

        No question waits for a second one.
        """
        other = self._running.setdefault(self._model, self._over)
        if other is self._over or self._waited:
            return True
        self._waited = True
        await other.wait()
        return False

    def end(self) -> None:
        """The form is found, or there is none."""
        if self._running.get(self._model) is self._over:
            del self._running[self._model]
        self._over.set()
