"""The records of advice: recommendations, and the period and usage that they are based on."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from discordianai.dispatch.dispatcher_statistics import RequestOutcome
from discordianai.metric import Latency
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A change to settings.toml: the key, its value, and the recommended one."""

    key: str
    now: str
    to: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`title` says what is the matter, `figures` by what that is seen, `why` what the changes do about it.

    Without `changes` no setting helps. What is `urgent` costs answers now.
    """

    title: str
    figures: str
    why: str
    changes: tuple[SettingChange, ...] = ()
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Period:
    """The time between two snapshots of one bot, or since its start."""

    now: Snapshot
    before: Snapshot | None = None

    @property
    def seconds(self) -> float:
        """The length of the period."""
        if self.before is None:
            return self.now.uptime
        return max(self.now.process.taken_at - self.before.process.taken_at, 0.0)

    @property
    def since_start(self) -> bool:
        """Whether there is nothing to compare with: no earlier snapshot, or one of another run."""
        return self.before is None

    def grown(self, total: Callable[[Snapshot], float]) -> float:
        """The growth of a counter."""
        return total(self.now) - (total(self.before) if self.before is not None else 0)

    def latency(self, of: Callable[[Snapshot], Latency]) -> Latency:
        """How long something took in it."""
        return of(self.now).since(of(self.before)) if self.before is not None else of(self.now)

    def setting(self, key: str) -> float | None:
        """The value of a setting; None if it is not set, or unknown."""
        value = self.now.settings.get(key)
        return value if value is not None and math.isfinite(value) else None  # a file may say anything


def period(now: Snapshot, before: Snapshot | None = None) -> Period:
    """Compare two snapshots, if they are of the same run: a restart resets the counters."""
    same = before is not None and before.process.started_at == now.process.started_at
    return Period(now, before if same else None)


@dataclass(frozen=True, slots=True)
class Use:
    """The usage of one provider in a period."""

    period: Period
    name: str
    figures: ProviderSnapshot
    _before: ProviderSnapshot | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """The name of the provider that people see."""
        return self.figures.label

    @classmethod
    def of(cls, period: Period, name: str) -> "Use":
        """By the name of the provider, which the latest snapshot has."""
        before = period.before.providers.get(name) if period.before is not None else None
        return cls(period, name, period.now.providers[name], before)

    def grown(self, total: Callable[[ProviderSnapshot], float]) -> float:
        """The growth of a counter."""
        return total(self.figures) - (total(self._before) if self._before is not None else 0)

    def latency(self, of: Callable[[ProviderSnapshot], Latency]) -> Latency:
        """How long something took."""
        return of(self.figures).since(of(self._before)) if self._before is not None else of(self.figures)

    def ended(self, *outcomes: RequestOutcome) -> float:
        """How many requests had these outcomes; without outcomes, all that ended."""
        wanted = outcomes or tuple(RequestOutcome)
        return self.grown(
            lambda figures: sum(
                model.outcomes.get(outcome, 0)
                for model in figures.dispatch.models.values()
                for outcome in wanted
            )
        )

    @property
    def slots(self) -> float:
        """`max_connections`, as the settings have it, or else as the pool does; at least 1."""
        pool = self.figures.pool
        return max(
            self.setting("connection_pool", "max_connections") or (pool.max_connections if pool else 1), 1
        )

    @property
    def busiest(self) -> int:
        """How many requests were in flight at once, in the last minutes at most."""
        return max(self.figures.dispatch.busiest, self.figures.dispatch.in_flight)

    @property
    def utilisation(self) -> float:
        """The same for each slot."""
        return self.busiest / self.slots

    @property
    def carried(self) -> float:
        """How many requests the minute's budget keeps in flight, by how long they take; without one, any."""
        seconds = self.latency(lambda figures: figures.dispatch.last_chunk).mean
        limit = self.figures.dispatch.requests_limit
        return limit / 60 * seconds if seconds > 0 and limit > 0 else math.inf

    def key(self, table: str, key: str) -> str:
        """As in `connection_pool.NAME.max_connections`; of the provider's own table, `table` is empty."""
        return f"{table or 'providers'}.{self.name}.{key}"

    def setting(self, table: str, key: str) -> float | None:
        """What is set there."""
        return self.period.setting(self.key(table, key))

    def change(self, table: str, key: str, to: float) -> SettingChange:
        """Of a number to another."""
        now = self.setting(table, key)
        return SettingChange(self.key(table, key), "not set" if now is None else f"{now:g}", f"{to:g}")


def percent(part: float, whole: float) -> str:
    """As in `12 %`; small ones with a digit more."""
    share = 100 * part / whole if whole else 0.0
    return f"{share:.1f} %" if 0 < share < 10 else f"{share:.0f} %"


def rounded(value: float, least: float, most: float) -> float:
    """A round whole number within bounds; `least` if there is none."""
    if math.isnan(value):
        return least
    value = min(max(value, least), most)
    step = 5 if value > 20 else 1
    return min(math.ceil(value / step) * step, most)
