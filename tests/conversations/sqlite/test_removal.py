"""What is removed together, step by step."""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from discordianai.conversations.conversation_key import EVERYBODY, ConversationKey
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.pending_questions import QuestionAndAnswer
from discordianai.conversations.sqlite import questions_table, removal, turns_table
from discordianai.conversations.sqlite.connections import open_connections, transaction
from discordianai.conversations.sqlite.files import DatabaseLock, lock_path
from discordianai.system_clock import ClockReading
from tests.conversations.builders import DATABASE, NOW, exchange, question

CHANNELS, PEOPLE, MAX_TURNS = 10, 150, 50


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connections = open_connections(tmp_path / DATABASE)
    connections.writer.execute("PRAGMA synchronous = OFF")
    yield connections.writer
    connections.close()


def fill(connection: sqlite3.Connection) -> None:
    """Shared channels of two servers, in which most people's turns have rolled out."""
    with transaction(connection):
        for channel_id in range(1, CHANNELS + 1):
            key = ConversationKey(channel_id, EVERYBODY)
            for person_id in range(1, PEOPLE + 1):
                said = QuestionAndAnswer(key, exchange(person_id), person_id, 7 + channel_id % 2)
                turns_table.append(connection, said, MAX_TURNS)


def count(connection: sqlite3.Connection, table: str, condition: str = "true") -> int:
    select = f"SELECT count(*) FROM {table} WHERE {condition}"  # noqa: S608  # our own
    return int(connection.execute(select).fetchone()[0])


@pytest.mark.parametrize(
    ("selection", "turns"),
    [
        (Selection(guild_id=7), CHANNELS // 2 * MAX_TURNS),
        (Selection(person_id=PEOPLE), CHANNELS * 2),
        (Selection(channel_id=3), MAX_TURNS),
        (Selection(before=NOW + PEOPLE), CHANNELS * (MAX_TURNS - 2)),
        (Selection(), CHANNELS * MAX_TURNS),
    ],
    ids=["server", "person", "channel", "older", "everything"],
)
def test_every_step_is_small_and_together_they_take_all_and_nothing_else(
    connection: sqlite3.Connection, selection: Selection, turns: int
) -> None:
    """Also where participants are many more than turns: each step looked at all of them once."""
    fill(connection)
    before = count(connection, "turns")
    assert removal.count(connection, selection) == turns
    ticks, most = 0, 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    removed = 0
    for step in removal.of_selection(connection, selection, NOW):
        more = True
        while more:
            ticks = 0
            connection.set_progress_handler(tick, 1000)
            with transaction(connection):
                done = step(connection)
            connection.set_progress_handler(None, 0)
            assert done.turns <= 200
            most = max(most, ticks)
            removed, more = removed + done.turns, done.more
    assert removed == turns
    assert most < 15  # thousand instructions: a millisecond or two
    assert removal.count(connection, selection) == 0
    assert count(connection, "turns") == before - turns
    left = "SELECT id >> 32 FROM turns"
    assert count(connection, "conversations", f"id NOT IN ({left})") == 0
    assert count(connection, "participants", f"conversation_id NOT IN ({left})") == 0


@pytest.mark.parametrize(
    ("selection", "forgotten"),
    [
        (Selection(person_id=10), [1]),
        (Selection(guild_id=8), [2]),
        (Selection(channel_id=5), [3]),
        (Selection(before=NOW), [4]),
        (Selection(), [1, 2, 3, 4]),
    ],
    ids=["person", "server", "channel", "older", "everything"],
)
def test_open_questions_are_erased_with_what_they_belong_to(
    connection: sqlite3.Connection, selection: Selection, forgotten: list[int]
) -> None:
    asked = [
        question(1, person_id=10),
        question(2, person_id=11, guild_id=8),
        replace(question(3, person_id=11), place=replace(question(3).place, channel_id=5)),
        replace(question(4, person_id=11), address=replace(question(4).address, acknowledged_at=NOW - 1)),
    ]
    for one in asked:
        questions_table.insert(connection, one, ClockReading.now())
    for step in removal.of_selection(connection, selection, NOW):
        while step(connection).more:
            pass
    left = {
        entry.question.address.interaction_id
        for entry in questions_table.unfinished(connection, ClockReading.now())
    }
    assert left == {1, 2, 3, 4} - set(forgotten)


def test_a_conversation_that_got_the_number_of_a_removed_one_is_left_alone(
    connection: sqlite3.Connection,
) -> None:
    """As when the bot begins another while a purge of channel 1 goes on."""
    key = ConversationKey(2, 10)
    turns_table.append(connection, QuestionAndAnswer(key, exchange(1), 10, 7), MAX_TURNS)
    conversations = deque(removal.conversations(connection, Selection(channel_id=2)))
    assert turns_table.remove_of_channel(connection, 1, conversations).turns == 0
    assert not conversations
    assert count(connection, "turns") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave files of another's")
def test_a_lock_that_root_leaves_belongs_to_the_owner_of_the_database(tmp_path: Path) -> None:
    database = tmp_path / DATABASE
    database.touch()
    os.chown(database, 12345, 12346)
    DatabaseLock(database).release()
    owner = lock_path(database).stat()
    assert (owner.st_uid, owner.st_gid) == (12345, 12346)
