"""A move that is stopped anywhere goes on, and is exact in the end, whatever is stored."""

import inspect
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from discordianai.conversations.database_url import parse
from discordianai.conversations.moving import tables
from discordianai.conversations.moving.move import Move, MovedTable
from discordianai.conversations.moving.port import Rows
from discordianai.conversations.moving.tables import TABLES, Digest, Key, Table
from discordianai.conversations.opening import open_for_move, open_for_reading
from discordianai.conversations.operator_port import DatabaseOnServer, Location, Selection
from discordianai.conversations.sqlite.connections import connect
from discordianai.conversations.sqlite.migrations import migrate
from discordianai.conversations.store import StoreError
from discordianai.sandbox.postgres_cluster import ROLE, SUPERUSER, Cluster
from tests.postgres import PostgresDatabase, new_database

Report = Callable[[int, int], None]


class Stopped(BaseException):
    """As Ctrl-C."""


def silent(_done: int, _total: int) -> None:
    """For whoever wants no report."""


def stopping(after: int) -> Report:
    """Stops at that report."""
    left = [after]

    def report(_done: int, _total: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped

    return report


def moved(origin: Location, destination: Location, report: Report = silent) -> tuple[MovedTable, ...]:
    with open_for_move(origin, destination) as (source, target):
        move = Move(source, target)
        if not target.is_complete:
            move.copy(report)
        found = move.verify(report)
        if not target.is_complete:
            source.refuse_changes()
            target.finish()
        return found


def exported(location: Location) -> list[str]:
    with open_for_reading(location) as database:
        return list(database.exported(Selection(), silent))


def exported_of(location: Location, person_id: int) -> list[str]:
    with open_for_reading(location) as database:
        return list(database.exported(Selection(person_id=person_id), silent))


def on_server(database: PostgresDatabase) -> DatabaseOnServer:
    return DatabaseOnServer(parse(database.url), SecretStr(database.password))


@dataclass(frozen=True)
class Said:
    """A turn of a conversation."""

    person_id: int
    guild_id: int
    at: float
    role: str
    text: str


Conversation = tuple[int, int, bool]

IDS = st.integers(0, 5) | st.integers(1, 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\0", "\\N", "\\.", "a\tb\nc\r", "\x10@", "👩‍👩‍👧", "é", "", "\u2028", "'; --", "%s"]
)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
"""Of days, providers and models."""

TIMES = st.floats(0, 4e9) | st.sampled_from([0.0, 1e-300, 1.7e9 + 1 / 3, -1.5])
SAID = st.builds(Said, IDS, IDS, TIMES, st.sampled_from(["user", "assistant"]), TEXTS)
CONVERSATIONS = st.dictionaries(
    st.tuples(IDS, IDS, st.booleans()), st.lists(SAID, min_size=1, max_size=6), max_size=6
)


@dataclass(frozen=True)
class Contents:
    """What a file has: conversations, and rows of other tables by name."""

    conversations: dict[Conversation, list[Said]]
    rows: dict[str, list[tuple[object, ...]]]
    key: bytes | None


def unique(
    strategy: st.SearchStrategy[tuple[object, ...]], key: int
) -> st.SearchStrategy[list[tuple[object, ...]]]:
    return st.lists(strategy, max_size=4, unique_by=lambda row: row[:key])


COUNTS = st.integers(0, 2**62)
STATES = st.integers(0, 3)
CONTENTS = st.builds(
    Contents,
    CONVERSATIONS,
    st.fixed_dictionaries(
        {
            "questions": unique(
                st.tuples(
                    IDS, STATES, IDS, TEXTS, st.none() | IDS, IDS, IDS, TEXTS, st.booleans(), TIMES,
                    st.none() | TEXTS, TEXTS, TEXTS, TEXTS, st.none() | TIMES, TEXTS, st.integers(-5, 5),
                ),
                1,
            ),
            "usage": unique(
                st.tuples(NAMES, IDS, IDS, NAMES, NAMES, *[COUNTS] * 7),
                5,
            ),
            "forgotten": unique(st.tuples(IDS, TEXTS), 1),
            "channels": unique(st.tuples(IDS, IDS, TEXTS, TEXTS, IDS), 1),
            "guilds": unique(st.tuples(IDS, st.none() | TIMES), 1),
        }
    ),
    st.none() | st.binary(min_size=32, max_size=32),
)  # fmt: skip


def write(path: Path, contents: Contents) -> None:
    """A file with these contents, as the store would have it."""
    with closing(connect(path, cache_kib=256)) as connection:
        migrate(connection)
        connection.execute("UPDATE bookkeeping SET identifier_key = ?", (contents.key,))
        for number, (key, turns) in enumerate(contents.conversations.items(), 1):
            add_conversation(connection, number, key, turns)
        for table, rows in contents.rows.items():
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608  # our own names


def add_conversation(
    connection: sqlite3.Connection, number: int, key: Conversation, turns: list[Said]
) -> None:
    connection.execute("INSERT INTO conversations VALUES (?, ?, ?, ?)", (number, *key))
    for place, said in enumerate(turns):
        connection.execute(
            "INSERT INTO turns (id, person_id, guild_id, role, at, text) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (number << 32) + 2 * place, said.person_id, said.guild_id, said.role, said.at, said.text,
            ),
        )  # fmt: skip
        connection.execute(
            "INSERT OR IGNORE INTO participants VALUES (?, ?, ?)", (said.person_id, said.guild_id, number)
        )


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(connect(path, cache_kib=256)) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608  # our own
            for name in names
            if not name.startswith("sqlite_")
        }


@settings(
    max_examples=4,  # each with a new database on the server, two files and two moves
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(contents=CONTENTS)
def test_whatever_is_stored_comes_back_the_same(
    postgres_cluster: object, postgres_database: PostgresDatabase, contents: Contents
) -> None:
    """All rows of all tables, all ids, all lines of an export, all hashes."""
    with new_database(postgres_database.cluster) as database, TemporaryDirectory() as folder:
        there, back = Path(folder) / "there.sqlite3", Path(folder) / "back.sqlite3"
        write(there, contents)
        server = on_server(database)
        hashes = moved(there, server)
        assert exported(server) == exported(there)
        assert moved(server, back) == hashes
        assert exported(back) == exported(there)
        assert everything(back) == everything(there)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit for every conversation, or every two other rows."""
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten conversations of three turns, and some rows of each other table."""
    path = tmp_path / "file.sqlite3"
    said = [Said(1, 2, 3.5, "user", "why"), Said(1, 2, 4.5, "assistant", "so"), Said(1, 2, 5.5, "user", "ah")]
    usage = ("2026-11-26", 0, 0, "openai", "gpt", 1, 2, 3, 4, 5, 6, 7)
    question = (0, 0, 1, "Ann", None, 2, 3, "token", False, 4.5, None, "why", "", "", None, "{}", 1)
    contents = Contents(
        {(person, 7, False): said for person in range(1, 11)},
        {
            "usage": [(*usage[:1], number, *usage[2:]) for number in range(5)],
            "questions": [(number, *question[1:]) for number in range(5)],
            "guilds": [(number, None) for number in range(5)],
        },
        bytes(32),
    )
    write(path, contents)
    return path


def there_and_back(file: Path, database: PostgresDatabase, direction: str) -> tuple[Location, Location]:
    """Origin and destination of a move in that direction."""
    if direction == "to the server":
        return file, on_server(database)
    moved(file, on_server(database))
    return on_server(database), file.with_name("back.sqlite3")


@pytest.fixture
def english(postgres_cluster: Cluster) -> Iterator[PostgresDatabase]:
    """A database that sorts `a` before `B`."""
    name = "test_english"
    postgres_cluster.sql(
        f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
        SUPERUSER,
    )
    try:
        yield PostgresDatabase(postgres_cluster, name)
    finally:
        postgres_cluster.drop_database(name)


def test_keys_are_in_the_same_order_whatever_the_server_sorts_by(
    english: PostgresDatabase, small_batches: None, tmp_path: Path
) -> None:
    """Also where a move goes on after one of them."""
    file, back = tmp_path / "file.sqlite3", tmp_path / "back.sqlite3"
    names = ("b", "B", "a", "A", "é", "_", "z", "gpt-5", "gpt5")
    usage: list[tuple[object, ...]] = [
        ("2026-11-26", 1, 2, name, other, *[3] * 7) for name in names for other in names
    ]
    write(file, Contents({}, {"usage": usage}, None))
    expected = exported_of(file, 1)
    for origin, destination in ((file, on_server(english)), (on_server(english), back)):
        with pytest.raises(Stopped):
            moved(origin, destination, stopping(20))
        moved(origin, destination)
        assert exported_of(destination, 1) == expected


DIRECTIONS = pytest.mark.parametrize("direction", ["to the server", "to a file"])


@DIRECTIONS
def test_stopped_at_any_report_it_goes_on_exactly(
    file: Path, postgres_database: PostgresDatabase, small_batches: None, direction: str
) -> None:
    """A little further each time, until it is through."""
    origin, destination = there_and_back(file, postgres_database, direction)
    expected = exported(origin)
    for after in range(200):
        try:
            found = moved(origin, destination, stopping(after))
        except Stopped:
            with pytest.raises(StoreError, match="a move of conversations into it is not complete"):
                exported(destination)
            continue
        break
    assert after > 10
    assert exported(destination) == expected == exported(origin)
    assert moved(origin, destination) == found


@DIRECTIONS
def test_a_stopped_move_has_ended_its_reads_before_it_closes_the_ends(
    file: Path, postgres_database: PostgresDatabase, small_batches: None, direction: str
) -> None:
    """Otherwise Python ends them at some later time, on a closed connection, and prints a traceback."""
    origin, destination = there_and_back(file, postgres_database, direction)
    with open_for_move(origin, destination) as (source, target):
        read, reads = source.rows, []

        def rows(table: Table, after: Key | None = None, until: Key | None = None) -> Rows:
            reads.append(read(table, after, until))
            return reads[-1]

        with (
            patch.object(source, "rows", rows),
            patch.object(target, "add", side_effect=Stopped),
            pytest.raises(Stopped) as stopped,  # noqa: F841  # what it keeps alive is not ended by chance
        ):
            Move(source, target).copy(silent)
        assert [inspect.getgeneratorstate(each) for each in reads] == [inspect.GEN_CLOSED]


@DIRECTIONS
def test_what_is_there_is_not_moved_again(
    file: Path, postgres_database: PostgresDatabase, small_batches: None, direction: str
) -> None:
    origin, destination = there_and_back(file, postgres_database, direction)
    with pytest.raises(Stopped):
        moved(origin, destination, stopping(5))
    with open_for_move(origin, destination) as (source, target):
        move = Move(source, target)
        move.copy(silent)
        assert move.resumed == 18
        assert move.total == 45


@DIRECTIONS
@pytest.mark.parametrize("change", ["removed", "changed", "added before", "added behind", "nothing"])
def test_what_changed_in_the_source_since_is_not_missed(
    file: Path, postgres_database: PostgresDatabase, small_batches: None, direction: str, change: str
) -> None:
    """As when a bot ran on it between two runs, and somebody was forgotten."""
    origin, destination = there_and_back(file, postgres_database, direction)
    with pytest.raises(Stopped):
        moved(origin, destination, stopping(5))
    if isinstance(origin, Path):
        change_file(origin, change)
    else:
        change_server(postgres_database, change)
    moved(origin, destination)
    assert exported(destination) == exported(origin)


def change_file(file: Path, change: str) -> None:
    with closing(connect(file, cache_kib=256)) as connection:
        if change == "removed":
            connection.executescript(
                "DELETE FROM turns WHERE id >> 32 = 1; DELETE FROM conversations WHERE id = 1;"
                " DELETE FROM participants WHERE conversation_id = 1; DELETE FROM usage WHERE person_id = 1"
            )
        if change == "changed":
            connection.execute("UPDATE turns SET text = 'what' WHERE id = 1 << 32")
            connection.execute("UPDATE guilds SET left_at = 1.0")
        if change == "added before":
            add_conversation(connection, 11, (0, 7, False), [Said(1, 2, 3.0, "user", "new")])
        if change == "added behind":
            add_conversation(connection, 11, (99, 7, False), [Said(1, 2, 3.0, "user", "new")])


def change_server(database: PostgresDatabase, change: str) -> None:
    add = (
        "INSERT INTO turns (conversation_person_id, conversation_channel_id, private, person_id, guild_id,"
        " at, role, text, attachments) VALUES ({}, 7, false, 1, 2, 3.0, 'user', 'new', '')"
    )
    statements = {
        "removed": "DELETE FROM turns WHERE person_id = 1 AND conversation_person_id < 3",
        "changed": "UPDATE turns SET text = 'what' WHERE conversation_person_id = 1",
        "added before": add.format(0),
        "added behind": add.format(99),
        "nothing": "SELECT 1",
    }
    database.sql(statements[change])


@DIRECTIONS
def test_what_differs_in_the_end_is_told_and_not_completed(
    file: Path, postgres_database: PostgresDatabase, direction: str
) -> None:
    origin, destination = there_and_back(file, postgres_database, direction)
    with open_for_move(origin, destination) as (source, target):
        move = Move(source, target)
        move.copy(silent)
        target.clear(TABLES[-1])
        with pytest.raises(StoreError, match="^guilds differs: 5 rows in .*, 0 in "):
            move.verify(silent)
    with pytest.raises(StoreError, match="a move of conversations into it is not complete"):
        exported(destination)
    moved(origin, destination)
    assert exported(destination) == exported(origin)


@DIRECTIONS
def test_a_second_move_onto_the_same_target_is_refused(
    file: Path, postgres_database: PostgresDatabase, small_batches: None, direction: str, tmp_path: Path
) -> None:
    """The first one goes on, and another one can begin when it has ended."""
    origin, destination = there_and_back(file, postgres_database, direction)
    second: Location
    if isinstance(origin, Path):
        second = tmp_path / "copy.sqlite3"
        second.write_bytes(origin.read_bytes())
    else:
        second = origin
    with open_for_move(origin, destination) as (source, target):
        with pytest.raises(StoreError, match="another move"), open_for_move(second, destination):
            raise AssertionError
        move = Move(source, target)
        move.copy(silent)
        move.verify(silent)
    moved(second, destination)


def test_a_value_is_hashed_by_what_it_is() -> None:
    """The same whatever engine gives it; different for different values, also across columns."""
    table = tables.FORGOTTEN

    def of(*row: object) -> str:
        digest = Digest(table)
        digest.add([row])
        return digest.sha256

    assert of(True, "x") == of(1, "x")
    assert of(1.0, "x") != of(1, "x")
    different = [
        (1, "x"),
        (1, "y"),
        ("1", "x"),
        (1, None),
        (1, ""),
        (1, b"x"),
        ("1x", ""),
        (0.0, ""),
        (-0.0, ""),
    ]
    assert len({of(*row) for row in different}) == len(different)
    assert of(0.1, "") == of(struct.unpack(">d", struct.pack(">d", 0.1))[0], "")


def test_batches_end_between_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 3)
    rows = [(1, 1, 0, "x")] * 2 + [(1, 2, 0, "x")] * 5 + [(2, 1, 0, "x")]
    assert [len(batch) for batch in tables.batches(tables.TURNS, rows)] == [7, 1]
    monkeypatch.setattr(tables, "BATCH_CHARACTERS", 1)
    assert [len(batch) for batch in tables.batches(tables.TURNS, rows)] == [2, 5, 1]
