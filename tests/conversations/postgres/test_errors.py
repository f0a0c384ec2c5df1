"""What the operator reads where the database cannot be used: sentences of ours, without a secret in them."""

import logging
import time
import traceback

import pytest
import trio
from pydantic import SecretStr
from structlog.testing import capture_logs

from discordianai.conversations.database_url import parse
from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.operator_port import DatabaseOnServer, Selection
from discordianai.conversations.postgres import operator_database
from discordianai.conversations.postgres.batches import Batch
from discordianai.conversations.postgres.connections import PostgresServer
from discordianai.conversations.postgres.store import open_store
from discordianai.conversations.store import KeptInMemory, StoreError
from discordianai.sandbox.tcp_relay import open_relay
from tests.conversations.builders import ANN, BOB, exchange
from tests.conversations.postgres.scene import QUIET, opened, until
from tests.postgres import PostgresDatabase

pytestmark = pytest.mark.slow


async def test_a_refused_password_is_told_without_it_and_without_the_user(
    postgres_database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        async with opened(postgres_database, password="no-such-password-7") as store:
            assert "it refuses the user or the password" in store.health.reason
            with pytest.raises(KeptInMemory) as kept:
                await store.append(ANN, exchange(1))
            await trio.sleep(0.2)  # some tries
    told = f"{logs} {caplog.text} {kept.value} {store.health}"
    assert "no-such-password-7" not in told
    assert "discordianai@" not in told
    assert '"discordianai"' not in told
    assert sum("kept in memory only" in log["event"] for log in logs) == 1


async def test_a_missing_password_is_told_apart_from_a_wrong_one(postgres_database: PostgresDatabase) -> None:
    """And where it may be put."""
    async with open_store(PostgresServer(postgres_database.url), pace=QUIET) as store:
        assert "it asks for a password, and none is set" in store.health.reason
        assert "DATABASE_PASSWORD" in store.health.reason


def test_a_host_without_a_port_of_its_own_is_named_with_the_usual_one() -> None:
    """Libpq takes 5432 for it."""
    assert PostgresServer("postgresql://a,b:5433/x").label == "x at a:5432,b:5433"


END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"


@pytest.mark.parametrize(
    ("change", "undo", "words"),
    [
        (
            "ALTER DATABASE {name} SET default_transaction_read_only = on",
            "ALTER DATABASE {name} RESET default_transaction_read_only",
            "read-only",
        ),
        (
            "ALTER DATABASE {name} CONNECTION LIMIT 0",
            "ALTER DATABASE {name} CONNECTION LIMIT -1",
            "no connection left",
        ),
        (
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            "ALTER DATABASE {name} ALLOW_CONNECTIONS true",
            "takes no connections",
        ),
        (
            "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} OWNER TO postgres",
            "ALTER DATABASE {name} OWNER TO discordianai",
            "may not connect",
        ),
    ],
    ids=["read-only", "too many connections", "closed", "no right to connect"],
)
async def test_a_server_that_takes_nothing_is_told_in_words_and_used_again_when_it_does(
    postgres_database: PostgresDatabase, change: str, undo: str, words: str
) -> None:
    """As after a failover: new connections meet another server than the old ones."""
    cluster, name = postgres_database.cluster, f'"{postgres_database.name}"'
    end = END_ALL.format(postgres_database.name)

    def alter(statements: str) -> None:
        cluster.sql(f"{statements.format(name=name)}; {end}", "postgres")

    async with opened(postgres_database) as store:
        await store.append(ANN, exchange(1))
        await trio.to_thread.run_sync(alter, change)
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(2))
        await until(lambda: words in store.health.reason)
        await trio.to_thread.run_sync(alter, undo)
        await until(lambda: store.health.writable)
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_a_standby_that_old_connections_still_lead_to_is_left_for_the_new_primary(
    postgres_database: PostgresDatabase,
) -> None:
    """The old primary was demoted, and keeps its connections: an address that moved leads elsewhere."""
    async with opened(postgres_database) as store:
        await store.append(ANN, exchange(1))
        name = postgres_database.name
        # The connections that are open become read-only with the next transaction; new ones are not.
        await trio.to_thread.run_sync(
            postgres_database.cluster.sql,
            f'ALTER ROLE discordianai IN DATABASE "{name}" SET default_transaction_read_only = on;'
            f" {END_ALL.format(name)}",
            "postgres",
        )
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(2))
        await until(lambda: "read-only" in store.health.reason)
        await trio.to_thread.run_sync(
            postgres_database.cluster.sql,
            f'ALTER ROLE discordianai IN DATABASE "{name}" RESET default_transaction_read_only',
            "postgres",
        )
        await until(lambda: store.health.writable)
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_a_missing_database_is_told_and_taken_when_it_is_there(
    postgres_database: PostgresDatabase,
) -> None:
    cluster, name = postgres_database.cluster, postgres_database.name
    cluster.drop_database(name)
    async with opened(postgres_database) as store:
        assert "there is no database of that name" in store.health.reason
        cluster.create_database(name)
        await until(lambda: store.health.writable)
        await store.append(ANN, exchange(1))


async def test_a_user_who_may_not_create_tables_is_told_what_is_missing(
    postgres_database: PostgresDatabase,
) -> None:
    postgres_database.sql(
        f'ALTER DATABASE "{postgres_database.name}" OWNER TO postgres;'
        " REVOKE CREATE ON SCHEMA public FROM PUBLIC, pg_database_owner"
    )
    async with opened(postgres_database) as store:
        assert "its user lacks a permission" in store.health.reason
        postgres_database.sql("GRANT CREATE ON SCHEMA public TO discordianai")
        await until(lambda: store.health.writable)


async def test_tables_that_belong_to_another_user_are_used_all_the_same(
    postgres_database: PostgresDatabase,
) -> None:
    """The bot's user needs no more than to read and write them; VACUUM is skipped then."""
    async with opened(postgres_database) as store:
        await store.append(ANN, exchange(1))
    postgres_database.sql(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO discordianai;"
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO discordianai;"
        "DO $$ DECLARE t text; BEGIN"
        " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP"
        " EXECUTE format('ALTER TABLE %I OWNER TO postgres', t); END LOOP; END $$;"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO discordianai;"
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO discordianai"
    )
    async with opened(postgres_database) as store:
        assert (await store.forget(ANN.person_id)).turns == 2
        await store.maintenance.vacuum()
        await store.append(ANN, exchange(2))
        assert await store.recent(ANN, 50) == exchange(2)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ("UPDATE bookkeeping SET schema_version = 99", "written by a newer version.*its schema is 99"),
        ("UPDATE bookkeeping SET program = 'another'", "another program's table bookkeeping"),
        ("DROP TABLE bookkeeping", "another program's table"),
        ("ALTER TABLE bookkeeping DROP COLUMN schema_version", "another program's table bookkeeping"),
    ],
    ids=["newer schema", "another program", "tables without the bookkeeping", "another bookkeeping"],
)
async def test_a_newer_schema_and_other_programs_tables_are_refused_and_left_alone(
    postgres_database: PostgresDatabase, statements: str, words: str
) -> None:
    async with opened(postgres_database) as store:
        await store.append(ANN, exchange(1))
    postgres_database.sql(statements)
    with pytest.raises(StoreError, match=words):
        async with opened(postgres_database):
            pass
    assert postgres_database.sql("SELECT count(*) FROM turns") == "2"


async def test_an_encoding_that_cannot_hold_every_text_is_refused(
    postgres_database: PostgresDatabase,
) -> None:
    cluster, name = postgres_database.cluster, postgres_database.name
    cluster.drop_database(name)
    cluster.sql(
        f"CREATE DATABASE \"{name}\" OWNER discordianai ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
        "postgres",
    )
    with pytest.raises(StoreError, match="encoding is LATIN1.*UTF8"):
        async with opened(postgres_database):
            pass


async def test_two_first_starts_at_once_both_work(postgres_database: PostgresDatabase) -> None:
    """And so do ten; the schema is made once."""

    async def start(number: int) -> None:
        async with opened(postgres_database) as store:
            assert store.health.writable
            await store.append(ANN, exchange(number))

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(start, number)
    assert postgres_database.sql("SELECT count(*) FROM turns") == "20"


async def test_a_start_does_not_depend_on_how_much_there_is(postgres_database: PostgresDatabase) -> None:
    """Nothing is counted."""
    async with opened(postgres_database):
        pass
    postgres_database.sql(
        "INSERT INTO turns (conversation_person_id, conversation_channel_id, private, person_id, guild_id,"
        " role, at, text, attachments) SELECT n, 1, false, n, 7, 'user', extract(epoch FROM now()), 'hello',"
        " '' FROM generate_series(1, 200000) AS n"
    )
    began = time.monotonic()
    async with opened(postgres_database) as store:
        assert time.monotonic() - began < 1
        assert store.figures.conversations is None


async def test_what_the_server_says_about_a_refused_row_is_in_no_traceback(
    postgres_database: PostgresDatabase,
) -> None:
    """It quotes the row, and so what a person has said."""
    async with opened(postgres_database) as store:
        postgres_database.sql("ALTER TABLE turns ADD CHECK (text NOT LIKE '%question 7%')")
        with pytest.raises(StoreError, match="SQLSTATE 23514") as refused:
            await store.append(ANN, exchange(7))
        assert "question 7" not in "".join(traceback.format_exception(refused.value))


async def test_a_bug_in_a_write_fails_that_one_alone(postgres_database: PostgresDatabase) -> None:
    """The writer goes on, and what the others wrote is stored once."""
    async with opened(postgres_database) as store:

        def broken(_rows: object) -> None:
            raise ZeroDivisionError

        async def fail() -> None:
            with pytest.raises(StoreError):
                await store._database.write(Write(Batch((("SELECT 1", {}),), broken)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.append, BOB, exchange(1))
            nursery.start_soon(fail)
            nursery.start_soon(store.append, ANN, exchange(1))
        assert await store.recent(ANN, 50) == await store.recent(BOB, 50) == exchange(1)
        assert store.health.writable


def test_an_export_may_take_its_time_whatever_the_role_may_not(postgres_database: PostgresDatabase) -> None:
    """Its lines go through a pipe to a program that reads them slowly."""
    trio.run(remember_one, postgres_database)
    postgres_database.sql(
        f'ALTER ROLE discordianai IN DATABASE "{postgres_database.name}"'
        " SET idle_in_transaction_session_timeout = '200ms'"
    )
    where = DatabaseOnServer(parse(postgres_database.url), SecretStr(postgres_database.password))
    with operator_database.opened(where) as database:
        lines = database.exported(Selection(), lambda _done, _total: None)
        next(lines)
        time.sleep(0.6)
        assert len(list(lines)) == 1


async def remember_one(database: PostgresDatabase) -> None:
    async with opened(database) as store:
        await store.append(ANN, exchange(1))


async def test_what_was_kept_in_memory_and_is_refused_in_the_end_is_told_and_holds_nothing_up(
    postgres_database: PostgresDatabase,
) -> None:
    """Nobody waits for it any more who could be told."""
    with capture_logs() as logs:
        async with (
            open_relay(postgres_database.cluster.port) as relay,
            opened(postgres_database, relay.port) as store,
        ):
            postgres_database.sql("ALTER TABLE turns ADD CHECK (text NOT LIKE '%question 7%')")
            relay.accepting = False
            relay.cut()
            for number in (7, 8):
                with pytest.raises(KeptInMemory):
                    await store.append(ANN, exchange(number))
            relay.accepting = True
            await until(lambda: store.health.writable and not store.health.kept)
            assert await store.recent(ANN, 50) == exchange(8)
    (told,) = [log for log in logs if log["event"] == "a change kept in memory was refused"]
    assert told["reason"] == "it refuses a statement (SQLSTATE 23514)"
