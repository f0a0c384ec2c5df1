"""Takes over, on SIGHUP, what has changed in settings.toml and can change while the bot runs.

What cannot waits for the next start, and is named. A file that is not usable changes nothing.
"""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import structlog
import trio
from pydantic import ValidationError

from discordianai.guard import Guard
from discordianai.operations.systemd import Notifier
from discordianai.option import Live
from discordianai.settings.complaints import complaints
from discordianai.settings.document import SettingsError
from discordianai.settings.keys import KeyPath, find, flat, nested
from discordianai.settings.tables import Settings


class Reloading:
    """Reads the settings anew for those who hold `live`; `load` may block."""

    def __init__(self, live: Live[Settings], load: Callable[[], Settings], notifier: Notifier) -> None:
        self._live = live
        self._load = load
        self._notifier = notifier
        self._log = structlog.get_logger("discordianai.settings.reloading")

    async def run(self) -> None:
        """Listen to SIGHUP, until cancelled. Signals that come while the file is read count as one."""
        guard = Guard(self._log, "bug while reloading settings")
        with trio.open_signal_receiver(signal.SIGHUP) as signals:
            async for _ in signals:
                started = not self._notifier.starting
                if started:
                    self._notifier.reloading()
                with guard:
                    await self._reload()
                if started:
                    self._notifier.ready()

    async def _reload(self) -> None:
        try:
            wanted = await trio.to_thread.run_sync(self._load)
        except SettingsError as error:
            self._log.error("settings invalid: keeping the previous ones", problems=list(error.problems))
            return
        former = self._live.now
        changed = list(differences(former, wanted))
        taken = [key for key in changed if is_live(key, former)]
        later = [key for key in changed if key not in taken]
        try:
            settings = with_live_keys(former, wanted)
        except ValidationError as error:  # the new ones do not go together with those that wait for a restart
            problems = complaints(error)
            self._log.error("restart needed: keeping the previous settings", keys=changed, problems=problems)
            return
        self._live.reconfigure(settings)
        if later:
            self._log.warning("some settings need a restart", keys=later)
        self._log.info("settings reloaded", taken_over=taken)


@asynccontextmanager
async def reloading_on_sighup(reloading: Reloading) -> AsyncIterator[None]:
    """Reload at each SIGHUP while the block runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloading.run)
        yield
        nursery.cancel_scope.cancel()


def is_live(key: KeyPath, former: Settings) -> bool:
    """Whether this key can change now; none of a provider that is new, or is gone."""
    table, name, *_ = key.parts
    if table in {"connection_pool", "providers", "rate_limits"} and name not in {
        "user",
        "server",
        *former.providers.by_name,
    }:
        return False
    declared = find(key.parts)
    return declared is not None and declared.live


def differences(old: Settings, new: Settings) -> Iterator[KeyPath]:
    """The keys whose values differ, by their paths in the file."""
    before, after = flat(old.model_dump()), flat(new.model_dump())
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key


def with_live_keys(old: Settings, new: Settings) -> Settings:
    """`old`, but for the keys that can change now. Raises `ValidationError` where they do not go together."""
    kept = {key: value for key, value in flat(old.model_dump()).items() if not is_live(key, old)}
    taken = {key: value for key, value in flat(new.model_dump()).items() if is_live(key, old)}
    return Settings.model_validate(nested(kept | taken))
