"""Looks once a day whether the models in use are still listed by their providers, and when they end."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from urllib.parse import urlsplit

import httpx
import structlog
import trio

from discordianai.guard import Guard
from discordianai.providers.agent import PRESETS
from discordianai.providers.errors import ProviderError
from discordianai.providers.model_list import ENDS_SOON, ListedModel, list_models
from discordianai.providers.options import DIALECTS_BY_HOST, ProviderOptions
from discordianai.records import Provider

FIRST_LOOK = (60.0, 300.0)
"""Seconds after the start, at random in between: a start has enough to do."""

EVERY = (0.9 * 86_400, 1.1 * 86_400)
"""Seconds between two looks."""

TIMEOUT = 30.0
"""Seconds for one provider's list."""


@dataclass(frozen=True, slots=True)
class ModelNotice:
    """What is known of a provider's models in use: the days on which they end, and which it does not list."""

    ends: Mapping[str, date] = field(default_factory=dict)
    unlisted: tuple[str, ...] = ()

    def ends_at(self) -> Mapping[str, float]:
        """The beginnings of those days (UTC), in seconds since the epoch."""
        return {model: datetime.combine(day, time(), UTC).timestamp() for model, day in self.ends.items()}


@dataclass(frozen=True, slots=True)
class WatchedProvider:
    """A provider with the client that asks it."""

    provider: Provider
    options: ProviderOptions
    client: httpx.AsyncClient


class ModelWatch:
    """`listed` has the ids that each provider has listed, by its name; empty until the first look."""

    def __init__(self, watched: Sequence[WatchedProvider], chance: random.Random | None = None) -> None:
        self._watched = watched
        self._chance = chance or random.SystemRandom()
        self._notices: dict[str, ModelNotice] = {}
        self._log = structlog.get_logger("discordianai.operations.model_watch")
        self.listed: dict[str, tuple[str, ...]] = {}

    def notice(self, name: str) -> ModelNotice:
        """Of the provider of that name."""
        return self._notices.get(name, ModelNotice())

    async def run(self) -> None:
        """Look until cancelled."""
        guards = [Guard(self._log, "bug in the model watch") for _ in self._watched]
        wait = self._chance.uniform(*FIRST_LOOK)
        while True:
            await trio.sleep(wait)
            for watched, guard in zip(self._watched, guards, strict=True):
                with guard:
                    await self._look(watched)
            wait = self._chance.uniform(*EVERY)

    async def _look(self, watched: WatchedProvider) -> None:
        """What cannot be found out leaves everything as it was: many endpoints have no list."""
        name = watched.provider.name
        try:
            with trio.move_on_after(TIMEOUT) as scope:
                listed = await list_models(watched.client, watched.provider, watched.options)
        except ProviderError as error:
            self._log.debug("no list of models", provider=name, reason=error.for_log)
            return
        if scope.cancelled_caught or not listed:
            return
        notice = self._judge(watched, listed)
        self._warn(name, notice, self.notice(name))
        self._notices[name] = notice
        self.listed[name] = tuple(model.id for model in listed)

    def _judge(self, watched: WatchedProvider, listed: Sequence[ListedModel]) -> ModelNotice:
        """Other endpoints may list models by other names: there, only one that was listed can be gone."""
        ends = {model.id: model.shutdown for model in listed if model.shutdown is not None}
        known_as_listed = (urlsplit(watched.options.base_url).hostname or "") in DIALECTS_BY_HOST
        before = {*self.listed.get(watched.provider.name, ()), *self.notice(watched.provider.name).unlisted}
        in_use = [model for model in watched.options.all_models if model not in PRESETS]
        present = {model.id for model in listed}
        return ModelNotice(
            {model: ends[model] for model in in_use if model in ends},
            tuple(model for model in in_use if model not in present and (known_as_listed or model in before)),
        )

    def _warn(self, name: str, notice: ModelNotice, before: ModelNotice) -> None:
        today = datetime.now(UTC).date()
        for model, day in notice.ends.items():
            left = (day - today).days
            log = self._log.warning if left < ENDS_SOON else self._log.info
            log("model will be shut down", provider=name, model=model, day=day.isoformat(), days_left=left)
        for model in set(notice.unlisted) - set(before.unlisted):
            self._log.warning("model is not listed by its provider", provider=name, model=model)


@asynccontextmanager
async def watching_models(watch: ModelWatch) -> AsyncIterator[None]:
    """Watch while the block runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        yield
        nursery.cancel_scope.cancel()
