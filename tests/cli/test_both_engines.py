"""The operator's commands on a PostgreSQL database: the same words and figures as on a file."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from pydantic import SecretStr

from discordianai.cli.main import main
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import ChannelSettings, Store
from discordianai.pseudonyms import Pseudonyms
from tests.cli.conftest import fill
from tests.conversations.builders import ANN, DATABASE, NOW, exchange, question
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresDatabase

Captured = pytest.CaptureFixture[str]

CLOCK = re.compile(r'"clock": \[[^]]*\]')

SIZES = {"database", "file_bytes", "free_bytes", "log_bytes"}
"""What is not the same in two engines."""


async def fill_further(store: Store) -> None:
    """Beside `fill`: a shared conversation, a private one, odd texts, settings, servers, and a key."""
    await fill(store)
    shared = type(ANN)(channel_id=5, person_id=0)
    await store.append(shared, exchange(1), person_id=10, guild_id=7)
    await store.append(shared, exchange(2), person_id=11, guild_id=7)
    await store.append(type(ANN)(1, 10, private=True), exchange(3), guild_id=7)
    turn, reply = exchange(4)
    odd = "\u2028 zero \0 tab \t \\N back\\slash 👩 \x10@"
    await store.append(ANN, [type(turn)(turn.role, odd, turn.at), reply], guild_id=7)
    await store.set_channel(3, None, 12, ChannelSettings("be brief", "gpt"))
    await store.joined(7)
    await store.left(8)
    await store.accept(question(3, "mine", person_id=12, guild_id=None))
    await store.identifier_key()


def make(database: str, password: str = "") -> None:
    options = ConversationOptions(database, SecretStr(password) if password else None)

    async def work() -> None:
        async with open_store(options, clock=lambda: NOW) as store:
            await fill_further(store)

    trio.run(work)


@pytest.fixture
def password(postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where the commands find it."""
    monkeypatch.setenv("DATABASE_PASSWORD", postgres_database.password)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return postgres_database.password


@pytest.fixture(params=["postgres", "pgbouncer"])
def url(request: pytest.FixtureRequest, postgres_database: PostgresDatabase, password: str) -> Iterator[str]:
    """A filled database on a server, directly and behind PgBouncer in transaction mode."""
    make(postgres_database.url, password)
    if request.param == "postgres":
        yield postgres_database.url
        return
    bouncer: PgBouncer = request.getfixturevalue("pgbouncer_before")
    yield bouncer.url_of(postgres_database.name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The same in a file."""
    path = tmp_path / DATABASE
    make(str(path))
    return path


def run(captured: Captured, *arguments: object) -> list[str]:
    """The lines of stdout, but for the moment at which the clock was read to store a question."""
    assert main(["conversations", *map(str, arguments)]) == 0
    return [CLOCK.sub("", line) for line in captured.readouterr().out.splitlines()]


def test_stats_are_the_same(url: str, file: Path, capsys: Captured) -> None:
    (told,), (expected,) = (run(capsys, "stats", "--json", "--database", each) for each in (url, file))
    shown, wanted = json.loads(told), json.loads(expected)
    assert {name: shown[name] for name in shown if name not in SIZES} == {
        name: wanted[name] for name in wanted if name not in SIZES
    }
    assert shown["turns"] == 20
    assert (shown["free_bytes"], shown["log_bytes"]) == (None, None)
    assert shown["file_bytes"] > 8192
    assert shown["database"] == url
    lines = run(capsys, "stats", "--database", url)
    assert [line for line in lines if line.startswith("tables ")]
    assert "turns           20" in lines


@pytest.mark.parametrize(
    "selection",
    [(), ("--person", 10), ("--person", 12), ("--server", 7), ("--channel", 1), ("--channel", 5)],
    ids=str,
)
def test_an_export_has_the_same_lines(
    url: str, file: Path, capsys: Captured, selection: tuple[object, ...]
) -> None:
    lines, expected = (run(capsys, "export", *selection, "--database", each) for each in (url, file))
    assert lines
    assert lines == expected


@pytest.mark.parametrize(
    "selection",
    [("--person", 10), ("--server", 7), ("--channel", 1), ("--older-than", 0), ("--all",)],
    ids=str,
)
def test_a_purge_removes_the_same(
    url: str, file: Path, capsys: Captured, selection: tuple[object, ...]
) -> None:
    """Turns and all that belongs to them, while what answers cost stays."""
    for each in (url, file):
        run(capsys, "purge", *selection, "--yes", "--database", each)
    lines, expected = (run(capsys, "export", "--database", each) for each in (url, file))
    assert lines == expected
    for person in (10, 12):
        of_person = [run(capsys, "export", "--person", person, "--database", each) for each in (url, file)]
        assert of_person[0] == [line for line in of_person[1] if not is_stale(line, of_person[0])]
    stats = [json.loads(run(capsys, "stats", "--json", "--database", each)[0]) for each in (url, file)]
    assert stats[0]["month"] == stats[1]["month"]
    assert stats[0]["open_questions"] == stats[1]["open_questions"]


def is_stale(line: str, others: list[str]) -> bool:
    """A file remembers where to look for a person's turns while the conversation lasts."""
    return json.loads(line)["kind"] == "participation" and line not in others


def test_a_pseudonym_is_found(url: str, capsys: Captured, postgres_database: PostgresDatabase) -> None:
    key = bytes.fromhex(postgres_database.sql("SELECT encode(identifier_key, 'hex') FROM bookkeeping"))
    names = Pseudonyms(key)
    assert run(capsys, "who", names.of(12), "--database", url) == ["person 12"]
    assert run(capsys, "who", names.of(8), "--database", url) == ["server 8"]
    assert run(capsys, "who", names.of(5), "--database", url) == ["channel 5"]


def test_a_bot_that_runs_is_told(url: str, capsys: Captured, postgres_database: PostgresDatabase) -> None:
    """Until its lease is over."""
    postgres_database.sql(
        "INSERT INTO processes (id, batch, expires_at, host, pid)"
        " VALUES (1, 0, clock_timestamp() + interval '1 minute', 'elsewhere', 42)"
    )
    main(["conversations", "stats", "--database", url])
    assert "a bot is running on it (process 42 on elsewhere)" in capsys.readouterr().err
    postgres_database.sql("UPDATE processes SET expires_at = clock_timestamp()")
    main(["conversations", "stats", "--database", url])
    assert "no bot is running on it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [("stats",), ("export",), ("purge", "--all", "--yes"), ("who", "5")], ids=str
)
def test_a_database_that_no_bot_has_used_is_told(
    postgres_database: PostgresDatabase, password: str, capsys: Captured, command: tuple[str, ...]
) -> None:
    assert main(["conversations", *command, "--database", postgres_database.url]) == 1
    told = capsys.readouterr().err
    assert told.endswith("there is nothing in it: no bot has run with it yet\n")
    assert told.startswith(f"the database {postgres_database.name} at 127.0.0.1:")


@pytest.mark.parametrize("wrong", ["password", "role", "port", "name"])
def test_what_is_wrong_is_one_sentence_without_the_password(
    postgres_database: PostgresDatabase,
    password: str,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    url = postgres_database.url
    if wrong == "password":
        monkeypatch.setenv("DATABASE_PASSWORD", "sesame")
    url = {
        "password": url,
        "role": url.replace("discordianai@", "nobody@"),
        "port": url.replace(f":{postgres_database.cluster.port}/", ":1/"),
        "name": url + "x",
    }[wrong]
    assert main(["conversations", "stats", "--database", url]) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "cannot be used" in told
    assert "sesame" not in told
    assert password not in told


def test_a_password_in_the_url_is_refused_and_not_repeated(capsys: Captured) -> None:
    assert main(["conversations", "stats", "--database", "postgresql://bot:sesame@127.0.0.1/bot"]) == 78
    told = capsys.readouterr().err
    assert "should have no password in it" in told
    assert "sesame" not in told


@pytest.mark.parametrize(
    "place", ["credential", "environment", "file beside the settings", "settings", "pgpass"]
)
def test_the_password_is_found_where_the_bots_is(
    postgres_database: PostgresDatabase,
    password: str,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
) -> None:
    make(postgres_database.url, password)
    settings = tmp_path / "settings.toml"
    text = f'[conversations]\ndatabase = "{postgres_database.url}"\n'
    if place != "environment":
        monkeypatch.delenv("DATABASE_PASSWORD")
    if place == "credential":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
        (tmp_path / "credentials").mkdir()
        (tmp_path / "credentials" / "database-password").write_text(password)
    if place == "file beside the settings":
        (tmp_path / "database-password").write_text(f"{password}\n")
    if place == "settings":
        text += f'database_password = "{password}"\n'
    if place == "pgpass":
        pgpass = tmp_path / "pgpass"
        pgpass.touch(mode=0o600)
        pgpass.write_text(f"127.0.0.1:{postgres_database.cluster.port}:*:*:{password}\n")
        monkeypatch.setenv("PGPASSFILE", str(pgpass))
    settings.write_text(text)
    assert run(capsys, "stats", "--settings", settings)


def test_a_backup_is_pg_dumps_work_and_its_commands_are_right(
    postgres_database: PostgresDatabase,
    password: str,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """What is printed copies a database and puts the copy back, without open questions and their tokens."""
    make(postgres_database.url, password)
    before = run(capsys, "export", "--database", postgres_database.url)
    copy = tmp_path / "a copy.dump"
    assert main(["backup", str(copy), "--database", postgres_database.url]) == 1
    told = capsys.readouterr().err
    assert "pg_dump" in told
    assert password not in told
    commands = [line.strip() for line in told.splitlines() if "pg_" in line and line.startswith("    ")]
    monkeypatch.setenv("PGPASSWORD", password)
    programs = postgres_database.cluster.programs.folder
    if shutil.which("pg_dump") is None:
        monkeypatch.setenv("PATH", str(programs), prepend=":")
    postgres_database.sql("SELECT 1")
    for number, command in enumerate(commands):
        if number:
            run(capsys, "purge", "--all", "--yes", "--database", postgres_database.url)
        subprocess.run(command, shell=True, check=True, timeout=60)  # noqa: S602  # what an operator would type
    assert len(commands) == 2
    assert copy.stat().st_mode & 0o777 == 0o600
    assert run(capsys, "export", "--database", postgres_database.url) == before
    stats = json.loads(run(capsys, "stats", "--json", "--database", postgres_database.url)[0])
    assert stats["open_questions"] == 0
