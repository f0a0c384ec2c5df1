"""What the store does beside answering: checkpoints, retention, noticing the operator, getting well.

Small steps, with pauses between them.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
import trio

from discordianai.conversations.accounting import day_of
from discordianai.conversations.sqlite import questions_table, turns_table, usage_table
from discordianai.conversations.sqlite.backlog import PendingWrite
from discordianai.conversations.sqlite.database import Database
from discordianai.conversations.store import StoreError
from discordianai.guard import Guard

DAY = 86_400.0
FREE_PAGES = 256
"""Pages of 4 KiB that stay free in the file: the next turns take them."""

VACUUM_PAGES = 64
"""Pages given back to the disk in one step."""

AFTER_A_BUG = 1.0
"""Seconds until the next turn, at least."""

COUNTING = 0.01
"""The part of the time that may go into counting conversations. A million take 10 to 50 ms, once."""


@dataclass(frozen=True, slots=True)
class MaintenanceSchedule:
    """Seconds between checkpoints and looks at the file, between retention's rounds, between its steps."""

    tick: float = 1.0
    retention: float = 60.0
    step: float = 0.05


class Maintenance:
    """Made by the store; `run` is its task. `changed` is called when an operator removed something, or put
    another file there."""

    def __init__(
        self,
        database: Database,
        ttl_days: float,
        changed: Callable[[], None],
        pace: MaintenanceSchedule,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._ttl = ttl_days * DAY
        self._changed = changed
        self._pace = pace
        self._clock = clock
        self._purges: int | None = None
        self._replaced = False
        self._counted, self._count_again = -1, 0.0
        self.conversations = 0
        self._empty_log = True  # a former process may have died after it removed something

    def empty_log(self) -> None:
        """Something was removed: have the log emptied soon."""
        self._empty_log = True

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_retention)
            nursery.start_soon(self._keep_log_short)
            await _again_and_again(self._tick, self._pace.tick)

    async def _keep_log_short(self) -> None:
        """Many small checkpoints under load: a large one holds up the writes, on the same disk."""

        async def shorten() -> None:
            await self._database.much_written()
            with suppress(StoreError):  # the database's health tells
                await self._database.checkpoint()

        await _again_and_again(shorten, 0.0)

    async def _keep_retention(self) -> None:
        await _again_and_again(self.retention, self._pace.retention)

    async def _tick(self) -> None:
        self._replaced |= await self._database.look()
        if not self._database.health.writable:
            self._purges = None  # it may be another file afterwards
            if not await self._database.recover():
                return
        if self._replaced:
            self._replaced = False
            self._changed()
        await self._watch_operator()
        wanted, self._empty_log = self._empty_log, False
        try:
            done = await self._database.checkpoint(truncate=wanted)
        except StoreError:
            done = False
        self._empty_log = self._empty_log or (wanted and not done)
        await self._count()

    async def _count(self) -> None:
        """Count the conversations, if something was written, and it is not too soon."""
        began, commits = trio.current_time(), self._database.commits
        if commits == self._counted or began < self._count_again:
            return
        with suppress(StoreError):  # the database's health tells
            self.conversations = await self._database.read(turns_table.count_conversations)
            self._counted = commits
        now = trio.current_time()
        self._count_again = now + (now - began) / COUNTING

    async def _watch_operator(self) -> None:
        try:
            purges = await self._database.read(_purges)
        except StoreError:
            return
        if self._purges is not None and purges != self._purges:
            self._changed()
            self._empty_log = True
        self._purges = purges

    async def retention(self) -> None:
        """Remove what is too old, and give free pages back, until nothing is left to do."""
        try:
            removed = 0
            for step, size in self._steps():
                done = size
                while done >= size:
                    done = await self._database.write(PendingWrite(step, keepable=False))
                    removed += done
                    await trio.sleep(self._pace.step)
        except StoreError:
            return  # the database's health tells; the next round goes on
        if removed:
            self._empty_log = True

    def _steps(self) -> list[tuple[Callable[[sqlite3.Connection], int], int]]:
        """Each with what it removes at most: as long as it does, there is more."""
        now = self._clock()
        return [
            (lambda connection: turns_table.remove_older(connection, now - self._ttl), turns_table.STEP),
            (lambda connection: questions_table.remove_done(connection, now), questions_table.STEP),
            (lambda connection: usage_table.anonymise_forgotten(connection, day_of(now)), usage_table.STEP),
            (vacuum, VACUUM_PAGES),
        ]


async def _again_and_again(work: Callable[[], Awaitable[None]], pause: float) -> None:
    """Until cancelled; a turn that meets a bug is followed by the next one, after a second at least."""
    guard = Guard(structlog.get_logger("discordianai.conversations"), "a bug stopped the store's upkeep")
    while True:
        with guard:
            await work()
        await trio.sleep(max(pause, AFTER_A_BUG) if guard.failed else pause)


def vacuum(connection: sqlite3.Connection, pages: int = VACUUM_PAGES) -> int:
    """Give up to so many free pages back to the disk; how many."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free < FREE_PAGES + VACUUM_PAGES:
        return 0
    pages = min(pages, free - FREE_PAGES)
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return pages


def _purges(connection: sqlite3.Connection) -> int:
    (purges,) = connection.execute("SELECT purges FROM bookkeeping").fetchone()
    return int(purges)
