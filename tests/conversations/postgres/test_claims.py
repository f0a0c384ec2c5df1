"""Several processes on one database: whose a question is, and what one does not do to another's."""

import subprocess
import sys
import threading
import time
from functools import partial

import psycopg
import pytest
import trio
from pydantic import SecretStr
from structlog.testing import capture_logs

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import PendingQuestion
from discordianai.conversations.postgres import processes_table, turns_table
from discordianai.conversations.postgres.connections import PostgresServer, operator_connection
from discordianai.conversations.postgres.processes_table import OwnRow
from discordianai.conversations.postgres.purge import ServerPurge
from discordianai.conversations.store import ChannelSettings, ClaimLost
from discordianai.records import Role, Turn
from discordianai.sandbox.tcp_relay import Passing, open_relay
from tests.conversations.builders import ANN, NOW, answer, exchange, question
from tests.conversations.postgres.scene import QUICK, opened
from tests.postgres import PostgresDatabase


async def test_a_living_processs_questions_are_left_alone_and_those_it_leaves_are_taken_at_once(
    postgres_database: PostgresDatabase,
) -> None:
    async with opened(postgres_database) as other:
        async with opened(postgres_database) as store:
            await store.accept(question(1))
            await trio.sleep(0.1)
            assert await other.take_over() == ()
        (left,) = await other.take_over()
        assert left.question.address.interaction_id == 1


async def test_of_two_that_look_at_once_each_question_goes_to_one(
    postgres_database: PostgresDatabase,
) -> None:
    """What another process is just taking is not waited for, and not taken from it."""
    async with opened(postgres_database) as store:
        for number in range(1, 5):
            await store.accept(question(number))

    def open_other() -> psycopg.Connection[tuple[object, ...]]:
        other = psycopg.connect(postgres_database.url, password=postgres_database.password)
        other.execute(OwnRow(1, "elsewhere", 1).register())
        other.commit()
        other.execute("UPDATE questions SET owner = 1, claim = claim + 1 WHERE interaction_id < 3")
        return other

    async with opened(postgres_database) as store:
        other = await trio.to_thread.run_sync(open_other)
        with trio.fail_after(2):
            taken = await store.take_over()
        assert [entry.question.address.interaction_id for entry in taken] == [3, 4]
        await trio.to_thread.run_sync(other.commit)
        assert await store.take_over() == ()
        other.close()


async def test_a_process_that_was_taken_for_dead_stores_and_finishes_nothing_of_a_question_any_more(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was cut off, and its lease ran out. The other's answer stays, also when the first one is late."""
    monkeypatch.setattr(processes_table, "LEASE", 1.0)
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port, pace=QUICK) as first,
        opened(postgres_database, pace=QUICK) as second,
    ):
        for number in (1, 2):
            await first.accept(question(number))
        relay.let_pass(Passing.HELD, Passing.HELD)
        taken: list[PendingQuestion] = []
        with trio.fail_after(10):
            while len(taken) < 2:
                taken += await second.take_over()
                await trio.sleep(0.05)
        relay.cut()
        relay.let_pass()
        await first.append(ConversationKey(9, 9), exchange(1))  # it is back, and knows nothing yet
        await second.answered(1, answer(1))
        with pytest.raises(ClaimLost, match="another process"):
            await first.answered(1, answer(9))
        with pytest.raises(ClaimLost, match="another process"):
            await first.note_posted(2, taken[1].posted, "late")
        with pytest.raises(ClaimLost, match="another process"):
            await first.finish(2)
        assert not await first.count_start(2)
        await second.answered(2, answer(2))
        for number in (1, 2):
            await second.finish(number)
        await first.answered(2, answer(9))  # nothing to be said any more: it is finished
        await first.finish(2)
        assert await second.recent(ANN, 50) == (*exchange(1), *exchange(2))
        assert first.health.writable


ACCEPT_AND_HANG = """
import sys, trio
from pydantic import SecretStr
from structlog.testing import capture_logs
from discordianai.conversations.postgres.connections import PostgresServer
from discordianai.conversations.postgres.store import open_store
from tests.conversations.builders import question

async def main():
    async with open_store(PostgresServer(sys.argv[1], SecretStr(sys.argv[2]))) as store:
        await store.accept(question(1, person_id=77))
        print("accepted", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.mark.slow
async def test_the_questions_of_a_killed_process_are_taken_within_ten_seconds(
    postgres_database: PostgresDatabase,
) -> None:
    """By the one that was started in its place at once, though the dead one still counts as living."""
    command = [sys.executable, "-c", ACCEPT_AND_HANG, postgres_database.url, postgres_database.password]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command, stdout=subprocess.PIPE, check=False))
        assert process.stdout is not None
        assert (await process.stdout.receive_some()).startswith(b"accepted")
        process.kill()
        killed = time.monotonic()
        async with opened(postgres_database) as store:
            left = await store.take_over()
            while not left:
                await trio.sleep(0.2)
                left = await store.take_over()
        assert [entry.question.person.id for entry in left] == [77]
        assert time.monotonic() - killed < 10


async def test_what_one_forgets_is_forgotten_everywhere_at_once(postgres_database: PostgresDatabase) -> None:
    """There is no cache that would not know; the settings of channels are read again in a moment."""
    async with (
        opened(postgres_database, pace=QUICK) as one,
        opened(postgres_database, pace=QUICK) as another,
    ):
        await one.append(ANN, exchange(1))
        assert await one.recent(ANN, 50) == await another.recent(ANN, 50) == exchange(1)
        await another.forget(ANN.person_id)
        assert await one.recent(ANN, 50) == ()
        with trio.fail_after(5):
            await one.changed_elsewhere()
        await another.set_channel(5, 7, 10, ChannelSettings("Be a pirate."))
        with trio.fail_after(5):
            await one.changed_elsewhere()
        assert await one.channels() == {5: ChannelSettings("Be a pirate.")}


async def test_two_that_add_to_one_conversation_keep_no_more_than_it_may_have(
    postgres_database: PostgresDatabase,
) -> None:
    shared = ConversationKey(1, 0)
    async with opened(postgres_database) as one, opened(postgres_database) as another:

        async def talk(store: object, person_id: int) -> None:
            for number in range(30):
                which = one if store is one else another
                await which.append(shared, exchange(number, NOW), person_id=person_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk, one, 10)
            nursery.start_soon(talk, another, 11)
        await one.append(shared, exchange(99), person_id=10)
        turns = await one.recent(shared, 50)
    assert 48 <= len(turns) <= 50  # the oldest question may be just outside
    assert turns[-2:] == exchange(99)
    assert postgres_database.sql("SELECT count(*) FROM turns") == "50"


async def test_other_programs_see_which_processes_use_the_database(
    postgres_database: PostgresDatabase,
) -> None:
    """A command that needs the database for itself can say who has it."""
    server = PostgresServer(postgres_database.url, SecretStr(postgres_database.password))

    def living() -> list[str]:
        with operator_connection(server) as connection:
            return [str(process) for process in processes_table.living(connection)]

    async with opened(postgres_database), opened(postgres_database):
        names = await trio.to_thread.run_sync(living)
        assert len(names) == 2
        assert all("process " in name for name in names)
    assert await trio.to_thread.run_sync(living) == []


async def test_a_question_that_cannot_be_read_keeps_nobody_from_the_others_and_ends_no_bot(
    postgres_database: PostgresDatabase,
) -> None:
    """Somebody has changed it by hand, or a newer version has written it."""
    async with opened(postgres_database) as store:
        for number in (1, 2, 3, 4):
            await store.accept(question(number))
    postgres_database.sql(
        "UPDATE questions SET more = '{half' WHERE interaction_id = 1;"
        "UPDATE questions SET more = '[]' WHERE interaction_id = 2;"
        "UPDATE questions SET message_ids = 'seven' WHERE interaction_id = 3"
    )
    with capture_logs() as logs:
        async with opened(postgres_database) as store:
            (left,) = await store.take_over()
            assert left.question.address.interaction_id == 4
            assert await store.take_over() == ()
            await store.finish(4)
    assert [log["event"] for log in logs].count("a stored question is unreadable") == 3


async def test_a_question_without_its_history_because_a_turn_is_unreadable_is_logged(
    postgres_database: PostgresDatabase,
) -> None:
    async with opened(postgres_database) as store:
        await store.append(ANN, exchange(1))
        postgres_database.sql("UPDATE turns SET attachments = '{half'")
        with capture_logs() as logs:
            assert [await store.recent(ANN, 50) for _ in range(3)] == [()] * 3
    warned = [log for log in logs if log["log_level"] == "warning"]
    assert [(log["event"], log["reason"]) for log in warned] == [
        ("question answered without its history", "a stored turn is unreadable")
    ]


async def test_an_export_reads_no_more_of_a_person_than_it_can_hold(
    postgres_database: PostgresDatabase,
) -> None:
    async with opened(postgres_database) as store:
        for channel_id in range(1, 6):
            turns = (Turn(Role.USER, "x" * 10_000, NOW), Turn(Role.ASSISTANT, "y" * 10_000, NOW))
            await store.append(ConversationKey(channel_id, 10), turns, person_id=10)
    ((statement, values),) = turns_table.of_person(10, 25_000).statements
    server = PostgresServer(postgres_database.url, SecretStr(postgres_database.password))
    with operator_connection(server) as connection:
        assert len(connection.execute(statement, values).fetchall()) == 3


@pytest.mark.parametrize("by", ["the bot", "an operator", "an operator who wants everything gone"])
async def test_all_is_forgotten_also_where_another_process_removes_some_of_it_meanwhile(
    postgres_database: PostgresDatabase, by: str
) -> None:
    """What it removed is no reason to stop early."""
    server = PostgresServer(postgres_database.url, SecretStr(postgres_database.password))
    turns = 3 * turns_table.STEP
    options = ConversationOptions(max_turns=turns)
    locked, go = threading.Event(), threading.Event()

    def remove_some() -> None:
        with operator_connection(server) as connection, connection.transaction():
            connection.execute(
                "DELETE FROM turns WHERE id <= (SELECT min(id) + %s FROM turns)", (turns_table.STEP,)
            )
            locked.set()
            go.wait(10)

    def purge() -> None:
        selection = Selection() if "everything" in by else Selection(person_id=ANN.person_id)
        with operator_connection(server) as connection:
            ServerPurge(connection).remove(selection, turns, lambda _done, _total: None)

    async with opened(postgres_database, options=options) as store:
        await store.append(ANN, [turn for number in range(turns // 2) for turn in exchange(number)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, remove_some)
            await trio.to_thread.run_sync(locked.wait)
            if by == "the bot":
                nursery.start_soon(store.forget, ANN.person_id)
            else:
                nursery.start_soon(trio.to_thread.run_sync, purge)
            await trio.sleep(0.7)
            go.set()
    assert postgres_database.sql("SELECT count(*) FROM turns") == "0"
