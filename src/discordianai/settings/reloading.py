"""Takes over, on SIGHUP, what has changed in settings.toml and can change while the bot runs.

What cannot waits for the next start, and is named. A file that is not usable changes nothing.
"""

import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase

import structlog
import trio

from discordianai.guard import Guard
from discordianai.operations.systemd import Notifier
from discordianai.settings.file import SettingsError
from discordianai.settings.keys import Key, flat, nested
from discordianai.settings.tables import Settings

LIVE = (
    "assistant.instructions",
    "connection_pool.*.max_connections",
    "connection_pool.*.max_keepalive",
    "daily_limits.*",
    "discord.admin_user_ids",
    "discord.allowed_*",
    "discord.blocked_*",
    "discord.direct_messages",
    "logging.*",
    "models.*",
    "rate_limits.*",
)
"""Keys, or patterns of keys. Server ids are not among them: commands are registered by them at the start."""

Adopt = Callable[[Settings], object]
"""Takes over the settings; on the trio thread, at once, without an error."""


class Reloading:
    """Knows the settings of the moment; `load` reads the file anew, and may block."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        notifier: Notifier,
    ) -> None:
        self._settings = settings
        self._load = load
        self._notifier = notifier
        self._log = structlog.get_logger("discordianai.settings.reloading")

    async def run(self, adopters: Sequence[Adopt]) -> None:
        """Listen to SIGHUP, until cancelled. Signals that come while the file is read count as one."""
        guard = Guard(self._log, "a bug kept settings from being taken over")
        with trio.open_signal_receiver(signal.SIGHUP) as signals:
            async for _ in signals:
                started = not self._notifier.starting
                if started:
                    self._notifier.reloading()
                with guard:
                    await self._reload(adopters)
                if started:
                    self._notifier.ready()

    def _live(self, key: Key) -> bool:
        if key.parts[0] in {"connection_pool", "rate_limits"} and key.parts[1] not in self._known():
            return False  # of a provider that is new, or is gone
        return matches(key, LIVE)

    def _known(self) -> set[str]:
        return {"user", "server", *self._settings.providers.by_name}

    async def _reload(self, adopters: Sequence[Adopt]) -> None:
        try:
            wanted = await trio.to_thread.run_sync(self._load)
        except SettingsError as error:
            self._log.error("these settings are not usable: the former stay", problems=list(error.problems))
            return
        changed = list(differences(self._settings, wanted))
        later = [key for key in changed if not self._live(key)]
        taken = [key for key in changed if self._live(key)]
        if taken:
            self._settings = with_live_keys(self._settings, wanted, self._live)
            for adopt in adopters:
                adopt(self._settings)
        if later:
            self._log.warning("some settings need a restart", keys=later)
        self._log.info("settings read again", taken_over=taken)


@asynccontextmanager
async def reloading_on_sighup(reloading: Reloading, adopters: Sequence[Adopt]) -> AsyncIterator[None]:
    """Reload at each SIGHUP while the block runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloading.run, adopters)
        yield
        nursery.cancel_scope.cancel()


def matches(key: str, patterns: Sequence[str]) -> bool:
    """Whether one of these covers this key."""
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def differences(old: Settings, new: Settings) -> Iterator[Key]:
    """The keys whose values differ, by their paths in the file."""
    before, after = flat(old.model_dump()), flat(new.model_dump())
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key


def with_live_keys(old: Settings, new: Settings, live: Callable[[Key], bool]) -> Settings:
    """`old`, but for the keys that can change now."""
    # Only what is written: a default gives way to what is written beside it.
    kept = {key: value for key, value in flat(old.model_dump(exclude_unset=True)).items() if not live(key)}
    taken = {key: value for key, value in flat(new.model_dump(exclude_unset=True)).items() if live(key)}
    return Settings.model_validate(nested(kept | taken))
