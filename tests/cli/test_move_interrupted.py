"""`conversations move` in a process of its own that is stopped, killed, or watched while it works."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from pydantic import SecretStr

from discordianai.cli.main import main
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.sqlite.connections import connect
from discordianai.conversations.sqlite.migrations import migrate
from discordianai.conversations.store import StoreError
from discordianai.sandbox.postgres_cluster import Cluster
from tests.cli.test_both_engines import password
from tests.cli.test_move import exported, hashes, move
from tests.conversations.disk_faults import make_faults
from tests.postgres import PostgresDatabase, new_database

pytestmark = pytest.mark.slow

__all__ = ["password"]

Captured = pytest.CaptureFixture[str]

SLOWLY = """
import sys, time
from discordianai.conversations.moving import tables

add = tables.Digest.add
tables.BATCH_ROWS = 2
tables.Digest.add = lambda self, rows: (time.sleep(0.05), add(self, rows))[1]
from discordianai.cli.main import main

sys.exit(main(sys.argv[1:]))
"""
"""A commit for each conversation, and a pause after it."""

TEXT = "What one says to the other, and what the other answers, with a few words more than that. " * 3


def fill(path: Path, people: int, messages: int) -> None:
    """A conversation of so many messages for each of so many people, and what it cost."""
    with closing(connect(path, cache_kib=20_000)) as connection:
        migrate(connection)
        connection.execute("BEGIN")
        connection.execute("UPDATE bookkeeping SET identifier_key = ?", (bytes(range(32)),))
        connection.executemany(
            "INSERT INTO conversations VALUES (?, ?, 7, 0)",
            ((person, person) for person in range(1, people + 1)),
        )
        connection.executemany(
            "INSERT INTO participants VALUES (?, 5, ?)", ((person, person) for person in range(1, people + 1))
        )
        connection.executemany(
            "INSERT INTO turns (id, person_id, guild_id, role, at, text) VALUES (?, ?, 5, ?, ?, ?)",
            (
                (
                    (person << 32) + number, person, "assistant" if number % 2 else "user",
                    1.7e9 + number / 7, f"{number} of {person}: {TEXT[: 20 + (person * number) % 240]}",
                )
                for person in range(1, people + 1)
                for number in range(messages)
            ),
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO usage VALUES ('2026-11-26', ?, 5, 'openai', 'gpt', 1, 2, 3, 4, 0, 0, 0)",
            ((person,) for person in range(1, people + 1)),
        )
        connection.execute("COMMIT")


@dataclass(frozen=True)
class Running:
    """A move in a process of its own."""

    process: "subprocess.Popen[str]"

    def stopped(self, number: signal.Signals) -> str:
        """What it told until a signal ended it."""
        self.process.send_signal(number)
        told = self.process.communicate(timeout=60)[1]
        assert self.process.returncode != 0, "it was done before"
        return told

    def wait_until(self, rows: Callable[[], int], more_than: int) -> None:
        """Until the target has more rows than that."""
        until = time.monotonic() + 300
        while rows() <= more_than:
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.02)


def started(
    origin: object, destination: object, *program: str, environment: Mapping[str, str] | None = None
) -> Running:
    arguments = ["conversations", "move", "--from", str(origin), "--to", str(destination)]
    return Running(
        subprocess.Popen(  # noqa: S603  # our own
            [sys.executable, *(program or ("-m", "discordianai")), *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    )


def in_file(path: Path) -> Callable[[], int]:
    """How many conversations a file has."""

    def rows() -> int:
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                return int(connection.execute("SELECT count(*) FROM conversations").fetchone()[0])
        except sqlite3.Error:
            return 0  # not made yet

    return rows


def on_server(database: PostgresDatabase) -> Callable[[], int]:
    """How many conversations, about, a database on a server has."""

    def rows() -> int:
        if database.sql("SELECT to_regclass('turns') IS NULL") == "t":
            return 0
        return int(database.sql("SELECT count(DISTINCT conversation_person_id) FROM turns"))

    return rows


def start_bot(database: str, password: str = "") -> None:
    """As far as the store. Raises `StoreError`."""
    options = ConversationOptions(database, SecretStr(password) if password else None)

    async def work() -> None:
        async with open_store(options) as store:
            assert store.health.writable, store.health.reason

    trio.run(work)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.sqlite3"
    fill(path, 60, 3)
    return path


def test_stopped_and_killed_on_the_way_to_the_server_it_is_exact(
    small: Path, postgres_database: PostgresDatabase, password: str, capsys: Captured
) -> None:
    """Meanwhile no bot starts on either end, and no second move; afterwards a bot does on the file only."""
    url, rows = postgres_database.url, on_server(postgres_database)
    first = started(small, url, "-c", SLOWLY)
    first.wait_until(rows, 3)
    with pytest.raises(StoreError, match="in use by another bot .*, or by a move"):
        start_bot(str(small))
    with pytest.raises(StoreError, match="a move of conversations into it is not complete"):
        start_bot(url, password)
    assert move("--from", small, "--to", url) == 1
    assert "another move" in capsys.readouterr().err
    told = first.stopped(signal.SIGINT)
    assert told.endswith("the same command goes on from there\nstopped\n")
    second = started(small, url, "-c", SLOWLY)
    second.wait_until(rows, rows() + 3)
    second.stopped(signal.SIGKILL)
    assert 8 <= rows() < 60
    with pytest.raises(StoreError, match="a move of conversations into it is not complete"):
        start_bot(url, password)
    start_bot(str(small))
    assert move("--from", small, "--to", url) == 0
    assert "had been moved before, and are still the same" in capsys.readouterr().err
    assert exported(capsys, url) == exported(capsys, small)
    start_bot(url, password)


def test_stopped_and_killed_on_the_way_back_it_is_exact(
    small: Path, postgres_database: PostgresDatabase, password: str, tmp_path: Path, capsys: Captured
) -> None:
    """A bot that starts on the server meanwhile is told why it may not."""
    url, back = postgres_database.url, tmp_path / "back.sqlite3"
    assert move("--from", small, "--to", url) == 0
    first = started(url, back, "-c", SLOWLY)
    first.wait_until(in_file(back), 3)
    with pytest.raises(StoreError, match="its conversations are being moved to another database"):
        start_bot(url, password)
    with pytest.raises(StoreError, match="in use by another bot .*, or by a move"):
        start_bot(str(back))
    assert move("--from", url, "--to", tmp_path / "third.sqlite3") == 1
    assert "another move out of it is under way" in capsys.readouterr().err
    told = first.stopped(signal.SIGTERM)
    assert told.endswith("the same command goes on from there\nstopped\n")
    second = started(url, back, "-c", SLOWLY)
    second.wait_until(in_file(back), in_file(back)() + 3)
    second.stopped(signal.SIGKILL)
    assert 8 <= in_file(back)() < 60
    with pytest.raises(StoreError, match="a move of conversations into it is not complete"):
        start_bot(str(back))
    start_bot(url, password)
    assert move("--from", url, "--to", back) == 0
    assert "had been moved before, and are still the same" in capsys.readouterr().err
    assert exported(capsys, back) == exported(capsys, small)
    start_bot(str(back))


def test_a_purge_of_the_source_meanwhile_is_not_missed(
    small: Path, postgres_database: PostgresDatabase, password: str, capsys: Captured
) -> None:
    """A file lets one through: the move is not completed, and repeated it leaves out who was forgotten."""
    url = postgres_database.url
    running = started(small, url, "-c", SLOWLY)
    running.wait_until(on_server(postgres_database), 3)
    assert main(["conversations", "purge", "--person", "2", "--yes", "--database", str(small)]) == 0
    told = running.process.communicate(timeout=60)[1]
    assert running.process.returncode == 1
    assert f"another command has changed {small} meanwhile" in told
    assert move("--from", small, "--to", url) == 0
    capsys.readouterr()
    assert exported(capsys, url, "--person", 2) == exported(capsys, small, "--person", 2)
    assert len(exported(capsys, url)) == 59 * 3


def test_a_connection_that_is_lost_is_one_sentence_and_the_next_run_goes_on(
    small: Path, durable_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """The server is restarted in the midst, as if its power failed: what it keeps, it keeps whole."""
    monkeypatch.setenv("DATABASE_PASSWORD", durable_cluster.password)
    with new_database(durable_cluster) as database:
        running = started(small, database.url, "-c", SLOWLY)
        running.wait_until(on_server(database), 5)
        durable_cluster.restart(immediate=True)
        told = running.process.communicate(timeout=60)[1]
        assert running.process.returncode == 1
        assert told.splitlines()[-1].endswith("the same command goes on from there")
        assert durable_cluster.password not in told
        assert "Traceback" not in told
        assert move("--from", small, "--to", database.url) == 0
        capsys.readouterr()
        assert exported(capsys, database.url) == exported(capsys, small)


def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(
    small: Path, postgres_database: PostgresDatabase, password: str, tmp_path: Path, capsys: Captured
) -> None:
    """As ENOSPC of every write, in the midst of a move into a file."""
    url, back = postgres_database.url, tmp_path / "back.sqlite3"
    assert move("--from", small, "--to", url) == 0
    faults = make_faults(tmp_path, back.name)
    running = started(url, back, "-c", SLOWLY, environment=faults.environment)
    running.wait_until(in_file(back), 3)
    faults.set(error=errno.ENOSPC)
    told = running.process.communicate(timeout=60)[1]
    assert running.process.returncode == 1
    assert "cannot be written: the disk is full; what has been moved until now stays in it" in told
    assert "Traceback" not in told
    assert move("--from", url, "--to", back) == 0
    capsys.readouterr()
    assert exported(capsys, back) == exported(capsys, small)


@pytest.mark.parametrize("people", [2_500, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_people_interrupted_twice_in_both_directions(
    people: int, durable_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured
) -> None:
    """50 messages each, with fsync on both ends; by SIGINT and by SIGKILL."""
    monkeypatch.setenv("DATABASE_PASSWORD", durable_cluster.password)
    file, back = tmp_path / "file.sqlite3", tmp_path / "back.sqlite3"
    fill(file, people, 50)
    with new_database(durable_cluster) as database:
        ends = ((file, database.url, on_server(database)), (database.url, back, in_file(back)))
        told = []
        for origin, destination, rows in ends:
            first = started(origin, destination)
            first.wait_until(rows, people // 10)
            first.stopped(signal.SIGINT)
            second = started(origin, destination)
            second.wait_until(rows, rows() + people // 5)
            second.stopped(signal.SIGKILL)
            assert 3 * people // 10 < rows() < people
            assert move("--from", origin, "--to", destination) == 0
            told.append(hashes(capsys.readouterr().err))
        assert told[0] == told[1]
        assert told[0]["turns"][0] == f"{50 * people:,}"
        exports = []
        for name, source in (("file", file), ("server", database.url), ("back", back)):
            lines = tmp_path / f"{name}.jsonl"
            assert main(["conversations", "export", str(lines), "--database", str(source)]) == 0
            exports.append(lines.read_bytes())
        assert exports[0] == exports[1] == exports[2]
        assert exports[0].count(b"\n") == 50 * people
        assert json.loads(exports[0].splitlines()[-1])["person_id"] == str(people)
