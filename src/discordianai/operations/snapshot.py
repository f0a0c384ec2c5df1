"""The statistics of the running bot at one moment: the source of everything that is shown.

It holds nothing that anybody said, no id of a person, a channel or a server, and no secret. Who is refused
all the time has a pseudonym.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Annotated, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from discordianai.answering.open_questions import OpenQuestions, QuestionCounter, QuestionStatistics
from discordianai.conversations.accounting import Spent
from discordianai.conversations.ledger import Ledger, Sums
from discordianai.conversations.store import Health, Store, StoreStatistics
from discordianai.discord.discord_statistics import DiscordCounter, DiscordStatistics
from discordianai.discord.messages.application_limits import ApplicationLimits, ApplicationStatistics
from discordianai.dispatch.dispatcher import Dispatcher
from discordianai.dispatch.dispatcher_statistics import DispatchStatistics
from discordianai.metric import By, Latencies, Latency, Metric
from discordianai.operations.model_watch import ModelWatch
from discordianai.option import Live
from discordianai.providers.optional_fields import RefusedFields
from discordianai.steady_clock import SteadyClock
from discordianai.transport.clients import PooledClient
from discordianai.transport.pool_events import Statistics


class NotASnapshot(Exception):
    """The text is not a snapshot; the message says why, without quoting the text."""


@dataclass(frozen=True, slots=True)
class ProcessStatistics:
    """The process; `lag` is how late trio's loop runs."""

    version: Annotated[str, Metric("info", "Always 1; the label has the version", ("version",))]
    started_at: Annotated[
        float, Metric("start_time_seconds", "When the bot started, in seconds since the epoch")
    ]
    taken_at: Annotated[
        float, Metric("snapshot_time_seconds", "When these figures were taken, in seconds since the epoch")
    ]
    # The hardened unit hides /proc/stat, without which prometheus-client tells neither of these two.
    memory_bytes: Annotated[int, Metric("resident_memory_bytes", "Resident memory of the process")] = 0
    cpu_seconds: Annotated[float, Metric("cpu_seconds_total", "CPU time of the process")] = 0.0
    lag: Latency = field(default_factory=Latency)
    stopping: Annotated[bool, Metric("stopping", "1 while the bot is stopping")] = False
    clock_jump: Annotated[
        float, Metric("clock_jump_seconds", "How far the system clock jumped, until its new time is used")
    ] = 0.0


@dataclass(frozen=True, slots=True)
class ProviderSnapshot:
    """One provider; `label` is the name that people see.

    `model` is who answers by default. `pool` is None over HTTP/1.1; `spent` has all charges since the start,
    by model. `unlisted_models` are in use, and not on the provider's list; `left_out` has the fields that the
    endpoint refuses, by model.
    """

    label: str
    model: str
    dispatch: DispatchStatistics
    pool: Statistics | None = None
    spent: Annotated[Mapping[str, Spent], By("model")] = field(default_factory=dict)
    model_ends: Annotated[
        Mapping[str, float],
        Metric(
            "model_shutdown_time_seconds",
            "When the provider shuts a model in use down, in seconds since the epoch",
            ("model",),
        ),
    ] = field(default_factory=dict)
    unlisted_models: tuple[str, ...] = ()
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dialect: str = ""

    @property
    def names(
        self,
    ) -> Annotated[
        Mapping[tuple[str, str], int],
        Metric(
            "provider_info",
            "Always 1; the labels have the provider's display name and default model",
            ("label", "model"),
        ),
    ]:
        """Its name, and the model that answers."""
        return {(self.label, self.model): 1}


@dataclass(frozen=True, slots=True)
class ProviderSpending:
    """What the answers of a provider are charged to, by model: today and this month, both in UTC."""

    today: Mapping[str, Spent] = field(default_factory=dict)
    this_month: Mapping[str, Spent] = field(default_factory=dict)

    @property
    def cost_today(
        self,
    ) -> Annotated[
        Mapping[str, float], Metric("cost_today", "Cost of today's answers (UTC), in US dollars", ("model",))
    ]:
        """In dollars."""
        return {model: spent.money for model, spent in self.today.items()}

    @property
    def cost_this_month(
        self,
    ) -> Annotated[
        Mapping[str, float],
        Metric("cost_this_month", "Cost of this month's answers (UTC), in US dollars", ("model",)),
    ]:
        """In dollars."""
        return {model: spent.money for model, spent in self.this_month.items()}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`settings` has the numbers that figures are held against, by their keys in the file.

    `spending` also has providers that are no longer in the settings.
    """

    # JSON knows no infinity, which a budget without a limit has left.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="strings")

    process: ProcessStatistics
    providers: Annotated[Mapping[str, ProviderSnapshot], By("provider")] = field(default_factory=dict)
    spending: Annotated[Mapping[str, ProviderSpending], By("provider")] = field(default_factory=dict)
    discord: DiscordStatistics = field(default_factory=DiscordStatistics)
    application: ApplicationStatistics = field(default_factory=ApplicationStatistics)
    discord_pool: Statistics | None = None
    health: Health = field(default_factory=Health)
    store: StoreStatistics = field(default_factory=StoreStatistics)
    questions: QuestionStatistics = field(default_factory=QuestionStatistics)
    settings: Annotated[
        Mapping[str, float], Metric("setting", "A number in settings.toml, by its key", ("key",))
    ] = field(default_factory=dict)

    @property
    def pools(self) -> Annotated[Mapping[str, Statistics], By("pool")]:
        """Pools with statistics, by the names of their clients."""
        pools = {name: provider.pool for name, provider in self.providers.items()}
        return {name: pool for name, pool in {**pools, "discord": self.discord_pool}.items() if pool}

    @property
    def lags(
        self,
    ) -> Annotated[
        Mapping[str, Latency],
        Metric("event_loop_lag_seconds", "How late an event loop runs its tasks", ("loop",)),
    ]:
        """The lags of both loops."""
        return {"trio": self.process.lag, "asyncio": self.discord.lag}

    @property
    def uptime(self) -> float:
        """Seconds since the start of the process."""
        return max(self.process.taken_at - self.process.started_at, 0.0)


def process_figures(
    started_at: float, lag: Latency, *, stopping: bool, clock_jump: float = 0.0
) -> ProcessStatistics:
    """The current figures of this process."""
    return ProcessStatistics(
        version=_version(),
        started_at=started_at,
        taken_at=time.time(),
        memory_bytes=_resident_bytes(),
        cpu_seconds=time.process_time(),
        lag=lag,
        stopping=stopping,
        clock_jump=clock_jump,
    )


def to_json(snapshot: Snapshot) -> bytes:
    """The content of `/api/snapshot`; an infinite value is the text "Infinity"."""
    return _adapter().dump_json(snapshot)


def from_json(text: str | bytes) -> Snapshot:
    """Parse the output of `to_json`. Raises `NotASnapshot`."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        raise _complaint(error) from None


def _complaint(error: ValidationError) -> NotASnapshot:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the text"
    return NotASnapshot(f"{where}: {first['msg']}")


@cache
def _adapter() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot)


@cache
def _version() -> str:
    return version("discordianai")


def _resident_bytes() -> int:
    """0 where the system has no /proc. The figure of `getrusage` is the most there ever was."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  # half the time of a Path
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


@dataclass(slots=True)
class Instruments:
    """Put together by `app`. `settings` has the numbers of settings.toml, `lag` is of trio's loop."""

    settings: Live[Mapping[str, float]]
    clients: Mapping[str, PooledClient]
    discord: PooledClient
    dispatchers: Mapping[str, Dispatcher]
    store: Store
    ledger: Ledger
    figures: DiscordCounter
    limits: ApplicationLimits
    open_questions: OpenQuestions
    counts: QuestionCounter
    lag: Latencies
    models: ModelWatch
    clock: SteadyClock = field(default_factory=SteadyClock)
    refused_fields: RefusedFields = field(default_factory=RefusedFields)
    started_at: float = field(default_factory=time.time)

    def read(self) -> Snapshot:
        """Take a snapshot. Takes about a millisecond and never waits; call it in the trio thread."""
        return Snapshot(
            process=process_figures(
                self.started_at,
                self.lag.now(),
                stopping=self.open_questions.closed,
                clock_jump=self.clock.jump,
            ),
            providers={name: self._provider(name) for name in self.dispatchers},
            spending=spending_of(self.ledger),
            discord=self.figures.now(),
            application=self.limits.statistics(),
            discord_pool=self.discord.statistics(),
            health=self.store.health,
            store=self.store.figures,
            questions=self.counts.now(self.open_questions.open),
            settings=self.settings.now,
        )

    def _provider(self, name: str) -> ProviderSnapshot:
        dispatcher = self.dispatchers[name]
        return ProviderSnapshot(
            label=dispatcher.provider.label,
            model=dispatcher.model,
            dispatch=dispatcher.statistics(),
            pool=self.clients[name].statistics(),
            model_ends=self.models.notice(name).ends_at(),
            unlisted_models=self.models.notice(name).unlisted,
            left_out=self._left_out(name),
            dialect=dispatcher.provider.dialect,
            spent=_of_provider(name, self.ledger.charged),
        )

    def _left_out(self, name: str) -> dict[str, tuple[str, ...]]:
        left_out: dict[str, tuple[str, ...]] = {}
        for refused in self.refused_fields.left_out(name):
            left_out[refused.model] = (*left_out.get(refused.model, ()), refused.field.value)
        return left_out


def spending_of(ledger: Ledger) -> Mapping[str, ProviderSpending]:
    """What the ledger has for today and this month, by provider."""
    today, month = ledger.spent_today, ledger.spent_this_month
    return {
        name: ProviderSpending(_of_provider(name, today), _of_provider(name, month))
        for name in dict.fromkeys(provider for provider, _ in month)
    }


def _of_provider(name: str, sums: Sums) -> Mapping[str, Spent]:
    return {model: spent for (provider, model), spent in sums.items() if provider == name}
