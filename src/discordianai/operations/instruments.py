"""Every part of the running bot that has figures, and how to read them all at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time

from discordianai.conversations.ledger import Ledger
from discordianai.conversations.sqlite import SqliteStore
from discordianai.discord.admissions import Admissions
from discordianai.discord.figures import DiscordFigures
from discordianai.dispatch.dispatcher import Dispatcher
from discordianai.latencies import Latencies
from discordianai.live import Live
from discordianai.operations.snapshot import (
    ProviderFigures,
    Snapshot,
    process_figures,
)
from discordianai.questions import QuestionCounter
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
    figures: DiscordFigures
    admissions: Admissions
    counts: QuestionCounter
    lag: Latencies
    started_at: float = field(default_factory=time)

    def read(self) -> Snapshot:
        """This moment. Takes about a millisecond, waits for nothing, and is for the trio thread."""
        return Snapshot(
            process=process_figures(self.started_at, self.lag.now(), stopping=self.admissions.closed),
            providers={name: self._provider(name) for name in self.dispatchers},
            discord=self.figures.now(),
            discord_pool=self.discord.statistics(),
            health=self.store.health,
            store=self.store.figures,
            questions=self.counts.now(self.admissions.open),
            settings=self.settings.now,
        )

    def _provider(self, name: str) -> ProviderFigures:
        dispatcher = self.dispatchers[name]
        return ProviderFigures(
            label=dispatcher.provider.label,
            model=dispatcher.model,
            dispatch=dispatcher.statistics(),
            pool=self.clients[name].statistics(),
            spent={model: spent for (whose, model), spent in self.ledger.charged.items() if whose == name},
        )
