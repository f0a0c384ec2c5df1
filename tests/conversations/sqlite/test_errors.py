"""What the store does when its file takes nothing, is not the same any more, or is not to be trusted."""

import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from discordianai.conversations.accounting import Limit
from discordianai.conversations.engine import durable_writes, outages
from discordianai.conversations.engine.outages import SLOW_AFTER
from discordianai.conversations.ledger import DailyLimitReached, Ledger
from discordianai.conversations.options import AccountingOptions
from discordianai.conversations.sqlite import backup, files
from discordianai.conversations.sqlite.connections import BUSY_TIMEOUT
from discordianai.conversations.sqlite.files import DatabaseLock, bot_is_running
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.conversations.store import ChannelSettings, KeptInMemory, StoreError
from discordianai.option import Live
from discordianai.records import Usage
from discordianai.system_clock import ClockReading
from tests.conversations.builders import ANN, BOB, DATABASE, QUICK, SLOW, answer, exchange, question

MOUNT, UNMOUNT = shutil.which("mount"), shutil.which("umount")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the upkeep does."""
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110  # health is asked for, it tells nobody
            await trio.sleep(0.01)


@dataclass
class Disk:
    """A place for a database that can become full and read-only."""

    folder: Path
    fill: Callable[[], None]
    empty: Callable[[], None]
    reason: str


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A small file system of its own, where that is allowed."""
    folder.mkdir()
    mount = [str(MOUNT), "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if MOUNT is None or subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603  # our own
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        subprocess.run([str(UNMOUNT), str(folder)], check=True)  # noqa: S603  # our own


@pytest.fixture(params=["a full disk", "a limit of the process"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    if request.param == "a full disk":
        ballast = folder / "ballast"

        def fill() -> None:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(b"x" * 512):
                    pass

        with mounted(folder):
            yield Disk(folder, fill, ballast.unlink, "the disk is full")
    else:
        folder.mkdir()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

        def lift() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        try:
            yield Disk(folder, limit, lift, "the disk reports an error")
        finally:
            lift()


async def test_while_the_disk_is_full_memory_goes_on_and_is_written_when_there_is_room(disk: Disk) -> None:
    path = disk.folder / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        disk.fill()
        with pytest.raises(KeptInMemory, match=disk.reason):
            await write_until_it_fails(store)
        assert not store.health.writable
        assert disk.reason in store.health.reason
        assert str(path) in store.health.reason
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(2))
        with pytest.raises(KeptInMemory):
            await store.accept(question(1))
        assert not await store.accept(question(1))
        with pytest.raises(StoreError):
            await store.reset(ANN)
        with pytest.raises(StoreError) as refused:  # the person is told that it was not done
            await store.set_channel(1, 7, 10, ChannelSettings("Be a pirate."))
        assert not isinstance(refused.value, KeptInMemory)
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))
        assert store.health.kept == 3
        await trio.sleep(0.1)
        assert not store.health.writable
        disk.empty()
        await until(lambda: store.health.writable)
        assert store.health.kept == 0
        await store.append(ANN, exchange(3))
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2), *exchange(3))
        assert len(await store.take_over()) == 1
        assert await store.channels() == {}
    assert integrity(path) == "ok"


async def test_daily_limits_hold_while_the_disk_is_full(disk: Disk) -> None:
    """What is charged meanwhile is only in memory; a person could spend without end until there is room."""
    options = AccountingOptions(person=Limit(tokens=1000))
    async with open_store(disk.folder / DATABASE, pace=QUICK) as store:
        ledger = Ledger(store, Live(options), time.time)
        disk.fill()
        with pytest.raises(KeptInMemory):
            await write_until_it_fails(store)
        for number in (1, 2):
            charge = ledger.charge(10, 7, "openai", "gpt", Usage(300, 100))
            with pytest.raises(KeptInMemory):
                await store.answered(number, replace(answer(number), charges=(charge,)))
        for person_id, guild_id, tokens in ((10, None, 800), (None, 7, 800), (10, 8, 0), (11, None, 0)):
            spent = await store.spent(ledger.today, person_id=person_id, guild_id=guild_id)
            assert spent.tokens == tokens
        with pytest.raises(DailyLimitReached):
            async with ledger.reserve(10, 7, "openai", "gpt", Usage(300, 0)):
                pass
        disk.empty()
        await until(lambda: store.health.writable)
        assert (await store.spent(ledger.today, person_id=10)).tokens == 800


async def write_until_it_fails(store: SqliteStore) -> None:
    """The log may have a page or two left."""
    for number in range(100):
        await store.append(BOB, exchange(number))


@contextmanager
def read_only(folder: Path) -> Iterator[Callable[[], None]]:
    """Gives what ends it."""
    if os.geteuid():
        files = [folder, *folder.iterdir()]
        modes = [file.stat().st_mode for file in files]
        for file in files:
            file.chmod(0o500 if file.is_dir() else 0o400)

        def end() -> None:
            for file, mode in zip(files, modes, strict=True):
                file.chmod(mode)

        yield end
    else:
        remount = [str(MOUNT), "-o", "remount,{}", str(folder)]

        def change(mode: str) -> None:
            subprocess.run([part.format(mode) for part in remount], check=True)  # noqa: S603  # our own

        change("ro")
        yield lambda: change("rw")


async def test_a_bot_starts_beside_a_read_only_file_and_takes_it_when_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with mounted(folder):
        path = folder / DATABASE
        async with open_store(path, pace=SLOW) as store:
            await store.append(ANN, exchange(1))
        with read_only(folder) as end:
            async with open_store(path, pace=QUICK) as store:
                assert "read-only" in store.health.reason.lower()
                assert await store.recent(ANN, 50) == ()
                with pytest.raises(KeptInMemory):
                    await store.append(ANN, exchange(2))
                assert await store.recent(ANN, 50) == exchange(2)
                end()
                await until(lambda: store.health.writable)
                assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_a_file_that_is_replaced_while_in_use_is_noticed_and_taken(tmp_path: Path) -> None:
    """As when an operator puts a backup back without stopping the bot."""
    path, copy = tmp_path / DATABASE, tmp_path / "copy"
    copy.touch()
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        await trio.to_thread.run_sync(backup.copy, path, copy, lambda _done, _total: None)
        await store.append(ANN, exchange(2))
        assert len(await store.recent(ANN, 50)) == 4
        copy.rename(path)
        with trio.fail_after(10):
            while len(await store.recent(ANN, 50)) == 4:  # noqa: ASYNC110  # the upkeep tells nobody
                await trio.sleep(0.01)
        assert await store.recent(ANN, 50) == exchange(1)
        await store.append(ANN, exchange(3))
    assert integrity(path) == "ok"
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(3))


async def test_the_log_of_a_replaced_file_is_not_mixed_into_the_other(tmp_path: Path) -> None:
    """Not at the end of the bot either, which comes before it noticed; and the former file has all of it."""
    path, former, other = tmp_path / DATABASE, tmp_path / "former", tmp_path / "other" / DATABASE
    other.parent.mkdir()
    async with open_store(other, pace=SLOW) as store:
        await store.append(BOB, exchange(7))
    async with open_store(path, pace=SLOW) as store:
        await trio.sleep(0.1)
        await store.append(ANN, exchange(1))
        path.rename(former)
        other.rename(path)
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == ()
        assert await store.recent(BOB, 50) == exchange(7)
    async with open_store(former, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == exchange(1)
    assert integrity(path) == integrity(former) == "ok"


async def test_a_file_that_is_removed_while_in_use_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        path.unlink()
        await until(path.exists)
        await until(lambda: store.health.writable)
        await store.append(ANN, exchange(2))
    assert integrity(path) == "ok"
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == exchange(2)


@pytest.mark.parametrize("removed", [("-wal",), ("-shm",), ("-wal", "-shm")])
async def test_a_log_that_is_removed_while_in_use_is_begun_anew_and_nothing_of_it_is_lost(
    tmp_path: Path, removed: tuple[str, ...]
) -> None:
    """Without it at its place, a process that is killed would lose what was said since."""
    path, killed = tmp_path / DATABASE, tmp_path / "killed"
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        gone = [path.with_name(path.name + suffix) for suffix in removed]
        for file in gone:
            file.unlink()
        await until(lambda: all(file.exists() for file in gone))
        await until(lambda: store.health.writable)
        await store.append(BOB, exchange(2))
        assert await store.recent(ANN, 50) == exchange(1)
        for suffix in ("", "-wal"):  # what there is if the process is killed now
            killed.with_name(f"killed{suffix}").write_bytes(path.with_name(path.name + suffix).read_bytes())
    for file in (path, killed):
        assert integrity(file) == "ok"
        async with open_store(file, pace=SLOW) as store:
            assert await store.recent(ANN, 50) == exchange(1)
            assert await store.recent(BOB, 50) == exchange(2)


async def test_content_that_is_exchanged_for_another_programs_is_noticed_and_left_alone(
    tmp_path: Path,
) -> None:
    """As `cp` does, which keeps the file: memory goes on, and is written when the file is out of the way."""
    path, other = tmp_path / DATABASE, tmp_path / "other"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE theirs (x)")
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        await store.reset(ANN)  # with an empty log, the file alone counts
        path.write_bytes(other.read_bytes())
        await until(lambda: "another program's database" in store.health.reason)
        with pytest.raises(KeptInMemory):
            await store.append(BOB, exchange(2))
        path.unlink()
        await until(lambda: store.health.writable and not store.health.kept)
        assert await store.recent(BOB, 50) == exchange(2)


async def test_a_table_that_is_removed_while_in_use_is_damage(tmp_path: Path) -> None:
    """What is said from then on is kept in a new file, and the other one is set aside."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE turns")
        with capture_logs() as logs, suppress(KeptInMemory):
            await store.append(BOB, exchange(2))
        await until(lambda: store.health.writable and not store.health.kept)
        assert await store.recent(BOB, 50) == exchange(2)
    assert [log["event"] for log in logs][:1] == ["conversations are kept in memory only"]
    assert [file for file in tmp_path.iterdir() if files.DAMAGED in file.name]
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(BOB, 50) == exchange(2)


async def test_a_log_that_is_emptied_while_in_use_is_begun_anew(tmp_path: Path) -> None:
    """What was only in it is lost, perhaps with one more write. What is said from then on is not."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        os.truncate(path.with_name(f"{path.name}-wal"), 0)
        for number in (2, 3):
            with suppress(KeptInMemory):
                await store.append(BOB, exchange(number))
            await until(lambda: store.health.writable and not store.health.kept)
        assert exchange(3)[-1] in await store.recent(BOB, 50)
    assert integrity(path) == "ok"
    async with open_store(path, pace=SLOW) as store:
        assert exchange(3)[-1] in await store.recent(BOB, 50)


async def test_a_link_that_is_put_in_its_place_while_in_use_is_not_followed(tmp_path: Path) -> None:
    """The other file is left alone, memory goes on, and what was said is written when the link is gone."""
    path, other = tmp_path / DATABASE, tmp_path / "other"
    async with open_store(other, pace=SLOW) as store:
        await store.append(BOB, exchange(7))
    before = other.read_bytes()
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        path.unlink()
        path.symlink_to(other)
        await until(lambda: "a symbolic link" in store.health.reason)
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(2))
        assert other.read_bytes() == before
        path.unlink()
        await until(lambda: store.health.writable)
    assert other.read_bytes() == before
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == exchange(2)


TIGHTENED = "file was open to other users: mode is 600 now"


async def test_files_that_others_may_read_are_tightened_at_the_start(tmp_path: Path) -> None:
    """As those of a restored copy may be; the log has one line for each, and none the next time."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
        kept = {file: file.read_bytes() for file in files.files(path) if file.exists()}
    for file, content in kept.items():  # as a crash would leave them
        file.write_bytes(content)
        file.chmod(0o666)
    damaged = path.with_name(f"{path.name}.damaged-20260101T000000Z")
    damaged.write_bytes(b"what somebody said")
    damaged.chmod(0o640)
    with capture_logs() as logs:
        async with open_store(path, pace=SLOW) as store:
            assert {stat.S_IMODE(file.stat().st_mode) for file in (*kept, damaged)} == {0o600}
            assert await store.recent(ANN, 50) == exchange(1)
    told = {log["file"]: log["mode"] for log in logs if log["event"] == TIGHTENED}
    assert told == {**{str(file): "666" for file in kept}, str(damaged): "640"}
    assert {Path(name).name.removeprefix(path.name) for name in told} >= {"", "-wal", "-shm", ".lock"}
    with capture_logs() as logs:
        async with open_store(path, pace=SLOW):
            pass
    assert not [log for log in logs if log["event"] == TIGHTENED]


async def test_a_foreign_file_is_refused_and_keeps_its_mode(tmp_path: Path) -> None:
    """The operator has named the wrong one."""
    path = tmp_path / DATABASE
    path.write_text("not a database at all")
    path.chmod(0o644)
    with pytest.raises(StoreError):
        async with open_store(path, pace=SLOW):
            pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def fill(store: SqliteStore) -> None:
    """Some hundred pages: each person has ten long exchanges."""
    for person_id in range(1, 30):
        turns = [replace(turn, text="x" * 700) for number in range(10) for turn in exchange(number)]
        await store.append(replace(ANN, person_id=person_id), turns)


def garble(path: Path, pages: range) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 4096)
            file.write(b"\xa5" * 4096)


def leaf_of(path: Path, person_id: int) -> int:
    """A page in the middle of that person's turns."""
    connection = sqlite3.connect(path)
    try:
        (conversation,) = connection.execute(
            "SELECT id FROM conversations WHERE person_id = ?", (person_id,)
        ).fetchone()
    finally:
        connection.close()
    text = path.read_bytes()
    marker = b"x" * 700
    pages = [n for n in range(len(text) // 4096) if marker in text[n * 4096 : (n + 1) * 4096]]
    return pages[int(conversation) * len(pages) // 30] + 1


async def test_a_bad_page_is_told_and_set_aside_and_what_memory_has_goes_on(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await fill(store)
    size = path.stat().st_size
    garble(path, range(leaf_of(path, 15), leaf_of(path, 15) + 1))
    async with open_store(path, pace=QUICK) as store:
        first, broken = replace(ANN, person_id=1), replace(ANN, person_id=15)
        assert len(await store.recent(first, 50)) == 20  # the start does not read everything
        for person_id in range(13, 18):
            await store.recent(replace(ANN, person_id=person_id), 50)
        assert not store.health.writable
        assert "is damaged" in store.health.reason
        with pytest.raises(KeptInMemory):
            await store.append(broken, exchange(1))
        await until(lambda: store.health.writable)
        assert await store.recent(broken, 50) == exchange(1)
        assert len(await store.recent(first, 50)) == 20  # from memory
    (aside,) = (file for file in tmp_path.glob("*.damaged-*") if file.stat().st_size)
    assert aside.stat().st_size == size
    assert integrity(path) == "ok"
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(broken, 50) == exchange(1)


async def test_a_file_damaged_at_its_head_is_set_aside_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
    garble(path, range(1, 3))
    async with open_store(path, pace=SLOW) as store:
        assert store.health.writable
        await store.append(ANN, exchange(2))
        assert await store.recent(ANN, 50) == exchange(2)
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


async def test_a_damaged_file_takes_no_name_that_is_there_already(tmp_path: Path) -> None:
    """Not even that of a link that leads nowhere."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
    garble(path, range(1, 3))
    now = datetime.now(UTC)
    taken = [
        tmp_path / f"{DATABASE}.damaged-{now + timedelta(seconds=later):%Y%m%dT%H%M%SZ}"
        for later in range(60)
    ]
    for name in taken:
        name.symlink_to(tmp_path / "nowhere")
    async with open_store(path, pace=SLOW) as store:
        assert store.health.writable
    assert all(name.is_symlink() for name in taken)
    (aside,) = (file for file in tmp_path.glob("*.damaged-*") if not file.is_symlink())
    assert aside.name.endswith("-2")


async def test_text_that_was_garbled_is_readable_and_in_no_message(tmp_path: Path) -> None:
    """What is not UTF-8 any more is shown as such; the rest of the conversation stays."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
    path.write_bytes(path.read_bytes().replace(b"answer 1", b"answ\xff\xfe 1"))
    async with open_store(path, pace=SLOW) as store:
        turns = await store.recent(ANN, 50)
        assert [turn.text for turn in turns] == ["question 1", "answ�� 1"]
        assert store.health.writable


async def test_a_row_that_nobody_wrote_is_damage(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
    path.write_bytes(path.read_bytes().replace(b"assistant", b"assiXXant"))
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == ()
        assert "is damaged" in store.health.reason


async def test_a_file_that_another_program_has_locked_is_called_that_and_no_slow_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log says it once. SQLite gives up before a disk counts as slow, also where one write waits behind
    another; a busy machine may not notice it in time."""
    assert 2 * BUSY_TIMEOUT < SLOW_AFTER
    for module in (durable_writes, outages):
        monkeypatch.setattr(module, "SLOW_AFTER", 30 * SLOW_AFTER)
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other, capture_logs() as logs:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(KeptInMemory, match="another program holds it locked"):
                await store.append(ANN, exchange(1))
        assert not store.health.slow
        assert [log["event"] for log in logs] == ["conversations are kept in memory only"]


async def test_where_the_row_of_bookkeeping_is_missing_a_start_makes_it_anew(tmp_path: Path) -> None:
    """What people said is worth more than a few counters."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM bookkeeping")
    async with open_store(path, pace=QUICK) as store:
        key = await store.identifier_key()
        assert await store.identifier_key() == key
        assert await store.recent(ANN, 50) == exchange(1)
        assert await store.reset(ANN)
        assert store.health.writable


async def test_where_the_folder_was_removed_the_database_that_is_begun_anew_is_locked_as_before(
    tmp_path: Path,
) -> None:
    """Else two bots would write into one file."""
    path = tmp_path / "folder" / DATABASE
    path.parent.mkdir()
    async with open_store(path, pace=QUICK) as store:
        shutil.rmtree(path.parent)
        await until(lambda: not store.health.writable)
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(1))
        path.parent.mkdir()
        await until(lambda: store.health.writable)
        assert await store.recent(ANN, 50) == exchange(1)
        assert bot_is_running(path)
        with pytest.raises(StoreError, match="in use by another bot"):
            async with open_store(path):
                pass
    assert not bot_is_running(path)


async def test_a_second_bot_is_refused_and_named_the_first(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        with pytest.raises(StoreError, match=f"in use by another bot.*process {os.getpid()}"):
            async with open_store(path):
                pass
        await store.append(ANN, exchange(1))
        assert bot_is_running(path)
    assert not bot_is_running(path)


async def test_a_start_waits_a_moment_for_a_command_that_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    lock = DatabaseLock(path)

    async def release() -> None:
        await trio.sleep(0.1)
        lock.release()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(release)
        async with open_store(path, pace=SLOW) as store:
            await store.append(ANN, exchange(1))


async def test_a_newer_schema_and_other_programs_files_are_refused_and_left_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW):
        pass
    change(path, "PRAGMA user_version = 99")
    other = tmp_path / "other.sqlite3"
    change(other, "CREATE TABLE t (a)")
    text = tmp_path / "notes.txt"
    text.write_text("not a database")
    for refused, sentence in (
        (path, "written by a newer version.*its schema is 99"),
        (other, "is another program's database"),
        (text, "is not a database"),
    ):
        before = refused.read_bytes()
        with pytest.raises(StoreError, match=sentence):
            async with open_store(refused):
                pass
        assert refused.read_bytes() == before
    assert not list(tmp_path.glob("*damaged*"))


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()


def integrity(path: Path) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()


BOOT = ClockReading.now().boot


@pytest.mark.parametrize(
    "more",
    [
        "{half",
        "[]",
        '{"quotation": [1]}',
        pytest.param("[" * 100_000, id="levels"),
        pytest.param(f'{{"clock": ["{BOOT}", 1{"0" * 400}]}}', id="a number that no clock shows"),
    ],
)
async def test_a_question_that_cannot_be_read_keeps_nobody_from_the_others(tmp_path: Path, more: str) -> None:
    """A disk fault garbled it, or somebody has changed it by hand: no bot ends for that, again and again."""
    path = tmp_path / DATABASE
    async with open_store(path) as store:
        await store.accept(question(1))
        await store.accept(question(2))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE questions SET more = ? WHERE interaction_id = 1", [more])
    with capture_logs() as logs:
        async with open_store(path) as store:
            (left,) = await store.take_over()
    assert left.question.address.interaction_id == 2
    assert [log["event"] for log in logs].count("a stored question is unreadable") == 1
