"""What the running bot tells while an older database is being brought to the newest schema."""

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
    """Gives the report for a migration in the block, which runs in a thread of trio's.

    With each line `ask_for_time` is called on the trio thread: whoever waits for the bot may have to know.
    The report ends the migration when the task that waits for the thread is cancelled.
    """
    log = structlog.get_logger("discordianai.conversations")
    began = next_at = clock()
    making = 0

    def report(schema: int) -> None:
        nonlocal making, next_at
        trio.from_thread.check_cancelled()
        now = clock()
        if schema != making:
            making = schema
            log.info("the database is being brought to a newer schema", schema=schema)
        elif now >= next_at:
            log.info("the database is still being brought to it", schema=schema, seconds=round(now - began))
        else:
            return
        next_at = now + EVERY
        trio.from_thread.run_sync(ask_for_time)

    yield report
    if making:
        log.info("the database is up to date now", schema=making, seconds=round(clock() - began))
