"""`discordianai backup`, beside a bot and without one."""

import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.sqlite import backup
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.sqlite.store import open_store
from discordianai.conversations.store import StoreError
from tests.conversations.builders import ANN, DATABASE, SLOW, bytes_on_disk, exchange, question

Prepare = Callable[[], object]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "discordianai", "backup", *map(str, arguments)]


def run(*arguments: object, prepare: Prepare | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  # our own
        command(*arguments), capture_output=True, text=True, timeout=30, check=False, preexec_fn=prepare
    )


def silent(_done: int, _total: int) -> None:
    """Nobody looks."""


def content(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT * FROM turns ORDER BY id").fetchall()
    finally:
        connection.close()


def pragma(path: Path, name: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        connection.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_copy_is_one_sound_private_file_of_the_same_kind(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "copy"
    target.parent.mkdir()
    done = run(target, "--database", database)
    assert done.returncode == 0, done.stderr
    assert "no bot is running on it" in done.stderr
    assert names(target.parent) == ["copy"]
    assert target.stat().st_mode & 0o777 == 0o600
    assert content(target) == content(database)
    for name in ("user_version", "application_id", "auto_vacuum"):
        assert pragma(target, name) == pragma(database, name)
    assert pragma(target, "integrity_check") == "ok"
    assert pragma(target, "journal_mode") == "delete"  # a log beside it could be lost, or be another's


def test_the_copy_holds_no_token_and_no_open_question(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.touch()
    backup.copy(database, target, silent)
    for secret in (b"token-1", b"nobody else may read this"):
        assert secret in bytes_on_disk(tmp_path)
        assert secret not in target.read_bytes()


async def test_a_bot_goes_on_from_a_copy_that_is_put_in_its_place(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / DATABASE
    target.parent.mkdir()
    target.touch()
    await trio.to_thread.run_sync(backup.copy, database, target, silent)
    async with open_store(target, pace=SLOW) as store:
        assert await store.recent(ConversationKey(1, 10), 50) == exchange(0)
        assert await store.take_over() == ()
        assert not await store.accept(question(1))  # a replayed event
        assert (await store.spent(exchange_day())).tokens == 120
        await store.append(ANN, exchange(5))
    assert pragma(target, "journal_mode") == "wal"


def exchange_day() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


async def first_round(log: Path) -> None:
    """The upkeep empties the log once when it begins."""
    with trio.fail_after(10):
        while log.stat().st_size:  # noqa: ASYNC110  # a file tells nobody when it shrinks
            await trio.sleep(0.01)


async def test_the_copying_leaves_the_log_of_a_running_bot_alone(tmp_path: Path) -> None:
    """Two processes that move it at the same time can damage the database."""
    database, target = tmp_path / DATABASE, tmp_path / "copy"
    log = database.with_name(database.name + "-wal")
    async with open_store(database, pace=SLOW) as store:
        await first_round(log)
        await store.append(ANN, exchange(1))
        before = (database.stat().st_mtime_ns, log.stat().st_size)
        done = await trio.run_process(
            command(target, "--database", database), capture_stderr=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert b"a bot is running on it" in done.stderr
        assert (database.stat().st_mtime_ns, log.stat().st_size) == before
        await store.append(ANN, exchange(2))
    assert len(content(target)) == 2


async def test_the_log_that_a_killed_bot_left_is_copied_and_stays_for_the_next(tmp_path: Path) -> None:
    """It could be starting at this moment, and its checkpoints must be the only ones."""
    database, target, left = tmp_path / DATABASE, tmp_path / "copy", tmp_path / "left"
    target.touch()
    left.mkdir()
    async with open_store(database, pace=SLOW) as store:
        await first_round(database.with_name(database.name + "-wal"))
        await store.append(ANN, exchange(1))
        files = [str(database), f"{database}-wal"]
        await trio.run_process(["/bin/cp", *files, str(left)])
    log = left / f"{DATABASE}-wal"
    before = log.stat().st_size
    backup.copy(left / DATABASE, target, silent)
    assert log.stat().st_size == before > 0
    assert len(content(target)) == 2


async def test_a_copy_is_of_one_moment_however_much_is_written_meanwhile(tmp_path: Path) -> None:
    """And is not begun anew by that."""
    database, target = tmp_path / DATABASE, tmp_path / "copy"
    target.touch()
    async with open_store(database, pace=SLOW) as store:
        turns = [replace(turn, text="x" * 3000) for number in range(10) for turn in exchange(number)]
        for person_id in range(1, 80):
            await store.append(ConversationKey(1, person_id), turns)
        written = 0
        reports: list[int] = []

        def report(done: int, _total: int) -> None:
            nonlocal written
            assert written < 100, "it is begun anew again and again"
            reports.append(done)
            trio.from_thread.run(store.append, ANN, exchange(written))
            written += 1

        await trio.to_thread.run_sync(backup.copy, database, target, report)
    backup.check(target, silent)
    assert len(content(target)) == 79 * 20
    assert written > 3
    assert reports == sorted(reports)


def test_an_existing_file_is_overwritten_by_force(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_text("mine")
    assert run(target, "--force", "--database", database).returncode == 0
    assert content(target) == content(database)


def test_nothing_is_copied_through_a_link_that_comes_at_the_last_moment(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by somebody else who may write in the folder: SQLite opens a path, and follows links."""
    target, victim = tmp_path / "copy", tmp_path / "victim"
    target.touch()
    victim.touch()
    connect = sqlite3.connect

    def exchange_and_connect(path: Path, *arguments: Any, **options: Any) -> sqlite3.Connection:
        if path == target:
            target.unlink()
            target.symlink_to(victim)
        connection: sqlite3.Connection = connect(path, *arguments, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", exchange_and_connect)
    with pytest.raises(StoreError, match="copy was exchanged while it was written"):
        backup.copy(database, target, silent)
    assert victim.read_bytes() == b""


async def test_no_database_in_use_is_overwritten(tmp_path: Path) -> None:
    database, other = tmp_path / DATABASE, tmp_path / "other.sqlite3"
    async with open_store(other, pace=SLOW):
        for suffix in ("", "-wal", "-shm", ".lock"):
            with pytest.raises(StoreError, match="belongs to the database itself"):
                backup.refuse_target(database, tmp_path / "." / f"{DATABASE}{suffix}")
        with pytest.raises(StoreError, match="is the database of a running bot"):
            backup.refuse_target(database, other)


def test_a_log_that_was_left_where_the_copy_goes_is_not_mixed_into_it(tmp_path: Path) -> None:
    (tmp_path / "copy-wal").touch()
    with pytest.raises(StoreError, match="copy-wal is of a database that was here before"):
        backup.refuse_target(tmp_path / DATABASE, tmp_path / "copy")


def refused(database: Path) -> str:
    with pytest.raises(StoreError) as caught, operator_connection(database):
        pass
    return str(caught.value)


def test_what_is_not_a_present_database_of_this_program_is_refused_by_name(database: Path) -> None:
    folder = database.parent
    (folder / "text").write_text("not a database at all, but long enough to be taken for one" * 100)
    (folder / "empty").touch()
    assert "text cannot be used: file is not a database" in refused(folder / "text")
    assert "there is nothing in the database" in refused(folder / "empty")
    connection = sqlite3.connect(folder / "other")
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    assert "other cannot be used: it is another program's database" in refused(folder / "other")
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 99")
    assert "it was written by a newer version of this program" in refused(database)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    assert "there is nothing in the database" in refused(database)
    assert "there is no database" in refused(folder / "none")


def test_a_damaged_database_is_not_copied(database: Path, tmp_path: Path) -> None:
    """The pages are copied as they are; so what is wrong with them is found in the copy."""
    with database.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 4096 * 3)
    done = run(tmp_path / "copy", "--database", database)
    assert done.returncode == 1
    assert "the database is damaged" in done.stderr
    assert not (tmp_path / "copy").exists()
    assert not list(tmp_path.glob(".discordianai-*"))


def small_files() -> None:
    """A write beyond 40 KB fails, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))


def test_a_disk_without_room_is_told_and_nothing_is_left(database: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "copy", "--database", database, prepare=small_files)
    assert done.returncode == 1
    assert f"the copy of {database} failed: the disk " in done.stderr
    assert not list(tmp_path.glob("*copy*")) + list(tmp_path.glob(".discordianai-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_half_file(database: Path, tmp_path: Path, number: signal.Signals) -> None:
    """It comes in the middle of the copying."""
    folder = tmp_path / "copies"
    folder.mkdir()
    script = f"""
import os, signal, sys
from discordianai.cli.main import main
from discordianai.conversations.sqlite import backup
check = backup.check
def stopped(copied, report):
    assert os.path.getsize(copied) > 0
    os.kill(os.getpid(), {int(number)})
    check(copied, report)
backup.check = stopped
sys.exit(main(sys.argv[1:]))
"""
    done = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", script, "backup", str(folder / "copy"), "--database", str(database)],
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a shell's background ignores SIGINT
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "stopped")
    assert names(folder) == []
