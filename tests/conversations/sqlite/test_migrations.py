"""What happens while an older file is brought to the newest schema."""

import json
import signal
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import structlog
import trio
from structlog.testing import capture_logs

from discordianai.conversations.accounting import Charge, Spent, day_of
from discordianai.conversations.pending_questions import Posted
from discordianai.conversations.sqlite import migration_log, migrations
from discordianai.conversations.sqlite.migrations import STEPS, migrate
from discordianai.conversations.sqlite.operator_access import inspect, operator_connection
from discordianai.conversations.sqlite.store import open_store
from discordianai.operations.systemd import Notifier
from discordianai.records import Usage
from tests.conversations.builders import ANN, DATABASE, NOW, SLOW, exchange, older_database
from tests.operations.managers import open_manager

OLDER = range(1, len(STEPS))

LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n;"
"""A statement that never ends."""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration of a few rows has much to report, as one of a large file has; and the log takes INFO."""
    structlog.reset_defaults()
    monkeypatch.setattr(migrations, "INSTRUCTIONS", 10)


def schema(path: Path) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def news(logs: Iterable[Mapping[str, object]]) -> list[object]:
    return [line["event"] for line in logs if "schema" in line and line["log_level"] == "info"]


@pytest.mark.parametrize("older", OLDER)
async def test_a_bot_goes_on_from_the_database_of_any_former_version(tmp_path: Path, older: int) -> None:
    path = tmp_path / DATABASE
    older_database(path, older)
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == exchange(1)
        assert [left.question.text for left in await store.take_over()] == ["nobody else may read this"]
    assert schema(path) == len(STEPS)


@pytest.mark.parametrize("older", OLDER[1:])
async def test_what_former_versions_charged_keeps_its_meaning(tmp_path: Path, older: int) -> None:
    """Nano-units stay what they were; of cached tokens and searches nothing was known. More adds to it."""
    path = tmp_path / DATABASE
    older_database(path, older)
    with operator_connection(path) as connection:  # a command that only reads takes the older file as it is
        assert inspect(connection, path, NOW).today == Spent(1, 100, 20, 3_000_000, 0)
    async with open_store(path, pace=SLOW) as store:
        assert await store.spent(day_of(NOW), person_id=10) == Spent(1, 100, 20, 3_000_000, 0)
        more = Usage(5, 6, cached_tokens=4, searches=2)
        await store.charge(Charge(10, 7, "openai", "gpt", more, day_of(NOW), 7))
        assert await store.spent(day_of(NOW), guild_id=7) == Spent(2, 105, 26, 3_000_007, 0, 4, 2)
        await store.forget(10)
        (line,) = await store.spending(day_of(NOW))
        assert line.spent == Spent(2, 105, 26, 3_000_007, 0, 4, 2)


@pytest.mark.parametrize(
    ("more", "message_ids", "posted"),
    [
        ({}, "", Posted()),
        ({}, "501 502", Posted(further_ids=(501, 502))),
        ({"message_id": 44}, "500", Posted(original_id=500)),
        ({"message_id": 44}, "500 501", Posted(None, 500, (501,))),
        ({"in_thread": True}, "7", Posted(thread_id=7)),
        ({"in_thread": True}, "7 500 501 502", Posted(7, 500, (501, 502))),
    ],
)
async def test_what_a_former_version_had_posted_is_known_by_its_place(
    tmp_path: Path, more: dict[str, object], message_ids: str, posted: Posted
) -> None:
    """It wrote ids alone, as many as there were: what each is follows from how the question was asked."""
    path = tmp_path / DATABASE
    older_database(path, len(STEPS))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE questions SET message_ids = ?, more = ?", (message_ids, json.dumps(more)))
    async with open_store(path, pace=SLOW) as store:
        (left,) = await store.take_over()
        assert left.posted == posted


async def test_the_log_tells_when_a_migration_begins_and_every_few_seconds_while_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DATABASE
    older_database(path, 1)
    monkeypatch.setattr(migrations, "STEPS", STEPS[:2])
    monkeypatch.setattr(migration_log, "EVERY", 0.0)  # as if each moment were five seconds
    with capture_logs() as logs:
        async with open_store(path, pace=SLOW):
            pass
    first, *meanwhile, last = news(logs)
    assert first == "migrating the database to a newer schema"
    assert set(meanwhile) == {"still migrating the database"}
    assert last == "database migrated"


async def test_a_short_migration_is_told_in_a_line_for_each_step_and_one_more_and_a_new_file_in_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / DATABASE
    older_database(path, len(STEPS) - 2)
    with capture_logs() as logs:
        async with open_store(path, pace=SLOW), open_store(tmp_path / "new", pace=SLOW):
            pass
        async with open_store(path, pace=SLOW):
            pass
    assert news(logs) == [
        *["migrating the database to a newer schema"] * 2,
        "database migrated",
    ]


async def test_the_service_manager_is_asked_for_more_time_at_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DATABASE
    older_database(path, 1)
    monkeypatch.setattr(migration_log, "EVERY", 0.0)
    with open_manager(tmp_path) as manager, capture_logs() as logs:
        notifier = Notifier(manager.environment())
        async with open_store(path, pace=SLOW, ask_for_time=partial(notifier.extend_timeout, 45)):
            pass
        asked = manager.waiting()
    assert set(asked) == {"EXTEND_TIMEOUT_USEC=45000000"}
    assert 2 <= len(asked) <= len(news(logs)) - 1  # the last line says that it is over


async def test_a_cancelled_start_ends_the_migration_and_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DATABASE
    older_database(path, 1)
    monkeypatch.setattr(migrations, "STEPS", (STEPS[0], STEPS[1] + LONG))
    with trio.fail_after(10):
        with trio.move_on_after(0.2) as patience:
            async with open_store(path, pace=SLOW):
                pytest.fail("it never ends")
        assert patience.cancelled_caught
    monkeypatch.undo()
    assert schema(path) == 1
    async with open_store(path, pace=SLOW) as store:
        assert await store.recent(ANN, 50) == exchange(1)


def test_a_signal_ends_the_migration_as_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite alone would make an error of the database out of Ctrl-C."""
    path = tmp_path / DATABASE
    older_database(path, 1)
    monkeypatch.setattr(migrations, "STEPS", (STEPS[0], STEPS[1] + LONG))
    connection = sqlite3.connect(path, isolation_level=None)
    timer = threading.Timer(0.2, lambda: signal.raise_signal(signal.SIGINT))
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            migrate(connection)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, former)
        connection.close()
    assert schema(path) == 1
