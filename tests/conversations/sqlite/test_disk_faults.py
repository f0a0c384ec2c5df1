"""The disk fails, fills or hesitates under a running store, which is a process of its own for that."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from discordianai.conversations.engine import outages
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.conversations.store import KeptInMemory
from tests.conversations.builders import ANN, BOB, DATABASE, QUICK, SLOW, answer, exchange, question
from tests.conversations.disk_faults import Faults, make_faults


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return make_faults(tmp_path, DATABASE)


async def play(scene: str, faults: Faults, folder: Path) -> None:
    """Run that function of this module in a process with those faults; what it raises fails the test."""
    script = (
        f"import trio; from pathlib import Path; from {__name__} import *; from {__name__} import {scene};"
        f" trio.run({scene}, Path({str(folder)!r}), Faults(Path({str(folder)!r}), {DATABASE!r}))"
    )
    with trio.fail_after(60):
        done = await trio.run_process(
            [sys.executable, "-c", script],
            env={**os.environ, **faults.environment},
            capture_stderr=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110  # health is asked for, it tells nobody
            await trio.sleep(0.01)


def warnings(logs: Sequence[object]) -> list[str]:
    """What an operator sees."""
    lines = [log for log in logs if isinstance(log, dict)]
    return [log["event"] for log in lines if log["log_level"] != "debug"]


async def slow_fsync(folder: Path, faults: Faults) -> None:
    outages.SLOW_OVER_AFTER = 1.0
    path = folder / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        assert await store.recent(ANN, 50) == exchange(1)
        with capture_logs() as logs:
            faults.set(fsync_seconds=5)
            began = trio.current_time()
            await ask_beside_a_slow_disk(store)
            assert trio.current_time() - began < 4.5  # none waits for its fsync
            assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))
            assert await store.recent(BOB, 50) == exchange(3)
            assert not await store.accept(question(1))  # a replay
            assert store.health.writable
            assert store.health.slow
            assert store.health.kept >= 3
            faults.set()
            await until(lambda: not store.health.kept)
            assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))
            await until(lambda: not store.health.slow)
        assert warnings(logs) == [
            "the disk is slow: answers are shown before they are stored",
            "the disk is no longer slow",
        ]
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))
        assert await store.recent(BOB, 50) == exchange(3)
        assert len(await store.take_over()) == 1


async def ask_beside_a_slow_disk(store: SqliteStore) -> None:
    async def kept(call: Callable[..., object], *arguments: object) -> None:
        with pytest.raises(KeptInMemory):
            await call(*arguments)  # type: ignore[misc]  # any of the store's

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept, store.append, ANN, exchange(2))
        nursery.start_soon(kept, store.append, BOB, exchange(3))
        nursery.start_soon(kept, store.accept, question(1))


@pytest.mark.slow
async def test_a_slow_fsync_delays_nobody_for_longer_than_two_seconds_and_loses_nothing(
    tmp_path: Path, faults: Faults
) -> None:
    """Each caller goes on after two seconds, what it wrote is read meanwhile, and the log has two lines."""
    await play("slow_fsync", faults, tmp_path)


async def failing(folder: Path, faults: Faults, error: int) -> None:
    path = folder / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        with capture_logs() as logs:
            faults.set(error=error)
            with pytest.raises(KeptInMemory):
                await store.append(ANN, exchange(2))
            with pytest.raises(KeptInMemory):
                await store.accept(question(1))
            with pytest.raises(KeptInMemory):
                await store.answered(2, answer(3, BOB))
            assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))
            await trio.sleep(0.5)  # some tries
            assert store.health.kept == 3
            assert "the disk" in store.health.reason
            faults.set()
            await until(lambda: store.health.writable)
        assert warnings(logs) == [
            "conversations are kept in memory only",
            "conversations are kept in the database again",
        ]
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))
        assert await store.recent(BOB, 50) == exchange(3)
        assert [left.question.address.interaction_id for left in await store.take_over()] == [1]


async def full(folder: Path, faults: Faults) -> None:
    await failing(folder, faults, errno.ENOSPC)


async def read_only(folder: Path, faults: Faults) -> None:
    await failing(folder, faults, errno.EROFS)


async def broken(folder: Path, faults: Faults) -> None:
    await failing(folder, faults, errno.EIO)


@pytest.mark.parametrize("scene", ["full", "read_only", "broken"])
async def test_a_disk_that_takes_no_writes_loses_nothing_and_is_logged_once(
    tmp_path: Path, faults: Faults, scene: str
) -> None:
    """One line when it begins and one when it ends, however often it is tried meanwhile."""
    await play(scene, faults, tmp_path)
