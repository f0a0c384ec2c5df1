"""Background work of the store: checkpoints, retention, recovery, and noticing what operators change.

It runs in small steps, with pauses between them.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from discordianai.conversations.accounting import day_of
from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.engine.lifetime import repeat
from discordianai.conversations.sqlite import (
    bookkeeping_table,
    questions_table,
    removal,
    turns_table,
    usage_table,
)
from discordianai.conversations.sqlite.database import Database
from discordianai.conversations.store import StoreError

COUNTING = 0.01
"""The share of the time that may be spent counting conversations. A million take 10 to 50 ms to count."""


@dataclass(frozen=True, slots=True)
class MaintenanceSchedule:
    """Seconds between two checks of the file, each with a checkpoint; between two rounds of retention; and
    between its steps."""

    tick: float = 1.0
    retention: float = 60.0
    step: float = 0.05


class Maintenance:
    """Made by the store; `run` is its task. Turns live for `ttl` seconds.

    `changed` is called when an operator has removed something, or put another file in the database's place.
    """

    def __init__(
        self,
        database: Database,
        ttl: float,
        changed: Callable[[], None],
        pace: MaintenanceSchedule,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._ttl = ttl
        self._changed = changed
        self._pace = pace
        self._clock = clock
        self._purges: int | None = None
        self._replaced = False
        self._counted, self._count_again = -1, 0.0
        self.conversations = 0
        self._empty_log = True  # a former process may have died after it removed something

    def empty_log(self) -> None:
        """Request that the log is emptied soon, because something was removed."""
        self._empty_log = True

    async def run(self) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_retention)
            nursery.start_soon(self._keep_log_short)
            await repeat(self._tick, self._pace.tick)

    async def _keep_log_short(self) -> None:
        """Under load, make many small checkpoints: a large one delays the writes to the same disk."""

        async def shorten() -> None:
            await self._database.checkpoint_due()
            with suppress(StoreError):  # logged, and in the database's health
                await self._database.checkpoint()

        await repeat(shorten, 0.0)

    async def _keep_retention(self) -> None:
        await repeat(self.remove_expired, self._pace.retention)

    async def _tick(self) -> None:
        self._replaced |= await self._database.check_file()
        if not self._database.writes.writable:
            self._purges = None  # it may be another file afterwards
            if not await self._database.recover():
                return
        if self._replaced:
            self._replaced = False
            self._changed()
        await self._notice_purges()
        wanted, self._empty_log = self._empty_log, False
        try:
            done = await self._database.checkpoint(truncate=wanted)
        except StoreError:
            done = False
        self._empty_log = self._empty_log or (wanted and not done)
        await self._count()

    async def _count(self) -> None:
        """Count the conversations, if something was written and the last count is long enough ago."""
        began, commits = trio.current_time(), self._database.writes.commits
        if commits == self._counted or began < self._count_again:
            return
        with suppress(StoreError):  # logged, and in the database's health
            self.conversations = await self._database.read(turns_table.count_conversations)
            self._counted = commits
        now = trio.current_time()
        self._count_again = now + (now - began) / COUNTING

    async def _notice_purges(self) -> None:
        try:
            purges = await self._database.read(bookkeeping_table.purges)
        except StoreError:
            return
        if self._purges is not None and purges != self._purges:
            self._changed()
            self._empty_log = True
        self._purges = purges

    async def remove_expired(self) -> None:
        """Remove what is too old, and return free pages, until nothing is left to do."""
        try:
            removed = 0
            for step, size in self._steps():
                done = size
                while done >= size:
                    done = await self._database.write(Write(step, deferrable=False))
                    removed += done
                    await trio.sleep(self._pace.step)
        except StoreError:
            return  # logged, and in the database's health; the next round goes on
        if removed:
            self._empty_log = True

    def _steps(self) -> list[tuple[Callable[[sqlite3.Connection], int], int]]:
        """Each step, and how much it removes at most: while it removes that much, there is more."""
        now = self._clock()
        return [
            (lambda connection: turns_table.remove_expired(connection, now, self._ttl), turns_table.STEP),
            (lambda connection: questions_table.remove_done(connection, now), questions_table.STEP),
            (lambda connection: usage_table.anonymise_forgotten(connection, day_of(now)), usage_table.STEP),
            (removal.vacuum, removal.VACUUM_PAGES),
        ]
