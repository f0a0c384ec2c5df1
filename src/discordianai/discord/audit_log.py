"""Counts and logs refusals, and what moderators and admins do with their permissions, without content.

At most one line a minute is logged for each person, and sixty in all: the rest is counted in the next line of
that person. Memory is bounded. Called on any thread.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import structlog

from discordianai.dispatch.budget import RateWindow
from discordianai.metric import Metric
from discordianai.pseudonyms import Pseudonyms
from discordianai.records import Person, Place

MINUTE = 60.0
LINES = 60
"""Lines in the log for all people, in a minute."""

MOST_TALLIES = 1000
"""People and servers that are remembered; whoever was refused longest ago is dropped first."""

FORGOTTEN_AFTER = 86_400.0
"""Seconds without a refusal."""

OFTEN, OFTEN_MINUTES = 20, 10
"""Refusals, and different minutes with one: a burst is not "all the time"."""

ADMITTED_SHARE = 0.05
"""The largest share of admitted attempts for somebody who is always refused."""

MOST_NAMED = 3
"""Of each kind, by `always_refused`."""


class RefusalCause(StrEnum):
    """Why somebody may not do something."""

    ACCESS = "access"
    """The lists of `[discord]`, or where it is."""
    PERMISSION = "permission"
    """It is for admins, or for people who can manage the channel or its messages."""
    BUTTON = "button"
    """It is another person's."""
    LIMIT = "limit"
    """They do it too often, or have reached the daily limit."""


class PrivilegedAct(StrEnum):
    """What only people who can manage messages or channels, or admins, can do."""

    STOP = "stop"
    """Of somebody else's answer."""
    RESET = "reset"
    """Of a conversation that a channel shares."""
    PERSONA = "persona"
    MODEL = "model"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class AlwaysRefused:
    """A person or a server that is always refused. `name` is a pseudonym, `since` is in seconds since the
    epoch, `cause` is that of the last refusal.
    """

    kind: str
    name: str
    refused: int
    since: float
    cause: RefusalCause


@dataclass(frozen=True, slots=True)
class AuditStatistics:
    """A snapshot of the audit log's counts."""

    refusals: Annotated[
        Mapping[RefusalCause, int],
        Metric("discord_refusals_total", "Commands, buttons and messages refused to a person", ("cause",)),
    ] = field(default_factory=dict)
    acts: Annotated[
        Mapping[PrivilegedAct, int],
        Metric(
            "discord_privileged_acts_total",
            "Actions for which somebody used moderator or admin permissions",
            ("act",),
        ),
    ] = field(default_factory=dict)
    always_refused: tuple[AlwaysRefused, ...] = ()


@dataclass(slots=True)
class _Tally:
    refused: int = 0
    admitted: int = 0
    minutes: int = 0
    since: float = 0.0
    latest: float = 0.0
    cause: RefusalCause = RefusalCause.ACCESS


class AuditLog:
    """`clock` tells seconds since the epoch, `monotonic` those of a clock that never jumps."""

    def __init__(
        self,
        pseudonyms: Pseudonyms | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._refusals: Counter[RefusalCause] = Counter()
        self._acts: Counter[PrivilegedAct] = Counter()
        self._lines = RateWindow(1, MINUTE)
        self._all_lines = RateWindow(LINES, MINUTE)
        self._unlogged: OrderedDict[int, Counter[str]] = OrderedDict()
        self._tallies: OrderedDict[tuple[str, int], _Tally] = OrderedDict()
        self._log = structlog.get_logger("discordianai.discord.audit_log")

    def refused(self, person: Person, place: Place, cause: RefusalCause) -> None:
        """Somebody may not do what they wanted to."""
        with self._lock:
            self._refusals[cause] += 1
            now = self._clock()
            for key in _keys(person, place):
                self._tally(key, cause, now)
            self._write("refused", person, place, cause=cause)

    def acted(self, person: Person, place: Place, act: PrivilegedAct) -> None:
        """Somebody has used moderator or admin permissions."""
        with self._lock:
            self._acts[act] += 1
            self._write("privileged act", person, place, act=act)

    def admitted(self, person: Person, place: Place) -> None:
        """Somebody was let in."""
        with self._lock:
            for key in _keys(person, place):
                if tally := self._tallies.get(key):
                    tally.admitted += 1

    def now(self) -> AuditStatistics:
        """This moment."""
        with self._lock:
            return AuditStatistics(dict(self._refusals), dict(self._acts), self._always_refused())

    def _tally(self, key: tuple[str, int], cause: RefusalCause, now: float) -> None:
        self._forget(now)
        tally = self._tallies.pop(key, None) or _Tally(since=now)
        if now // MINUTE != tally.latest // MINUTE:
            tally.minutes += 1
        tally.refused += 1
        tally.latest, tally.cause = now, cause
        self._tallies[key] = tally
        if len(self._tallies) > MOST_TALLIES:
            self._tallies.popitem(last=False)

    def _forget(self, now: float) -> None:
        """Whoever was refused longest ago stands first."""
        while self._tallies and now - next(iter(self._tallies.values())).latest > FORGOTTEN_AFTER:
            self._tallies.popitem(last=False)

    def _always_refused(self) -> tuple[AlwaysRefused, ...]:
        now = self._clock()
        self._forget(now)
        found = [
            AlwaysRefused(kind, self._pseudonyms.of(number), tally.refused, tally.since, tally.cause)
            for (kind, number), tally in self._tallies.items()
            if tally.refused >= OFTEN
            and tally.minutes >= OFTEN_MINUTES
            and tally.admitted <= ADMITTED_SHARE * tally.refused
        ]
        found.sort(key=lambda one: -one.refused)
        return tuple(
            one for kind in ("person", "server") for one in [o for o in found if o.kind == kind][:MOST_NAMED]
        )

    def _write(self, event: str, person: Person, place: Place, **what: StrEnum) -> None:
        now = self._monotonic()
        (name,) = what.values()
        if self._lines.delay(person.id, now) or self._all_lines.take("", now):
            self._leave_out(person.id, str(name))
            return
        self._lines.take(person.id, now)
        unlogged = self._unlogged.pop(person.id, None)
        more = {"since_the_last_line": _counted(unlogged)} if unlogged else {}
        told = {key: str(value) for key, value in what.items()}
        server = {} if place.guild_id is None else {"server": place.guild_id}
        self._log.info(event, **told, person=person.id, **server, channel=place.channel_id, **more)

    def _leave_out(self, person_id: int, name: str) -> None:
        counts = self._unlogged.pop(person_id, None) or Counter()
        counts[name] += 1
        self._unlogged[person_id] = counts
        if len(self._unlogged) > MOST_TALLIES:
            self._unlogged.popitem(last=False)


def _keys(person: Person, place: Place) -> tuple[tuple[str, int], ...]:
    server = () if place.guild_id is None else (("server", place.guild_id),)
    return (("person", person.id), *server)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
