"""Forms: what each of them is about while it is open, how it is shown, and what was written into it."""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from discordianai.discord.interactions.outcomes import OpenModal

TEXT_INPUT, PARAGRAPH = 4, 2
"""Discord's numbers for the field of a form, and its size."""

LONGEST_FORM = 4000
"""Characters; an embed holds 4096."""

MOST_FORMS_EACH = 5
"""Discord shows one at a time, and does not say when one is closed."""

MOST_FORMS = 1000

About = TypeVar("About")


class OpenForms(Generic[About]):
    """A new form replaces the oldest of the same person first, then one of whoever has most.

    Where several have as many, that is the oldest of theirs: few are ever closed otherwise.
    """

    def __init__(self) -> None:
        self._forms: dict[int, OrderedDict[str, tuple[int, About]]] = {}
        self._opened = 0

    def __len__(self) -> int:
        """How many are open."""
        return sum(map(len, self._forms.values()))

    def open(self, person_id: int, about: About) -> str:
        """Keep what a form is about; returns the custom id that Discord sends back with it."""
        custom_id = f"about:{secrets.token_urlsafe(12)}"
        own = self._forms.setdefault(person_id, OrderedDict())
        self._opened += 1
        own[custom_id] = (self._opened, about)
        if len(own) > MOST_FORMS_EACH:
            own.popitem(last=False)
        elif len(self) > MOST_FORMS:
            self._close_oldest_of(max(self._forms, key=self._rank))
        return custom_id

    def take(self, person_id: int, custom_id: str) -> About | None:
        """What that form of this person is about, once; None where it is not open."""
        own = self._forms.get(person_id, OrderedDict())
        _, about = own.pop(custom_id, (0, None))
        if not own:
            self._forms.pop(person_id, None)
        return about

    def _rank(self, person_id: int) -> tuple[int, int]:
        own = self._forms[person_id]
        oldest, _ = next(iter(own.values()))
        return len(own), -oldest

    def _close_oldest_of(self, person_id: int) -> None:
        own = self._forms[person_id]
        own.popitem(last=False)
        if not own:
            del self._forms[person_id]


def modal(wanted: OpenModal) -> Mapping[str, Any]:
    """The data of the response that opens a form."""
    field = {"type": TEXT_INPUT, "style": PARAGRAPH, "custom_id": "text", "label": wanted.modal.label}
    return {
        "custom_id": wanted.custom_id,
        "title": wanted.modal.title,
        "components": [{"type": 1, "components": [field | {"required": True, "max_length": LONGEST_FORM}]}],
    }
