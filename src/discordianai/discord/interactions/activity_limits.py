"""Limits for what one person does other than asking: each time takes at least one request to Discord."""

import time
from collections.abc import Callable

from discordianai.discord.audit_log import RefusalCause
from discordianai.discord.events.interaction import EventOrigin
from discordianai.discord.interactions.outcomes import Refuse
from discordianai.dispatch.budget import RateWindow
from discordianai.dispatch.refusals import in_seconds

COMMANDS, COMMANDS_IN = 20, 60.0
"""Handled commands, and buttons under their replies, in so many seconds. Some search the store."""

FORMS, FORMS_IN = 10, 60.0
PRESSES, PRESSES_IN = 20, 60.0
"""Buttons that ask a question again: the store is searched for it before the limits of questions apply."""

STOPS, STOPS_IN = 3, 10.0
"""Presses of one Stop button that are passed on. Stopping an answer twice does nothing, and costs little."""

SUGGESTIONS, SUGGESTIONS_IN = 30, 10.0
"""For somebody who types fast, Discord asks two or three times a second."""

LOSSES, LOSSES_IN = 1, 10.0
"""Lines in the log about what could not be acknowledged, for each person."""

REFUSALS, REFUSALS_IN = 1, 60.0
CHANNEL_REFUSALS_IN = 5.0
"""Refusals that are posted in a channel, where everybody sees them and answers are written: of each person,
and one in each channel. Discord takes five messages there in five seconds."""

REFUSED_WITHIN = 30.0
"""Seconds that a refusal waits for those of others in its channel. Later, it is of no use to anybody."""

MOST_CHANNELS = 1000
"""Channels whose last refusal is remembered although it is long over."""


class ActivityLimits:
    """Lives on the listener's thread; `clock` tells monotonic seconds. Its memory is bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._commands = RateWindow(COMMANDS, COMMANDS_IN)
        self._forms = RateWindow(FORMS, FORMS_IN)
        self._presses = RateWindow(PRESSES, PRESSES_IN)
        self._stops = RateWindow(STOPS, STOPS_IN)
        self._suggestions = RateWindow(SUGGESTIONS, SUGGESTIONS_IN)
        self._losses = RateWindow(LOSSES, LOSSES_IN)
        self._refusals = RateWindow(REFUSALS, REFUSALS_IN)
        self._next_refusal: dict[int, float] = {}  # when the next one may be posted in a channel

    def count_command(self, origin: EventOrigin) -> Refuse | None:
        """Count a handled command, or a button under its reply; return why it is refused, if it is."""
        return self._count(self._commands, origin)

    def count_form(self, origin: EventOrigin) -> Refuse | None:
        """Count a form that is to be opened; return why it is refused, if it is."""
        return self._count(self._forms, origin)

    def count_press(self, origin: EventOrigin) -> Refuse | None:
        """Count a button that asks a question again; return why it is refused, if it is."""
        return self._count(self._presses, origin)

    def count_stop(self, origin: EventOrigin, interaction_id: int) -> bool:
        """Count a Stop of the answer to that interaction; return whether to pass it on."""
        return not self._stops.take((origin.person.id, interaction_id), self._clock())

    def count_suggestion(self, origin: EventOrigin) -> bool:
        """Count an option that is being typed; return whether to make suggestions."""
        return not self._suggestions.take(origin.person.id, self._clock())

    def count_loss(self, person_id: int) -> bool:
        """Count an interaction that could not be acknowledged; return whether to log it."""
        return not self._losses.take(person_id, self._clock())

    def refusal_due(self, person_id: int, channel_id: int) -> float | None:
        """Count a refusal that everybody in a channel would see; return in how many seconds to post it.

        None: not at all, since this person was refused lately, or too many others in that channel were.
        """
        now = self._clock()
        due = max(self._next_refusal.get(channel_id, now), now)
        if due > now + REFUSED_WITHIN or self._refusals.take(person_id, now):
            return None
        if len(self._next_refusal) >= MOST_CHANNELS:
            self._next_refusal = {key: free for key, free in self._next_refusal.items() if free > now}
        self._next_refusal[channel_id] = due + CHANNEL_REFUSALS_IN
        return due - now

    def _count(self, window: RateWindow, origin: EventOrigin) -> Refuse | None:
        if wait := window.take(origin.person.id, self._clock()):
            return Refuse(f"That's a lot at once. Please wait {in_seconds(wait)}.", RefusalCause.LIMIT)
        return None
