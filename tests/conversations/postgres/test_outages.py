"""While the server is away, frozen or out of reach: memory goes on, nobody waits, and nothing is lost."""

import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import psycopg
import pytest
import trio
from structlog.testing import capture_logs

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.postgres import group_commit
from discordianai.conversations.postgres.connections import PostgresServer, operator_connection
from discordianai.conversations.postgres.store import PostgresStore, open_store
from discordianai.conversations.store import ChannelSettings, KeptInMemory, StoreError
from discordianai.records import Usage
from discordianai.sandbox.postgres_cluster import Cluster
from discordianai.sandbox.tcp_relay import Passing, open_relay
from tests.conversations.builders import ANN, BOB, NOW, answer, exchange, question
from tests.conversations.postgres.scene import QUICK, QUIET, opened, server_of, until
from tests.postgres import PostgresDatabase, new_database

pytestmark = pytest.mark.slow

ASKER = 3.0
"""Seconds that an asker waits at most: two, and what a busy machine adds."""


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds that a call of the store's takes, also where it ends in memory."""
    began = time.monotonic()
    with suppress(StoreError):
        await call()
    return time.monotonic() - began


async def test_while_the_server_is_away_memory_goes_on_and_is_written_when_it_is_back(
    durable_cluster: Cluster,
) -> None:
    with new_database(durable_cluster) as database:
        async with opened(database) as store:
            await store.append(ANN, exchange(1))
            await store.accept(question(7))
            await trio.to_thread.run_sync(durable_cluster.stop)
            with pytest.raises(KeptInMemory, match="cannot be used"):
                await store.append(ANN, exchange(2))
            with pytest.raises(KeptInMemory):
                await store.accept(question(1))
            assert not await store.accept(question(1))
            with pytest.raises(StoreError):
                await store.reset(ANN)
            with pytest.raises(KeptInMemory):
                await store.answered(7, answer(3))
            assert await store.recent(ANN, 50) == (*exchange(2), *exchange(3))
            assert not store.health.writable
            assert store.health.kept == 3
            await trio.to_thread.run_sync(durable_cluster.start)
            await until(lambda: store.health.writable)
            assert store.health.kept == 0
            assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2), *exchange(3))
        async with opened(database) as store:
            assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2), *exchange(3))
            left = [entry.question.address.interaction_id for entry in await store.take_over()]
            assert left == [1, 7]


async def test_a_server_that_freezes_for_ten_seconds_keeps_nobody_waiting_and_loses_nothing(
    durable_cluster: Cluster,
) -> None:
    """Its connections stay open, and nobody answers: only our own clock notices."""
    with new_database(durable_cluster) as database:
        async with opened(database) as store:
            for key in (ANN, BOB):
                await store.append(key, exchange(0))
            waits: list[float] = []
            number = 0

            async def talk(key: ConversationKey) -> None:
                nonlocal number
                for _ in range(6):
                    number += 1
                    here = number
                    waits.append(await timed(partial(store.append, key, exchange(here))))
                    waits.append(await timed(lambda: store.recent(key, 50)))
                    assert (await store.recent(key, 50))[-2:] == exchange(here)
                    await trio.sleep(0.3)

            with durable_cluster.frozen():
                frozen = time.monotonic()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(talk, ANN)
                    nursery.start_soon(talk, BOB)
                assert max(waits) < ASKER
                assert store.health.kept
                await trio.sleep(max(0, 10 - (time.monotonic() - frozen)))
            await until(lambda: store.health.writable and not store.health.kept)
            assert store.health.lost == 0
            said = await store.recent(ANN, 50) + await store.recent(BOB, 50)
        assert sorted(turn.text for turn in said) == sorted(
            turn.text for each in (0, 0, *range(1, number + 1)) for turn in exchange(each)
        )


async def test_packets_that_vanish_end_in_words_and_what_waits_is_written_once_they_come_again(
    postgres_database: PostgresDatabase,
) -> None:
    """Nothing is refused and nothing answered: every thread comes back all the same."""
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port) as store,
    ):
        await store.append(ANN, exchange(1))
        await store.recent(ANN, 50)
        relay.let_pass(Passing.SWALLOWED, Passing.SWALLOWED)
        assert await timed(lambda: store.append(ANN, exchange(2))) < ASKER
        assert await timed(lambda: store.recent(ANN, 50)) < ASKER
        await until(lambda: not store.health.writable)
        assert "does not answer in time" in store.health.reason
        assert await timed(lambda: store.recent(ANN, 50)) < 0.1  # nobody waits for what is known to be away
        relay.let_pass()
        await until(lambda: store.health.writable and not store.health.kept)
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_a_bot_starts_beside_a_server_that_is_away_and_takes_it_when_it_comes(
    postgres_database: PostgresDatabase,
) -> None:
    async with open_relay(postgres_database.cluster.port) as relay:
        relay.accepting = False
        async with opened(postgres_database, relay.port) as store:
            assert not store.health.writable
            key = await store.identifier_key()
            with pytest.raises(KeptInMemory):
                await store.append(ANN, exchange(1))
            with pytest.raises(StoreError):
                await store.take_over()
            assert await store.recent(ANN, 50) == exchange(1)
            relay.accepting = True
            await until(lambda: store.health.writable)
            assert await store.recent(ANN, 50) == exchange(1)
            assert await store.identifier_key() == key


async def test_what_is_kept_in_memory_is_written_at_the_end_if_the_server_is_back(
    postgres_database: PostgresDatabase,
) -> None:
    async with open_relay(postgres_database.cluster.port) as relay:
        relay.accepting = False
        async with opened(postgres_database, relay.port, pace=QUICK) as store:
            with pytest.raises(KeptInMemory):
                await store.append(ANN, exchange(1))
            relay.accepting = True
    async with opened(postgres_database) as store:
        assert await store.recent(ANN, 50) == exchange(1)


async def test_a_bot_that_ends_while_the_server_says_nothing_ends_soon(
    postgres_database: PostgresDatabase,
) -> None:
    """What it could not write is counted in its log."""
    async with open_relay(postgres_database.cluster.port) as relay:
        with capture_logs() as logs:
            async with opened(postgres_database, relay.port) as store:
                await store.append(ANN, exchange(1))
                relay.let_pass(Passing.SWALLOWED, Passing.SWALLOWED)
                with pytest.raises(KeptInMemory):
                    await store.append(ANN, exchange(2))
                began = time.monotonic()
            assert time.monotonic() - began < 30
        assert [log["changes"] for log in logs if "were lost" in log["event"]] == [1]


async def test_tables_that_another_program_locks_end_in_words_and_leave_nobody_at_the_server(
    postgres_database: PostgresDatabase,
) -> None:
    """A reader that gave up is not left waiting there: they would add up to all connections."""
    async with opened(postgres_database) as store:
        await store.append(ANN, exchange(1))
        async with trio.open_nursery() as nursery:
            locking = "BEGIN; LOCK TABLE turns IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(14); COMMIT"
            nursery.start_soon(trio.to_thread.run_sync, postgres_database.sql, locking)
            await trio.sleep(0.5)
            assert await timed(lambda: store.recent(ANN, 50)) < ASKER
            assert await timed(lambda: store.append(ANN, exchange(2))) < ASKER
            await until(lambda: not store.health.writable)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'turns'::regclass"
            asked = time.monotonic()
            while time.monotonic() < asked + 6:  # while it is known to be away, nobody goes there
                async with trio.open_nursery() as readers:
                    for person_id in range(1, 5):
                        readers.start_soon(store.recent, ConversationKey(1, person_id), 50)
                await trio.sleep(0.2)
            assert int(await trio.to_thread.run_sync(postgres_database.sql, waiting)) <= 2
        await until(lambda: store.health.writable and not store.health.kept)
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_what_is_acknowledged_survives_a_crash_of_the_server_whatever_the_operator_has_set(
    durable_cluster: Cluster,
) -> None:
    """`synchronous_commit = off` may be right for the rest of a server."""
    with new_database(durable_cluster) as database:
        durable_cluster.sql(f'ALTER DATABASE "{database.name}" SET synchronous_commit = off', "postgres")
        async with opened(database) as store:
            for number in range(1, 11):
                await store.append(ANN, exchange(number))
            await trio.to_thread.run_sync(crash, durable_cluster)
            await until(lambda: store.health.writable)
            assert len(await everything(store)) == 20


def crash(cluster: Cluster) -> None:
    cluster.restart(immediate=True)


async def everything(store: PostgresStore) -> tuple[object, ...]:
    """As soon as it can be read again."""
    with trio.fail_after(20):
        while not (turns := await store.recent(ANN, 50)):  # noqa: ASYNC110  # it tells nobody
            await trio.sleep(0.1)
    return turns


async def test_a_deadlock_that_the_server_ends_is_no_outage(postgres_database: PostgresDatabase) -> None:
    """The transaction is tried again; nobody is told anything."""
    with capture_logs() as logs:
        async with opened(postgres_database) as store:
            await store.append(ANN, exchange(1))

            def get_in_the_way() -> None:
                server = server_of(postgres_database)
                with operator_connection(server) as connection, connection.transaction():
                    connection.execute("SELECT FROM bookkeeping FOR UPDATE")
                    locked.set()
                    time.sleep(0.4)
                    connection.execute("UPDATE processes SET host = host")

            locked = threading.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, get_in_the_way)
                await trio.to_thread.run_sync(locked.wait)
                await store.set_channel(5, 7, 10, ChannelSettings("Be a pirate."))
            assert store.health.writable
            assert await store.channels() == {5: ChannelSettings("Be a pirate.")}
    assert not [log for log in logs if log["log_level"] == "error"]


async def test_where_the_operator_wants_serializable_transactions_two_processes_get_on(
    postgres_database: PostgresDatabase,
) -> None:
    """Nothing of the store needs them, and a statement that waited has to see what it waited for."""
    name = postgres_database.name
    postgres_database.sql(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'")
    shared = ConversationKey(1, 0)
    with capture_logs() as logs:
        async with opened(postgres_database) as one, opened(postgres_database) as another:

            async def talk(store: PostgresStore, person_id: int) -> None:
                for number in range(20):
                    await store.append(shared, exchange(number), person_id=person_id)
                    await store.charge(Charge(person_id, 7, "openai", "gpt", Usage(1, 2), day_of(NOW), 3))

            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(talk, one, number)
                    nursery.start_soon(talk, another, 100 + number)
            assert (await one.spent(day_of(NOW))).answers == 200
            assert one.health.writable
            assert another.health.writable
    assert not [log for log in logs if log["log_level"] == "error"]


async def test_a_read_that_fails_late_does_not_keep_reads_away_once_the_server_is_back(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began before the outage ended, and ends while the backlog is being written."""
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port) as store,
    ):
        await store.append(ANN, exchange(1))
        database = store._database
        write_backlog = database.writes.write_backlog

        async def while_a_read_fails() -> bool:
            database.writes.note_error(psycopg.OperationalError("connection reset by peer"))
            return await write_backlog()

        monkeypatch.setattr(database.writes, "write_backlog", while_a_read_fails)
        relay.accepting = False
        relay.cut()
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(2))
        relay.accepting = True
        await until(lambda: store.health.writable)
        await trio.sleep(0.1)
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_a_reset_does_not_overtake_turns_that_could_not_be_written_before_it(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was queued behind them. Where it says that it is done, they do not come back."""
    monkeypatch.setattr(group_commit, "WRITE_WITHIN", 3.0)
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port) as store,
    ):
        await store.append(ANN, exchange(1))
        relay.let_pass(Passing.SWALLOWED)
        done = False

        async def reset() -> None:
            nonlocal done
            with suppress(StoreError):
                await store.reset(ANN)
                done = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(timed, partial(store.append, ANN, exchange(2)))
            await trio.sleep(0.5)
            nursery.start_soon(reset)
            await trio.sleep(0.5)
            relay.let_pass()
        await until(lambda: store.health.writable and not store.health.kept)
        said = await store.recent(ANN, 50)
        assert said == (() if done else (*exchange(1), *exchange(2)))


async def test_a_long_connect_timeout_in_the_url_keeps_no_asker_waiting(
    postgres_database: PostgresDatabase,
) -> None:
    """It is there for the network's sake, and would hold every read for as long."""
    async with open_relay(postgres_database.cluster.port) as relay:
        server = server_of(postgres_database, relay.port)
        for timeout in ("30", "0"):
            patient = PostgresServer(f"{server.url}?connect_timeout={timeout}", server.password)
            async with open_store(patient, pace=QUIET) as store:
                await store.append(ANN, exchange(1))
                relay.let_pass(Passing.SWALLOWED, Passing.SWALLOWED)
                relay.cut()
                assert await timed(lambda: store.recent(ANN, 50)) < 2 * ASKER
                relay.let_pass()
