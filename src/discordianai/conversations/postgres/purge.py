"""Removes what an operator names from a PostgreSQL database, beside bots that may be running. Synchronous.

Each step is a short transaction. Bots keep no conversations in memory with PostgreSQL, so what is removed is
gone for all of them at once.
"""

import time
from collections.abc import Iterator
from typing import LiteralString

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.operator_port import Report, Selection
from discordianai.conversations.postgres import removal, turns_table
from discordianai.conversations.postgres.batches import Batch, Row
from discordianai.conversations.postgres.connections import PostgresConnection

STEP_WITHIN = 60.0
"""Seconds for one step, which takes milliseconds where nobody holds a lock."""

LONG_WITHIN = 3600.0
"""Seconds for what looks at a whole table."""

PEOPLE = 100
"""Whose sums are made anonymous in one step."""

VACUUMED: tuple[LiteralString, ...] = ("turns", "questions", "usage")

_EVERYBODY: LiteralString = "SELECT DISTINCT person_id FROM usage WHERE person_id <> 0"

_OF_CHANNEL: LiteralString = (
    "SELECT DISTINCT conversation_person_id, private FROM turns"
    " WHERE conversation_channel_id = %(channel_id)s"
)
"""There is no index of channels alone."""

_NEXT: LiteralString = """
    WITH gone AS (
        DELETE FROM turns
        WHERE id = ANY (ARRAY(
            SELECT id FROM turns WHERE id > %(last)s ORDER BY id LIMIT %(step)s FOR UPDATE
        ))
        RETURNING id
    )
    SELECT count(*), max(id) FROM gone
"""
"""In the order of ids, or each step would look again at what former ones removed."""


class ServerPurge:
    """See `Purge`."""

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection

    def remove(self, selection: Selection, expected: int, report: Report) -> int:
        """See `Purge.remove`."""
        turns = 0
        for removed in self._steps(selection, time.time()):
            turns += removed
            report(min(turns, expected), expected)
        return turns

    def shrink(self, report: Report) -> None:
        """See `Purge.shrink`. The server uses the space again; its files shrink only at their ends."""
        for number, table in enumerate(VACUUMED):
            report(number, len(VACUUMED))
            with self._connection.within(LONG_WITHIN):
                self._connection.execute(f"VACUUM (SKIP_LOCKED) {table}")

    def finish(self) -> str:
        """See `Purge.finish`."""
        return (
            "for the bot they are gone; PostgreSQL overwrites them by and by, and its write-ahead log,"
            " replicas and backups hold them for as long as they are kept"
        )

    def _steps(self, selection: Selection, now: float) -> Iterator[int]:
        """Take each step; how many turns it removed."""
        if selection.person_id is not None:
            self._take(removal.rest_of_person(selection.person_id, now))
            yield from self._again(turns_table.remove_of_person(selection.person_id))
        elif selection.guild_id is not None:
            self._take(removal.rest_of_guild(selection.guild_id, now))
            yield from self._again(turns_table.remove_of_guild(selection.guild_id))
        elif selection.channel_id is not None:
            self._take(removal.rest_of_channel(selection.channel_id, now))
            yield from self._of_channel(selection.channel_id)
        elif selection.before is not None:
            self._take(removal.rest_of_older(selection.before, now))
            yield from self._again(turns_table.remove_older(selection.before))
        else:
            yield from self._everything(now)

    def _again(self, step: Batch) -> Iterator[int]:
        removed = turns_table.STEP
        while removed >= turns_table.STEP:
            removed = self._take(step)
            yield removed

    def _of_channel(self, channel_id: int) -> Iterator[int]:
        for person_id, private in self._rows(_OF_CHANNEL, {"channel_id": channel_id}):
            yield self._take(turns_table.remove(ConversationKey(channel_id, person_id, private)))

    def _everything(self, now: float) -> Iterator[int]:
        self._take(removal.rest_of_everybody(now))
        people = [number for (number,) in self._rows(_EVERYBODY, {})]
        for some in (people[first : first + PEOPLE] for first in range(0, len(people), PEOPLE)):
            self._take(removal.sums_of(some, now))
        last: int | None = -1
        while last is not None:
            ((removed, last),) = self._rows(_NEXT, {"last": last, "step": turns_table.STEP})
            yield removed

    def _rows(self, statement: LiteralString, values: dict[str, object]) -> list[Row]:
        with self._connection.within(LONG_WITHIN):
            return self._connection.execute(statement, values).fetchall()

    def _take(self, batch: Batch) -> int:
        """Run a step; how many turns it removed."""
        rows: list[Row] = []
        with self._connection.within(STEP_WITHIN), self._connection.transaction():
            for statement, values in batch.statements:
                cursor = self._connection.execute(statement, values)
                rows = cursor.fetchall() if cursor.description else []
        return int(batch.result(rows) or 0)
