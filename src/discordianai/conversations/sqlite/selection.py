"""Which turns an operator selects, and where they are.

Turns are stored by conversation. A selection is processed conversation by conversation, in the order of their
ids, each with a query of its own: memory is bounded by one conversation, and every transaction is short.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from discordianai.conversations.sqlite.turns_table import range_of

PAGE = 500
"""Conversations that are looked up together."""

_EVERYTHING = "SELECT id FROM conversations WHERE id > ? ORDER BY id LIMIT ?"
_OF_CHANNEL = "SELECT id FROM conversations WHERE channel_id = ? AND id > ? ORDER BY id LIMIT ?"
_OF_PERSON = """
    SELECT DISTINCT conversation_id FROM participants WHERE person_id = ? AND conversation_id > ?
    ORDER BY conversation_id LIMIT ?
"""
_OF_GUILD = """
    SELECT DISTINCT conversation_id FROM participants INDEXED BY participants_by_conversation
    WHERE guild_id = ? AND conversation_id > ? ORDER BY conversation_id LIMIT ?
"""  # in the order of that index, or each page would sort all that the server has


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person said and was told, or what was said in a server, in a channel, or before a time in
    seconds since the epoch; else everything.

    Under the scope `user` a conversation spans all channels, and belongs to none.
    """

    person_id: int | None = None
    guild_id: int | None = None
    channel_id: int | None = None
    before: float | None = None

    def count(self, connection: sqlite3.Connection) -> int:
        """How many turns it has."""
        condition, values = self.condition
        count = f"SELECT count(*) FROM turns WHERE {condition}"  # noqa: S608  # our own clauses
        if self in {Selection(), Selection(before=self.before)}:
            return int(connection.execute(count, values).fetchone()[0])  # an index has it
        return sum(
            connection.execute(
                f"{count} AND id BETWEEN ? AND ?", (*values, *range_of(conversation))
            ).fetchone()[0]
            for conversation in self.conversations(connection)
        )

    def conversations(self, connection: sqlite3.Connection) -> Iterator[int]:
        """The ids of the conversations that may hold such turns, ascending."""
        select, values = self._source
        last = 0
        while page := connection.execute(select, (*values, last, PAGE)).fetchall():
            for (conversation,) in page:
                yield conversation
            last = conversation

    @property
    def _source(self) -> tuple[str, tuple[int, ...]]:
        if self.person_id is not None:
            return _OF_PERSON, (self.person_id,)
        if self.guild_id is not None:
            return _OF_GUILD, (self.guild_id,)
        if self.channel_id is not None:
            return _OF_CHANNEL, (self.channel_id,)
        return _EVERYTHING, ()

    @property
    def condition(self) -> tuple[str, tuple[float, ...]]:
        """The condition in SQL that its turns fulfil, and the values for it."""
        if self.person_id is not None:
            return "turns.person_id = ?", (self.person_id,)
        if self.guild_id is not None:
            return "turns.guild_id = ?", (self.guild_id,)
        if self.before is not None:
            return "turns.at < ?", (self.before,)
        return "true", ()
