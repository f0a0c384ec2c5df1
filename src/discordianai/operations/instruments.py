"""The parts of the running bot that have statistics, and how to read them all at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time

from discordianai.answering.open_questions import OpenQuestions, QuestionCounter
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.sqlite.store import SqliteStore
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.dispatch.dispatcher import Dispatcher
from discordianai.latencies import Latencies
from discordianai.live import Live
from discordianai.operations.model_watch import ModelWatch
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot, process_figures
from discordianai.steady_clock import SteadyClock
from discordianai.transport.clients import PooledClient


@dataclass(slots=True)
class Instruments:
    """Put together by `app`. `settings` has the numbers of settings.toml, `lag` is of trio's loop."""

    settings: Live[Mapping[str, float]]
    clients: Mapping[str, PooledClient]
    discord: PooledClient
    dispatchers: Mapping[str, Dispatcher]
    store: SqliteStore
    ledger: Ledger
    figures: DiscordCounter
    limits: ApplicationLimits
    open_questions: OpenQuestions
    counts: QuestionCounter
    lag: Latencies
    models: ModelWatch
    clock: SteadyClock = field(default_factory=SteadyClock)
    started_at: float = field(default_factory=time)

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
            dialect=dispatcher.provider.dialect,
            spent={model: spent for (whose, model), spent in self.ledger.charged.items() if whose == name},
        )
