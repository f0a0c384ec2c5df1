"""What an operator selects, and what is removed together, in steps of a few milliseconds.

Turns are stored by conversation. A selection is processed conversation by conversation, in the order of their
ids, each with a query of its own: memory is bounded by one conversation, and every transaction is short.

Each step runs in a transaction of its caller's, again and again while it says that there is more. What
answers cost stays in the accounts, without the people who are forgotten.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator

from discordianai.conversations.accounting import day_of
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.sqlite import channels_table, questions_table, turns_table, usage_table
from discordianai.conversations.sqlite.turns_table import Removed, range_of

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


def count(connection: sqlite3.Connection, selection: Selection) -> int:
    """How many turns a selection has."""
    where, values = condition(selection)
    count = f"SELECT count(*) FROM turns WHERE {where}"  # noqa: S608  # our own clauses
    if selection in {Selection(), Selection(before=selection.before)}:
        return int(connection.execute(count, values).fetchone()[0])  # an index has it
    return sum(
        connection.execute(f"{count} AND id BETWEEN ? AND ?", (*values, *range_of(conversation))).fetchone()[
            0
        ]
        for conversation in conversations(connection, selection)
    )


def conversations(connection: sqlite3.Connection, selection: Selection) -> Iterator[int]:
    """The ids of the conversations that may hold turns of a selection, ascending."""
    select, values = _source(selection)
    last = 0
    while page := connection.execute(select, (*values, last, PAGE)).fetchall():
        for (conversation,) in page:
            yield conversation
        last = conversation


def _source(selection: Selection) -> tuple[str, tuple[int, ...]]:
    if selection.person_id is not None:
        return _OF_PERSON, (selection.person_id,)
    if selection.guild_id is not None:
        return _OF_GUILD, (selection.guild_id,)
    if selection.channel_id is not None:
        return _OF_CHANNEL, (selection.channel_id,)
    return _EVERYTHING, ()


def condition(selection: Selection) -> tuple[str, tuple[float, ...]]:
    """The condition in SQL that the turns of a selection fulfil, and the values for it."""
    if selection.person_id is not None:
        return "turns.person_id = ?", (selection.person_id,)
    if selection.guild_id is not None:
        return "turns.guild_id = ?", (selection.guild_id,)
    if selection.before is not None:
        return "turns.at < ?", (selection.before,)
    return "true", ()


Step = Callable[[sqlite3.Connection], Removed]

_NOTHING = Removed(0, more=False)

FREE_PAGES = 256
"""Pages of 4 KiB that stay free in the file, for the next turns."""

VACUUM_PAGES = 64
"""Pages returned to the file system in one step."""


def of_selection(connection: sqlite3.Connection, selection: Selection, now: float) -> tuple[Step, ...]:
    """The steps for a selection. `now` is in seconds since the epoch."""
    if selection.person_id is not None:
        return of_person(selection.person_id, now)
    if selection.guild_id is not None:
        return of_guild(selection.guild_id, now)
    if selection.channel_id is not None:
        return _of_channel(connection, selection.channel_id, now)
    if selection.before is not None:
        return _of_older(selection.before, now)
    return _of_everybody(connection, now)


def of_person(person_id: int, now: float) -> tuple[Step, ...]:
    """What a person said, was told, and set for direct messages, and the person's name on what it cost."""

    def forget_rest(connection: sqlite3.Connection) -> Removed:
        answering = questions_table.forget_person(connection, person_id, now)
        channels_table.forget_person(connection, person_id)
        usage_table.forget_person(connection, person_id, day_of(now), answering=answering)
        return _NOTHING

    return forget_rest, lambda connection: turns_table.remove_of_person(connection, person_id)


def of_guild(guild_id: int, now: float) -> tuple[Step, ...]:
    """All that was said and set in a server."""

    def forget_rest(connection: sqlite3.Connection) -> Removed:
        questions_table.forget_guild(connection, guild_id, now)
        channels_table.forget_guild(connection, guild_id)
        return _NOTHING

    return forget_rest, lambda connection: turns_table.remove_of_guild(connection, guild_id)


def _of_channel(connection: sqlite3.Connection, channel_id: int, now: float) -> tuple[Step, ...]:
    left = deque(conversations(connection, Selection(channel_id=channel_id)))

    def forget_questions(connection: sqlite3.Connection) -> Removed:
        questions_table.forget_channel(connection, channel_id, now)
        return _NOTHING

    return forget_questions, lambda c: turns_table.remove_of_channel(c, channel_id, left)


def _of_older(before: float, now: float) -> tuple[Step, ...]:
    def forget_questions(connection: sqlite3.Connection) -> Removed:
        questions_table.forget_older(connection, before, now)
        return _NOTHING

    def remove_older(connection: sqlite3.Connection) -> Removed:
        turns = turns_table.remove_older(connection, before)
        return Removed(turns, more=turns == turns_table.STEP)

    return forget_questions, remove_older


def _of_everybody(connection: sqlite3.Connection, now: float) -> tuple[Step, ...]:
    people = deque(usage_table.people(connection))
    left = deque(conversations(connection, Selection()))

    def forget_rest(connection: sqlite3.Connection) -> Removed:
        questions_table.forget_all(connection, now)
        channels_table.forget_people(connection)
        return _NOTHING

    def forget_spenders(connection: sqlite3.Connection) -> Removed:
        for _ in range(min(usage_table.STEP, len(people))):
            usage_table.forget_person(connection, people.popleft(), day_of(now))
        return Removed(0, more=bool(people))

    def remove_turns(connection: sqlite3.Connection) -> Removed:
        return turns_table.remove_of_channel(connection, None, left)

    return forget_rest, forget_spenders, remove_turns


def vacuum(connection: sqlite3.Connection, pages: int = VACUUM_PAGES) -> int:
    """Return up to `pages` free pages to the file system; how many it was."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free < FREE_PAGES + VACUUM_PAGES:
        return 0
    pages = min(pages, free - FREE_PAGES)
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return pages
