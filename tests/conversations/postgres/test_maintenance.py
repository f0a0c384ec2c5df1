"""What the store does on a server by itself."""

import pytest
import trio

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.postgres import processes_table, turns_table
from discordianai.conversations.postgres.store import open_store
from discordianai.records import Usage
from tests.conversations.builders import ANN, BOB, NOW, exchange, question
from tests.conversations.postgres.scene import QUICK, opened, server_of, until
from tests.postgres import PostgresDatabase

DAY = 86_400.0


async def test_retention_removes_what_is_too_old_in_small_steps(postgres_database: PostgresDatabase) -> None:
    """Turns by their age, ids two hours after their end, and the names of the forgotten after their day."""
    now = [NOW]
    options = ConversationOptions(ttl_days=2, max_turns=1000)
    server = server_of(postgres_database)
    async with open_store(server, options, pace=QUICK, clock=lambda: now[0]) as store:
        turns = [turn for number in range(turns_table.STEP) for turn in exchange(number)]
        await store.append(ANN, turns)
        await store.append(BOB, exchange(2, NOW + DAY))
        await store.accept(question(1))
        await store.finish(1)
        await store.charge(Charge(10, 7, "openai", "gpt", Usage(1, 2), day_of(NOW), 3))
        await store.forget(10)
        now[0] = NOW + 2.5 * DAY
        assert await store.recent(ANN, 50) == ()
        counted = ("count(*) FROM turns", "count(*) FROM questions", "sum(person_id) FROM usage")
        left = ", ".join(f"(SELECT {each})" for each in counted)  # our own
        await becomes(postgres_database, f"SELECT {left}", {"2|0|0"})
        assert await store.recent(BOB, 50) == exchange(2, NOW + DAY)
        assert (await store.spent(day_of(NOW))).tokens == 3
        assert await store.accept(question(1))


async def becomes(database: PostgresDatabase, query: str, wanted: set[str]) -> None:
    with trio.fail_after(20):
        while await counts(database, query) not in wanted:  # noqa: ASYNC110  # the maintenance tells nobody
            await trio.sleep(0.05)


async def counts(database: PostgresDatabase, query: str) -> str:
    return await trio.to_thread.run_sync(database.sql, query)


async def test_the_space_of_what_was_removed_is_given_back_to_the_table(
    postgres_database: PostgresDatabase,
) -> None:
    """The server would wait until a fifth of the table is dead."""
    vacuums = "SELECT coalesce(max(vacuum_count), 0) FROM pg_stat_user_tables WHERE relname = 'turns'"
    async with opened(postgres_database, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        await store.forget(ANN.person_id)
        await becomes(postgres_database, vacuums, {"1", "2", "3"})


@pytest.mark.slow
async def test_a_lease_is_renewed_while_nothing_happens(postgres_database: PostgresDatabase) -> None:
    """Also where nobody asks anything: the questions of an idle bot are its own."""
    left = "SELECT min(extract(epoch FROM expires_at - clock_timestamp())) FROM processes"
    async with opened(postgres_database):
        await trio.sleep(2 * processes_table.RENEWED_EVERY)
        assert float(await counts(postgres_database, left)) > processes_table.LEASE / 2


async def test_after_a_restart_of_the_server_the_lease_is_renewed_again(
    postgres_database: PostgresDatabase,
) -> None:
    """Whoever removed the row meanwhile: it is there before the next question is."""
    async with opened(postgres_database, pace=QUICK) as store:
        await trio.to_thread.run_sync(postgres_database.sql, "DELETE FROM processes")
        await store.accept(question(1))
        assert await counts(postgres_database, "SELECT count(*) FROM processes") == "1"
        await until(lambda: store.health.writable)
