"""`discordianai conversations move`: from a file into PostgreSQL and back, exactly."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from pydantic import SecretStr

from discordianai.cli.main import main
from discordianai.conversations.accounting import day_of
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import TurnId
from discordianai.conversations.sqlite.connections import connect
from discordianai.conversations.sqlite.files import DatabaseLock
from tests.cli.test_both_engines import make, password
from tests.conversations.builders import ANN, DATABASE, NOW, answer, older_database
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresDatabase, new_database

__all__ = ["password"]

Captured = pytest.CaptureFixture[str]


def move(*arguments: object) -> int:
    return main(["conversations", "move", *map(str, arguments)])


def exported(captured: Captured, database: object, *selection: object) -> list[str]:
    assert main(["conversations", "export", *map(str, selection), "--database", str(database)]) == 0
    return captured.readouterr().out.splitlines()


def hashes(told: str) -> dict[str, tuple[str, str]]:
    """Rows and hash by table, as they are told."""
    found = re.findall(r"^  (\w+) +([\d,]+) rows  sha256 ([0-9a-f]{16})$", told, re.MULTILINE)
    return {name: (rows, digest) for name, rows, digest in found}


def rows_of(database: Path, table: str) -> list[tuple[object, ...]]:
    connection = connect(database, cache_kib=256)
    try:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608  # our own names
    finally:
        connection.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """With something in every table."""
    path = tmp_path / DATABASE
    make(str(path))
    return path


@pytest.fixture(params=["postgres", "pgbouncer"])
def url(request: pytest.FixtureRequest, postgres_database: PostgresDatabase, password: str) -> Iterator[str]:
    """An empty database on a server, directly and behind PgBouncer in transaction mode."""
    if request.param == "postgres":
        yield postgres_database.url
        return
    bouncer: PgBouncer = request.getfixturevalue("pgbouncer_before")
    yield bouncer.url_of(postgres_database.name)


def test_there_and_back_everything_is_the_same(
    file: Path, url: str, tmp_path: Path, capsys: Captured, password: str
) -> None:
    """Every line of an export, every hash, the ids of turns (of buttons), and the key of pseudonyms."""
    before = [exported(capsys, file, *selection) for selection in ((), ("--person", 12))]
    assert move("--from", file, "--to", url) == 0
    there = capsys.readouterr().err
    assert [exported(capsys, url, *selection) for selection in ((), ("--person", 12))] == before
    back = tmp_path / "back.sqlite3"
    assert move("--from", url, "--to", back) == 0
    told = capsys.readouterr().err
    assert hashes(told) == hashes(there)
    assert len(hashes(told)) == 7
    assert [exported(capsys, back, *selection) for selection in ((), ("--person", 12))] == before
    for table in ("turns", "conversations", "participants", "questions", "usage", "channels", "guilds"):
        assert rows_of(back, table) == rows_of(file, table), table
    assert rows_of(back, "bookkeeping")[0][3] == rows_of(file, "bookkeeping")[0][3]
    assert password not in there + told


async def use(database: str, password: str, turn: TurnId | None = None) -> tuple[object, ...]:
    """What a bot finds: its key, what the turn was, the open questions, settings, servers. Adds a turn."""
    options = ConversationOptions(database, SecretStr(password) if password else None)
    async with open_store(options) as store:
        open_questions = sorted(await store.take_over(), key=str)
        found = (
            await store.identifier_key(),
            await store.said(turn) if turn else None,
            [(each.question, each.posted, each.text, each.complete) for each in open_questions],
            await store.channels(),
            await store.present(),
            await store.left_before(2e9),
            await store.spent(day_of(NOW)),
            await store.recent(ANN, 50),
        )
        for each in open_questions:
            await store.take_back_start(each.question.address.interaction_id)
        return found


async def ask(database: str) -> TurnId:
    """A turn that a button refers to."""
    async with open_store(ConversationOptions(database)) as store:
        turn = await store.answered(77, answer(77))
    assert turn is not None
    return turn


def test_a_bot_goes_on_where_it_was(
    file: Path, url: str, tmp_path: Path, password: str, capsys: Captured
) -> None:
    """With the same pseudonyms, buttons, open questions, settings, limits and conversations."""
    turn = trio.run(ask, str(file))
    before = trio.run(use, str(file), "", turn)
    assert before[1] is not None
    assert len(str(before[2])) > 100
    assert move("--from", file, "--to", url) == 0
    assert trio.run(use, url, password, turn) == before
    back = tmp_path / "back.sqlite3"
    assert move("--from", url, "--to", back) == 0
    assert trio.run(use, str(back), "", turn) == before


def test_the_text_says_what_to_do_now(file: Path, url: str, capsys: Captured) -> None:
    """The line for settings.toml, where the password goes, and how to go back."""
    assert move("--from", file, "--to", url) == 0
    told = capsys.readouterr().err
    assert f'[conversations]\ndatabase = "{url}"\n' in told
    assert "the credential database-password, into DATABASE_PASSWORD" in told
    assert f"discordianai conversations move --from {url} --to {file.parent}/turns-2.sqlite3" in told


def test_the_source_is_the_databases_of_the_settings(
    file: Path, url: str, tmp_path: Path, capsys: Captured
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[conversations]\ndatabase = "{file}"\n')
    assert move("--settings", settings, "--to", url) == 0
    settings.write_text(f'[conversations]\ndatabase = "{url}"\n')
    assert move("--settings", settings, "--to", tmp_path / "back.sqlite3") == 0
    assert rows_of(tmp_path / "back.sqlite3", "turns") == rows_of(file, "turns")


def test_repeated_after_its_end_it_compares_and_changes_nothing(
    file: Path, url: str, tmp_path: Path, capsys: Captured
) -> None:
    assert move("--from", file, "--to", url) == 0
    first = hashes(capsys.readouterr().err)
    assert move("--from", file, "--to", url) == 0
    again = capsys.readouterr().err
    assert hashes(again) == first
    assert "moved already; compared in" in again
    back = tmp_path / "back.sqlite3"
    for _ in range(2):
        assert move("--from", url, "--to", back) == 0
        assert hashes(capsys.readouterr().err) == first


def test_what_was_stored_on_the_server_meanwhile_moves_back(
    file: Path, url: str, tmp_path: Path, capsys: Captured, password: str
) -> None:
    """Turns of the file keep their ids, later ones get those that follow."""
    assert move("--from", file, "--to", url) == 0
    make(url, password)
    before = exported(capsys, url)
    back = tmp_path / "back.sqlite3"
    assert move("--from", url, "--to", back) == 0
    assert exported(capsys, back) == before
    assert {*rows_of(file, "turns")} < {*rows_of(back, "turns")}
    assert main(["conversations", "stats", "--json", "--database", str(back)]) == 0
    assert json.loads(capsys.readouterr().out)["turns"] == 40
    # And a bot goes on with both.
    make(str(back))
    make(url, password)


def test_a_database_of_another_origin_is_refused(
    file: Path, url: str, tmp_path: Path, capsys: Captured, password: str
) -> None:
    """On both ends, and nothing in it is changed."""
    make(url, password)
    before = exported(capsys, url)
    assert move("--from", file, "--to", url) == 1
    assert "it has conversations of another origin in it; name another database" in capsys.readouterr().err
    assert exported(capsys, url) == before
    before = exported(capsys, file)
    assert move("--from", url, "--to", file) == 1
    assert "has conversations of another origin in it; name another file" in capsys.readouterr().err
    assert exported(capsys, file) == before
    text = tmp_path / "text"
    text.write_text("not a database")
    assert move("--from", url, "--to", text) == 1
    assert "is not a database" in capsys.readouterr().err
    assert text.read_text() == "not a database"


def test_another_programs_tables_are_left_alone(
    file: Path, postgres_database: PostgresDatabase, password: str, capsys: Captured
) -> None:
    postgres_database.sql("SET ROLE discordianai; CREATE TABLE public.usage (x int)")
    assert move("--from", file, "--to", postgres_database.url) == 1
    assert "it has another program's table usage" in capsys.readouterr().err
    assert postgres_database.sql("SELECT count(*) FROM usage") == "0"


def test_two_of_one_kind_are_refused(file: Path, url: str, tmp_path: Path, capsys: Captured) -> None:
    assert move("--from", file, "--to", tmp_path / "other.sqlite3") == 1
    assert "both are files" in capsys.readouterr().err
    assert move("--from", url, "--to", f"{url}2") == 1
    assert "both are PostgreSQL databases" in capsys.readouterr().err


def test_a_newer_schema_is_refused(
    file: Path, postgres_database: PostgresDatabase, password: str, tmp_path: Path, capsys: Captured
) -> None:
    make(postgres_database.url, password)
    postgres_database.sql("UPDATE bookkeeping SET schema_version = 99")
    assert move("--from", file, "--to", postgres_database.url) == 1
    assert "written by a newer version of this program" in capsys.readouterr().err
    assert move("--from", postgres_database.url, "--to", tmp_path / "new.sqlite3") == 1
    assert "written by a newer version of this program" in capsys.readouterr().err
    assert not (tmp_path / "new.sqlite3").exists()


def test_a_bot_that_runs_on_either_end_is_told(
    file: Path, postgres_database: PostgresDatabase, password: str, tmp_path: Path, capsys: Captured
) -> None:
    other = tmp_path / "other.sqlite3"
    make(postgres_database.url, password)
    postgres_database.sql(
        "INSERT INTO processes (id, batch, expires_at, host, pid)"
        " VALUES (1, 0, clock_timestamp() + interval '1 minute', 'elsewhere', 42)"
    )
    assert move("--from", postgres_database.url, "--to", other) == 1
    assert "a bot is running on it (process 42 on elsewhere): stop it first" in capsys.readouterr().err
    with new_database(postgres_database.cluster) as empty:
        lock = DatabaseLock(file)
        try:
            assert move("--from", file, "--to", empty.url) == 1
            assert f"is running on {file}: stop it first" in capsys.readouterr().err
            postgres_database.sql("DELETE FROM processes")
            assert move("--from", postgres_database.url, "--to", file) == 1
            assert f"is running on {file}: stop it first" in capsys.readouterr().err
        finally:
            lock.release()


def test_a_role_that_may_not_create_tables_is_told(
    file: Path, postgres_database: PostgresDatabase, password: str, capsys: Captured
) -> None:
    postgres_database.sql("ALTER SCHEMA public OWNER TO postgres; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert move("--from", file, "--to", postgres_database.url) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "its user lacks a permission" in told


def test_a_folder_that_may_not_be_written_is_told(
    file: Path, url: str, password: str, tmp_path: Path, capsys: Captured
) -> None:
    make(url, password)
    assert move("--from", url, "--to", tmp_path / "missing" / "new.sqlite3") == 1
    told = capsys.readouterr().err
    assert told == f"there is no folder {tmp_path / 'missing'}; make it first, or name another\n"


def test_an_older_file_is_to_be_brought_up_to_date_first(
    tmp_path: Path, postgres_database: PostgresDatabase, password: str, capsys: Captured
) -> None:
    older = tmp_path / "older.sqlite3"
    older_database(older, 5)
    assert move("--from", older, "--to", postgres_database.url) == 1
    assert "run the bot once, which brings it up to date" in capsys.readouterr().err
