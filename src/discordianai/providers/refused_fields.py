"""What endpoints refuse: the fields without which the same question was answered."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
import trio

from discordianai.providers.optional_fields import OptionalField

AGAIN_AFTER = 24 * 3600.0
"""Seconds until a field is sent again: endpoints are updated, and models exchanged behind a name."""

MOST_REMEMBERED = 1000
"""Pairs of an endpoint and a model."""


@dataclass(frozen=True, slots=True)
class RefusedField:
    """A field that is left out for one model at one endpoint; `reason` is the refusal, without content.

    It is sent again after `until`, on trio's clock.
    """

    provider: str
    model: str
    field: OptionalField
    reason: str
    until: float


class RefusedFields:
    """Remembers them until the bot ends; one for all providers. `clock` gives seconds, trio's by default."""

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], dict[OptionalField, RefusedField]] = OrderedDict()
        self._log = structlog.get_logger("discordianai.providers.refused_fields")

    def known(self, endpoint: str, model: str) -> dict[OptionalField, RefusedField]:
        """What is left out for that model at that address now."""
        known, now = self._known.get((endpoint, model), {}), self._clock()
        return {name: field for name, field in known.items() if now < field.until}

    def learn(
        self, provider: str, endpoint: str, model: str, fields: Iterable[OptionalField], reason: str
    ) -> None:
        """These fields were refused, and the same question was answered without them."""
        until = self._clock() + AGAIN_AFTER
        new = {field: RefusedField(provider, model, field, reason, until) for field in sorted(fields)}
        if not new:
            return
        self._known[endpoint, model] = self.known(endpoint, model) | new
        self._known.move_to_end((endpoint, model))
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        self._log.warning(
            "endpoint refuses fields: leaving them out for 24 hours",
            provider=provider,
            model=model,
            fields=[field.value for field in new],
            reason=reason,
        )

    def left_out(self, provider: str) -> tuple[RefusedField, ...]:
        """All that is left out at a provider now, for health and checks."""
        everything = (
            field for endpoint, model in self._known for field in self.known(endpoint, model).values()
        )
        return tuple(field for field in everything if field.provider == provider)
