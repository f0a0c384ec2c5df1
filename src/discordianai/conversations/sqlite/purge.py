"""Removes what an operator names, beside a bot that may be running. Synchronous.

Each step is a short transaction that also increments `purges`, which tells a running bot that its cache is
out of date and that its log must be emptied (see `maintenance`). A write of the bot waits while a step runs;
there is a pause after each step, so that few do. Where no bot runs, the log is emptied here, under the bot's
lock, which is held only for that moment: a bot that starts waits for it.
"""

import sqlite3
import time
from pathlib import Path

from discordianai.conversations.operator_port import Report, Selection
from discordianai.conversations.sqlite import bookkeeping_table, checkpoints, removal, residues
from discordianai.conversations.sqlite.connections import transaction
from discordianai.conversations.sqlite.files import DatabaseLock, bot_is_running
from discordianai.conversations.sqlite.operator_access import PATIENCE
from discordianai.conversations.sqlite.removal import Step
from discordianai.conversations.sqlite.turns_table import Removed
from discordianai.conversations.store import StoreError

PAUSE = 2.0
"""Between two steps while a bot runs, as a multiple of the time the step took: the file is free two thirds of
the time."""

LEAST_PAUSE = 0.005

SHRINK_PAGES = 1024
"""Pages of 4 KiB returned to the file system in one step, where no bot waits for it."""

CHECK_EVERY = 0.5
"""Seconds between two checks whether a bot runs."""

LONGEST_LOG = 16 * 2**20
"""Bytes in the log after which it is emptied, where no bot does."""

LONGEST_EMPTYING = 5.0
"""Seconds that the last emptying waits for other commands that read."""

RETRY = 0.05
"""Seconds that one try waits for them, while it holds the bot's lock; and between two tries."""


class FilePurge:
    """One run over a file: see `operator_port.Purge`. `descriptor` is of `residues.opened`.

    Each call raises `sqlite3.Error`, which `operator_connection` turns into a `StoreError`; what was removed
    until then stays removed.
    """

    def __init__(self, database: Path, connection: sqlite3.Connection, descriptor: int) -> None:
        self._database = database
        self._descriptor = descriptor
        self._log = database.with_name(database.name + "-wal")
        self._connection = connection
        self._next_check = 0.0
        self._bot = False

    def remove(self, selection: Selection, expected: int, report: Report) -> int:
        """Remove the turns, about `expected`, and what belongs to them; how many turns it was."""
        turns = 0
        for step in removal.of_selection(self._connection, selection, time.time()):
            more = True
            while more:
                removed = self._take(step)
                turns, more = turns + removed.turns, removed.more
                report(min(turns, expected), expected)
        return turns

    def shrink(self, report: Report) -> None:
        """Return free pages to the file system. A running bot does this by itself."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        done = 0
        while not self.bot_is_running() and (pages := removal.vacuum(self._connection, SHRINK_PAGES)):
            done += pages
            report(done, free)
            self._keep_log_short()

    def empty_log(self, patience: float = LONGEST_EMPTYING) -> bool:
        """Whether nothing of what was removed is left in the files. While a bot runs, that is its work."""
        if bot_is_running(self._database):
            return False
        deadline = time.monotonic() + patience
        return all(self._clear(part, deadline) for part in residues.parts(residues.find(self._descriptor)))

    def finish(self) -> str:
        """See `operator_port.Purge.finish`."""
        if self.empty_log():
            return ""
        if self.bot_is_running():
            return "the bot notices within a second or two and clears them from its memory and its log"
        return (
            "another command is reading the database, so they are still in its log; the bot's next start"
            " clears it"
        )

    def bot_is_running(self) -> bool:
        """As of the last check."""
        if time.monotonic() >= self._next_check:
            self._bot = bot_is_running(self._database)
            self._next_check = time.monotonic() + CHECK_EVERY
        return self._bot

    def _take(self, step: Step) -> Removed:
        began = time.monotonic()
        with transaction(self._connection):
            removed = step(self._connection)
            bookkeeping_table.count_purge(self._connection)
        if self.bot_is_running():
            time.sleep(max(PAUSE * (time.monotonic() - began), LEAST_PAUSE))
        else:
            self._keep_log_short()
        return removed

    def _keep_log_short(self) -> None:
        if self._log.exists() and self._log.stat().st_size > LONGEST_LOG:
            self._clear(set(), time.monotonic())

    def _clear(self, pages: set[int], deadline: float) -> bool:
        """Empty the log, and overwrite what is left in these pages, trying again until the deadline."""
        if not self._log.exists() and self._overwrite_without_log(pages):
            return True
        while True:
            try:
                lock = DatabaseLock(self._database)
            except StoreError:
                return False
            try:
                if self._checkpoint(pages):
                    return True
            finally:
                lock.release()
            if time.monotonic() >= deadline:
                return False
            time.sleep(RETRY)

    def _checkpoint(self, pages: set[int]) -> bool:
        """Move the log into the file and empty it. For why something is written first, see `checkpoints`."""
        self._wait_for_others(RETRY)
        try:
            changed = residues.changed(self._log, self._descriptor)
            if not checkpoints.probe_unless_busy(self._connection):
                return False
            (busy, _, _) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                return False
        finally:
            self._wait_for_others(PATIENCE)
        residues.overwrite(self._descriptor, pages | changed)
        return True

    def _overwrite_without_log(self, pages: set[int]) -> bool:
        """In a backup, which is one file, others write into that file; not while this transaction lasts.

        False where it has a log all the same.
        """
        with transaction(self._connection):
            (mode,) = self._connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                residues.overwrite(self._descriptor, pages)
            return bool(mode != "wal")

    def _wait_for_others(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {1000 * seconds:.0f}").fetchall()
