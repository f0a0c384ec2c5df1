"""The forms that people have open: what each is about, until it is sent or has to make room."""

import secrets
from collections import OrderedDict
from typing import Generic, TypeVar

MOST_FORMS_EACH = 5
"""Discord shows one at a time, and does not tell of those that are closed."""

MOST_FORMS = 1000

About = TypeVar("About")


class OpenForms(Generic[About]):
    """A form makes room for a newer one of the same person first, then for one of whoever has fewer."""

    def __init__(self) -> None:
        self._forms: dict[int, OrderedDict[str, About]] = {}

    def __len__(self) -> int:
        """How many are open."""
        return sum(map(len, self._forms.values()))

    def open(self, person_id: int, about: About) -> str:
        """Keep what a form is about; returns the custom id that Discord sends back with it."""
        custom_id = f"about:{secrets.token_urlsafe(12)}"
        own = self._forms.setdefault(person_id, OrderedDict())
        own[custom_id] = about
        if len(own) > MOST_FORMS_EACH:
            own.popitem(last=False)
        elif len(self) > MOST_FORMS:
            self._close_oldest_of(max(self._forms, key=lambda key: len(self._forms[key])))
        return custom_id

    def take(self, person_id: int, custom_id: str) -> About | None:
        """What that form of this person is about, once; None where it is not open."""
        own = self._forms.get(person_id, OrderedDict())
        about = own.pop(custom_id, None)
        if not own:
            self._forms.pop(person_id, None)
        return about

    def _close_oldest_of(self, person_id: int) -> None:
        own = self._forms[person_id]
        own.popitem(last=False)
        if not own:
            del self._forms[person_id]
