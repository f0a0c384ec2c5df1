"""Background work of the store: signs of life, recovery, retention, and noticing what others change."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import structlog
import trio

from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.engine.lifetime import repeat
from discordianai.conversations.postgres import bookkeeping_table, processes_table, removal
from discordianai.conversations.postgres.database import PostgresClient
from discordianai.conversations.store import StoreError

VACUUM_WITHIN = 1800.0
"""Seconds for all tables: a large one is read as fast as the server's settings allow."""

VACUUMED = ("turns", "questions", "channels", "usage")


@dataclass(frozen=True, slots=True)
class PostgresMaintenanceSchedule:
    """Seconds between two signs of life, each of which also looks for changes; between two tries to reach a
    database that is away; between two rounds of retention, and between its steps; and between two rounds of
    VACUUM after something was removed."""

    sign_of_life: float = processes_table.RENEWED_EVERY
    retry: float = 1.0
    retention: float = 60.0
    step: float = 0.05
    vacuum: float = 600.0


class PostgresMaintenance:
    """Made by the store; `run` is its task. Turns live for `ttl` seconds.

    `changed` is called when others have changed something.
    """

    def __init__(
        self,
        database: PostgresClient,
        ttl: float,
        changed: Callable[[], None],
        pace: PostgresMaintenanceSchedule,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._ttl = ttl
        self._changed = changed
        self._pace = pace
        self._clock = clock
        self._changes: int | None = None
        self._removed = False
        self._log = structlog.get_logger("discordianai.conversations.postgres.maintenance")

    def note_removal(self) -> None:
        """Something was removed: its space is to be used again."""
        self._removed = True

    async def run(self) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(repeat, self.remove_expired, self._pace.retention)
            nursery.start_soon(repeat, self.vacuum, self._pace.vacuum)
            await repeat(self._tick, 0.0)

    async def _tick(self) -> None:
        self._database.writes.check()
        if not self._database.writes.writable and not await self._database.recover():
            await trio.sleep(self._pace.retry)
            return
        await self.show_life()
        await trio.sleep(self._pace.sign_of_life)

    async def show_life(self) -> None:
        """Renew the lease, and see whether others have changed something meanwhile."""
        try:
            changes, at = await self._database.write(Write(bookkeeping_table.changes(), deferrable=False))
        except StoreError:
            return  # logged, and in the database's health
        self._database.steady_time.note(at)
        if self._changes is not None and changes != self._changes:
            self._changed()
        self._changes = changes

    async def remove_expired(self) -> None:
        """Remove what is too old, until nothing is left to do."""
        with suppress(StoreError):  # logged, and in the database's health; the next round goes on
            for step, size in removal.expired(self._clock(), self._ttl):
                done = size
                while done >= size:
                    done = await self._database.write(Write(step, deferrable=False))
                    self._removed = self._removed or bool(done)
                    await trio.sleep(self._pace.step)
            await self._database.write(Write(processes_table.sweep(), deferrable=False))

    async def vacuum(self) -> None:
        """Let the space of what was removed be used again.

        The server does it by itself, but for one person's turns in a large table not before long.

        Where the tables belong to another user, the server skips them.
        """
        if not self._removed or not self._database.writes.writable:
            return
        self._removed = False
        try:
            await self._database.vacuum(VACUUMED, VACUUM_WITHIN)
        except (psycopg.Error, OSError, StoreError) as error:
            self._log.debug("tables not vacuumed", reason=self._database.reason(error))
