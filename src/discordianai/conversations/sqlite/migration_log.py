"""What the bot logs while an older database is migrated."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import trio

from discordianai.conversations.sqlite.migrations import Report

EVERY = 5.0
"""Seconds between two lines."""


@contextmanager
def logged_migration(
    ask_for_time: Callable[[], object], clock: Callable[[], float] = time.monotonic
) -> Iterator[Report]:
    """Provides the report for a migration in the block, which runs in a thread of trio's.

    With each line `ask_for_time` is called on the trio thread: systemd may need to know.
    The report ends the migration when the task that waits for the thread is cancelled.
    """
    log = structlog.get_logger("discordianai.conversations.sqlite.migration_log")
    began = next_at = clock()
    making = 0

    def report(schema: int) -> None:
        nonlocal making, next_at
        trio.from_thread.check_cancelled()
        now = clock()
        if schema != making:
            making = schema
            log.info("migrating the database to a newer schema", schema=schema)
        elif now >= next_at:
            log.info("still migrating the database", schema=schema, seconds=round(now - began))
        else:
            return
        next_at = now + EVERY
        trio.from_thread.run_sync(ask_for_time)

    yield report
    if making:
        log.info("database migrated", schema=making, seconds=round(clock() - began))
