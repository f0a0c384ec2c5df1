"""What the store does beside answering, and how an operator's purge gets along with it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.sqlite import backup, checkpoints, residues
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.sqlite.purge import FilePurge
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.conversations.store import ChannelSettings
from discordianai.records import Place
from tests.conversations.builders import ANN, BOB, DATABASE, NOW, QUICK, SLOW, answer, exchange, question

DAY = 86_400.0


def log_of(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


def on_disk(folder: Path) -> bytes:
    """All that the files hold, read by another process: this one would lose SQLite's locks."""
    files = sorted(map(str, folder.iterdir()))
    return subprocess.run(["/bin/cat", *files], capture_output=True, check=True).stdout  # noqa: S603  # our own


async def gone(folder: Path, *texts: bytes) -> None:
    """Wait until no file holds any of the texts."""
    with trio.fail_after(10):
        while any(text in on_disk(folder) for text in texts):  # noqa: ASYNC110  # the upkeep tells nobody
            await trio.sleep(0.02)


def silent(_done: int, _total: int) -> None:
    """Nobody looks."""


def purge(database: Path, selection: Selection) -> int:
    with residues.opened(database) as descriptor, operator_connection(database, write=True) as connection:
        work = FilePurge(database, connection, descriptor)
        turns = work.remove(selection, 0, silent)
        work.shrink(silent)
        work.empty_log()
        return turns


async def fill(store: SqliteStore, people: int) -> None:
    """Fifty turns of 2000 characters each."""
    turns = [replace(turn, text="x" * 2000) for number in range(25) for turn in exchange(number)]
    for person_id in range(1, people + 1):
        await store.append(ConversationKey(7, person_id), turns)


async def test_a_running_bot_notices_a_purge_and_keeps_nothing_of_it_anywhere(
    tmp_path: Path,
) -> None:
    """The purge is another process."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1), guild_id=7)
        await store.append(BOB, exchange(2), guild_id=7)
        await store.accept(question(1, "what Ann is asking", person_id=ANN.person_id))
        channels = ChannelSettingsCache(store)
        await channels.set(Place(5), ANN.person_id, ChannelSettings("what Ann has set"))
        assert await store.recent(ANN, 50) == exchange(1)
        assert await store.recent(BOB, 50) == exchange(2)
        await trio.sleep(0.1)  # the bot has seen how many purges there were
        command = [sys.executable, "-m", "discordianai", "conversations", "purge", "--yes"]
        selection = ["--person", str(ANN.person_id), "--database", str(path)]
        done = await trio.run_process([*command, *selection], capture_stderr=True)
        assert b"a bot is running on it\n2 turns will be deleted permanently" in done.stderr
        assert b"the bot notices within a second or two" in done.stderr
        with trio.fail_after(10):
            while await store.recent(ANN, 50):  # noqa: ASYNC110  # the upkeep tells nobody
                await trio.sleep(0.01)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(channels.run)
                while channels.of(Place(5)):  # noqa: ASYNC110  # nor does the book
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
        await gone(tmp_path, b"question 1", b"answer 1", b"what Ann", b"token-1")
        assert await store.recent(BOB, 50) == exchange(2)
        await store.answered(1, answer(3, ANN))
        assert await store.recent(ANN, 50) == ()  # she was forgotten after she asked
    async with open_store(path, pace=SLOW) as store:
        assert await store.take_over() == ()


@pytest.mark.slow
async def test_answers_go_on_between_the_steps_of_a_large_purge(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK) as store:
        turns = [turn for number in range(25) for turn in exchange(number)]
        async with trio.open_nursery() as nursery:
            for person_id in range(100, 200):
                nursery.start_soon(store.append, ConversationKey(5, person_id), turns)
        removed: list[int] = []

        async def remove() -> None:
            removed.append(await trio.to_thread.run_sync(purge, path, Selection(channel_id=5)))

        stored = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(remove)
            while not removed:
                await store.append(ANN, exchange(stored))
                stored += 1
        assert removed == [5000]
        assert stored > 10  # of the 25 steps, each is followed by a pause
        assert (await store.recent(ANN, 50))[-2:] == exchange(stored - 1)


async def test_what_a_killed_bot_had_removed_leaves_the_log_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    script = f"""
import os, trio
from pathlib import Path
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from tests.conversations.builders import ANN, SLOW, exchange
async def main():
    async with open_store(Path({str(path)!r}), pace=SLOW) as store:
        await trio.sleep(0.1)
        await store.append(ANN, exchange(1))
        async def die():
            os.kill(os.getpid(), 9)
        store._erase = die
        await store.reset(ANN)
trio.run(main)
"""
    await trio.run_process([sys.executable, "-c", script], check=False)
    assert b"question 1" in on_disk(tmp_path)
    async with open_store(path, pace=QUICK):
        await gone(tmp_path, b"question 1")


async def test_a_forgotten_persons_words_are_in_no_file_when_forget_returns(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
        await store.append(BOB, exchange(2))
        assert b"question 1" in on_disk(tmp_path)
        await store.forget(ANN.person_id)
        assert b"question 1" not in on_disk(tmp_path)
        assert b"question 2" in on_disk(tmp_path)


async def test_retention_removes_what_is_too_old_from_file_and_memory(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    now = [NOW]
    options = ConversationOptions(ttl_days=2)
    async with open_store(path, options, pace=QUICK, clock=lambda: now[0]) as store:
        await store.append(ANN, exchange(1))
        await store.append(BOB, exchange(2, NOW + DAY))
        await store.accept(question(1))
        await store.finish(1)
        assert await store.recent(ANN, 50) == exchange(1)
        now[0] = NOW + 2.5 * DAY
        assert await store.recent(ANN, 50) == ()
        await gone(tmp_path, b"question 1")
        assert await store.recent(BOB, 50) == exchange(2, NOW + DAY)
        assert await store.accept(question(1))  # its id was kept for an hour


async def test_a_bot_that_starts_decades_ahead_deletes_nothing_for_ever(tmp_path: Path) -> None:
    """Nothing is shown meanwhile; when the clock is right, all of it is there. What is of 1970 goes."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
        await store.append(BOB, exchange(2, 5.0))
    async with open_store(path, pace=QUICK, clock=lambda: NOW + 74 * 365 * DAY) as store:
        await gone(tmp_path, b"question 2")
        assert await store.recent(ANN, 50) == ()
    async with open_store(path, pace=QUICK) as store:
        assert await store.recent(ANN, 50) == exchange(1)


async def test_a_purge_takes_a_copy_too_and_leaves_it_one_file(tmp_path: Path) -> None:
    path, copy = tmp_path / DATABASE, tmp_path / "copies" / "copy"
    copy.parent.mkdir()
    copy.touch()
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
        await store.append(BOB, exchange(2))
        await trio.to_thread.run_sync(backup.copy, path, copy, silent)
    assert purge(copy, Selection(person_id=ANN.person_id)) == 2
    assert [file.name for file in copy.parent.iterdir()] == ["copy"]
    assert b"question 1" not in copy.read_bytes()
    assert b"question 2" in copy.read_bytes()


@pytest.mark.slow
async def test_free_pages_go_back_to_the_disk(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await fill(store, people=30)
        with trio.fail_after(10):
            while path.stat().st_size < 2.5 * 2**20:  # noqa: ASYNC110  # a file tells nobody when it grows
                await trio.sleep(0.01)
        for person_id in range(1, 31):
            await store.reset(ConversationKey(7, person_id))
        with trio.fail_after(10):
            while path.stat().st_size > 2 * 2**20:  # noqa: ASYNC110  # nor when it shrinks
                await trio.sleep(0.02)


async def test_under_load_the_log_is_moved_before_the_second_is_over(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        with trio.fail_after(10):
            while log_of(path).stat().st_size:  # noqa: ASYNC110  # the first round
                await trio.sleep(0.01)
        before = path.stat().st_mtime_ns
        async with trio.open_nursery() as nursery:
            for person_id in range(1, 4 * checkpoints.CHECKPOINT_AFTER):
                nursery.start_soon(store.append, ConversationKey(7, person_id), exchange(1))
        with trio.fail_after(10):
            while path.stat().st_mtime_ns == before:  # noqa: ASYNC110  # a file tells nobody
                await trio.sleep(0.01)


async def test_a_long_log_is_begun_anew_though_writes_never_pause(tmp_path: Path) -> None:
    """40 MB are written; 16 MB is where it begins anew."""
    path = tmp_path / DATABASE
    long = [replace(turn, text="x" * 50_000) for turn in exchange(1)]
    async with open_store(path, ConversationOptions(max_turns=2), pace=QUICK) as store:

        async def write(person_id: int) -> None:
            for _ in range(50):
                await store.append(ConversationKey(7, person_id), long)

        async with trio.open_nursery() as nursery:
            for person_id in range(1, 9):
                nursery.start_soon(write, person_id)
        assert log_of(path).stat().st_size < 28 * 2**20


async def test_a_purge_without_a_bot_empties_the_log_itself_and_shrinks_the_file(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await fill(store, people=40)
    assert path.stat().st_size > 3 * 2**20
    await trio.to_thread.run_sync(purge, path, Selection())
    assert path.stat().st_size < 2 * 2**20
    assert b"xxxx" not in on_disk(tmp_path)
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
        assert await store.recent(ANN, 50) == exchange(1)


async def test_while_another_command_reads_the_log_cannot_be_emptied_and_a_purge_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
    with residues.opened(path) as descriptor, operator_connection(path) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM turns").fetchall()
        with operator_connection(path, write=True) as connection:
            work = FilePurge(path, connection, descriptor)
            assert work.remove(Selection(), 2, silent) == 2
            assert not work.empty_log(patience=0.1)
        reader.execute("ROLLBACK")
        with operator_connection(path, write=True) as connection:
            assert FilePurge(path, connection, descriptor).empty_log(patience=0.1)
    assert b"question 1" not in on_disk(tmp_path)
