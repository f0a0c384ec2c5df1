"""Finds the form of one question that its endpoint takes, by leaving out what it refuses.

What that can cost is bounded: one question searches, and not again in vain. A question whose refusal names no
field may be at fault itself. It is, where others of its kind are answered; and where nothing helped, nothing
will help the next one.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from discordianai.providers.errors import BadRequest, ProviderError, ToolsRefused
from discordianai.providers.json_values import Json
from discordianai.providers.optional_fields import IN_ORDER, OptionalField, fields_of, without
from discordianai.records import ChatRequest

MOST_TRIES = 10
"""Requests for one question."""


def _is_open(error: ProviderError) -> bool:
    """Whether it leaves open what is refused. Others, such as of a question that is too long, are final."""
    return isinstance(error, BadRequest) and type(error) in {BadRequest, ToolsRefused} and not error.hopeless


class Negotiation:
    """The tries of one question. `known` is left out from the start, and nothing but `optional` ever is.

    A field that an error names is left out. After an error that names none, one group of fields after the
    other is left out by itself, then all of them. With `named_only`, only what is named is left out.
    """

    def __init__(
        self,
        body: Json,
        known: Collection[OptionalField],
        optional: Collection[OptionalField],
        *,
        named_only: bool = False,
    ) -> None:
        self._body = body
        self._present = fields_of(body) & frozenset(optional)
        self._first_form = fields_of(without(body, known))
        self._known = self._present & frozenset(known)
        self._settled = self._known
        self._trial: frozenset[OptionalField] = frozenset()
        self._searches = not named_only
        self._groups = [] if named_only else [*IN_ORDER, frozenset(self._present)]
        self._first: ProviderError | None = None
        self._last = 0
        self._tries = 1

    @property
    def body(self) -> Json:
        """The request to send now."""
        return without(self._body, self._settled | self._trial)

    @property
    def first_form(self) -> frozenset[OptionalField]:
        """The optional fields of the first request."""
        return self._first_form

    def pause(self) -> None:
        """Keep what was found out, and nothing of what the person wrote."""
        self._body = {}

    def resume(self, body: Json) -> None:
        """Go on with the same question."""
        self._body = body

    @property
    def refused(self) -> frozenset[OptionalField]:
        """What is left out now, and was not known to be refused before."""
        return (self._settled | self._trial) - self._known

    @property
    def guesses(self) -> bool:
        """Whether no error has named what is left out now."""
        return bool(self._trial)

    def in_vain(self, error: ProviderError) -> bool:
        """Whether this is what came of a search through all forms."""
        return self._searches and _is_open(error) and self._tries > 1

    @property
    def reason(self) -> str:
        """The first refusal, without content."""
        return "" if self._first is None else self._first.detail

    def try_another_form(self, error: ProviderError) -> bool:
        """Move on to another form after this error. False if there is none; `verdict` is told then."""
        if not isinstance(error, BadRequest) or not _is_open(error):
            return False
        self._first = self._first or error
        if self._trial and error.fingerprint != self._last:
            self._settled |= self._trial  # it got further without these
        self._last, self._trial = error.fingerprint, frozenset()
        self._tries += 1
        return self._tries <= MOST_TRIES and self._leave_out_more(error.named)

    def verdict(self, error: ProviderError) -> ProviderError:
        """What to tell of a question for which there was no other form; `error` is the last one."""
        if not _is_open(error):
            return error  # it says more
        if isinstance(self._first, ToolsRefused) and self._tries > 1:
            return error  # asking without tools has not helped
        return self._first or error

    def _leave_out_more(self, named: Collection[OptionalField]) -> bool:
        if new := (self._present & frozenset(named)) - self._settled:
            self._settled |= new
            return True
        while self._groups:
            trial = (self._groups.pop(0) & self._present) - self._settled
            if trial:
                self._trial = trial
                return True
        return False


SETTLED_FOR = 600.0
"""Seconds in which no form is searched for such a question: after an answer, and after a search in vain."""

MOST_SETTLED = 1000
"""Kinds of questions that are remembered."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Questions that an endpoint takes or refuses alike: these optional fields, such contents."""

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
    """The searches for a form at one endpoint."""

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
        """Whether a question of that kind was answered lately, or nothing helped."""
        return trio.current_time() < self._settled.get(kind, 0.0)

    @contextmanager
    def of(self, model: str) -> Iterator["FormSearch"]:
        """One question's turn to search. The next question has its turn when the block ends."""
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
