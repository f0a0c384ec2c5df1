"""What `check` finds out about a real PostgreSQL."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import trio
from pydantic import SecretStr

from discordianai.conversations import postgres_client
from discordianai.conversations.database_url import parse
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.postgres import migrations
from discordianai.conversations.postgres.connections import PostgresServer, operator_connection
from discordianai.conversations.postgres.inspection import ConnectionCounts, PostgresInspection, inspect
from discordianai.operations.checks import postgres_check
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.operations.checks.online_check import bounded
from discordianai.operations.checks.postgres_online import PostgresCheck
from discordianai.sandbox.postgres_cluster import Cluster
from tests.operations.checks.builders import about, everything, subjects
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresDatabase

BAD = CheckStatus.WARNING, CheckStatus.PROBLEM
REMOTE = parse("postgresql://bot@db.example.org/x?sslmode=verify-full")


async def ask(url: str, password: str, seconds: float = 10.0) -> list[Finding]:
    """As `check --online` asks."""
    found: list[Finding] = []
    options = ConversationOptions(url, SecretStr(password))
    check = PostgresCheck(options, parse(url), seconds)
    await bounded("database connection", seconds + 5, check.connect, found.append)
    assert password not in everything(found)
    return found


def bring_up_to_date(database: PostgresDatabase) -> None:
    """As the bot does at its start."""
    with operator_connection(PostgresServer(database.url, SecretStr(database.password))) as connection:
        migrations.migrate(connection)


async def test_an_empty_database_with_the_role_of_the_page_is_in_order(
    postgres_database: PostgresDatabase,
) -> None:
    """What docs/scaling.md has the operator type is enough."""
    found = await ask(postgres_database.url, postgres_database.password)
    by_cluster = {"database"}  # the tests' cluster does without fsync, and `check` says so
    assert subjects(found, *BAD) == by_cluster
    assert "discordianai has the rights that the bot needs" in about(found, "database role").found
    assert any("creates them at its first start" in each.found for each in found)


async def test_a_database_of_the_bot_s_has_its_schema(postgres_database: PostgresDatabase) -> None:
    """It is looked at, and not changed."""
    bring_up_to_date(postgres_database)
    found = await ask(postgres_database.url, postgres_database.password)
    assert any(each.found == f"it has schema {len(migrations.STEPS)}" for each in found)
    assert about(found, "bot").found == "running on the database: none"


async def test_a_newer_schema_is_a_problem(postgres_database: PostgresDatabase) -> None:
    """The bot would not start."""
    bring_up_to_date(postgres_database)
    postgres_database.sql("UPDATE bookkeeping SET schema_version = 1000")
    found = await ask(postgres_database.url, postgres_database.password)
    assert any("newer version" in each.found and each.verdict is CheckStatus.PROBLEM for each in found)


async def test_another_program_s_table_is_a_problem(postgres_database: PostgresDatabase) -> None:
    """The bot would not start, though there is nothing of its own yet."""
    postgres_database.sql("CREATE TABLE turns (number int)")
    found = await ask(postgres_database.url, postgres_database.password)
    assert any(
        "another program's table turns" in each.found and each.verdict is CheckStatus.PROBLEM
        for each in found
    )


async def test_a_cluster_with_everything_on_has_no_complaint(durable_cluster: Cluster) -> None:
    """A usual server on this machine."""
    found = await ask(durable_cluster.url, durable_cluster.password)
    assert subjects(found, *BAD) == set()
    superuser = await ask(durable_cluster.url_of("postgres", role="postgres"), durable_cluster.password)
    assert subjects(superuser, *BAD) == {"database role"}
    durable_cluster.sql("ALTER ROLE discordianai CONNECTION LIMIT 3")
    few = await ask(durable_cluster.url, durable_cluster.password)
    assert "of 3 connections" in about(few, "connections").found
    assert subjects(few, *BAD) == {"connections"}


async def test_a_role_without_rights_is_told_what_to_do(postgres_database: PostgresDatabase) -> None:
    """As where somebody else owns the database."""
    postgres_database.sql(
        f'ALTER DATABASE "{postgres_database.name}" OWNER TO postgres;'
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC, discordianai"
    )
    found = await ask(postgres_database.url, postgres_database.password)
    assert "may not create tables" in about(found, "database role").found
    assert "OWNER TO discordianai" in about(found, "database role").advice


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("/test_", "/absent_"), "no database of that name"),
        (lambda url: url.replace("discordianai@", "nobody@"), "refuses the user or the password"),
        (lambda url: url.rpartition("@")[0] + "@127.0.0.1:1/x", "nothing listens"),
        (lambda url: url + "?sslmode=verify-full&sslrootcert=system", "TLS with it fails"),
    ],
)
async def test_what_does_not_answer_is_told_in_words(
    postgres_database: PostgresDatabase, change: Callable[[str], str], said: str
) -> None:
    """One sentence, without the password."""
    (only,) = await ask(change(postgres_database.url), postgres_database.password)
    assert only.verdict is CheckStatus.PROBLEM
    assert said in only.found


async def test_a_wrong_password_is_told_and_not_shown(postgres_database: PostgresDatabase) -> None:
    """`ask` looks for the one that was given."""
    (only,) = await ask(postgres_database.url, "s3cret-and-wrong")
    assert "refuses the user or the password" in only.found


@pytest.mark.slow
async def test_a_frozen_server_is_waited_for_within_bounds(durable_cluster: Cluster) -> None:
    """It accepts the connection, and says nothing."""
    with trio.fail_after(20), durable_cluster.frozen():
        (only,) = await ask(durable_cluster.url, durable_cluster.password, 2.0)
    assert only.verdict is CheckStatus.PROBLEM


async def test_a_pooler_is_noticed(pgbouncer_before: PgBouncer, postgres_database: PostgresDatabase) -> None:
    """By the process ids that it makes up."""
    direct = await ask(postgres_database.url, postgres_database.password)
    assert "pooler" not in subjects(direct, CheckStatus.OK)
    found = await ask(postgres_database.through(pgbouncer_before.port), postgres_database.password)
    assert "PgBouncer" in about(found, "pooler").found


@pytest.fixture
def sound(postgres_database: PostgresDatabase) -> PostgresInspection:
    """What a real server said, as if it were durable."""
    server = PostgresServer(postgres_database.url, SecretStr(postgres_database.password))
    return replace(inspect(server, 10.0), durable=True, encrypted=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "14.9", "major": 14}, "PostgreSQL 14.9 is too old"),
        ({"version": "18beta1", "major": 18}, ""),
        ({"encoding": "SQL_ASCII"}, "its encoding is SQL_ASCII"),
        ({"read_only": True}, "takes no writes"),
        ({"durable": False}, "may lose what it has acknowledged"),
        ({"encrypted": False}, "crosses a network unencrypted"),
        ({"connections": ConnectionCounts(100, 95)}, "95 of 100 connections"),
    ],
)
def test_each_thing_that_is_wrong_is_told(
    sound: PostgresInspection, changes: dict[str, object], said: str
) -> None:
    """And nothing else."""
    found = list(postgres_check.judge(replace(sound, **changes), REMOTE, 0.1))  # type: ignore[arg-type]  # any field
    bad = [each.found for each in found if each.verdict in BAD]
    assert [said in sentence for sentence in bad] == ([True] if said else [])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://db.example.org/x", "sslmode=prefer may send"),
        ("postgresql://db.example.org/x?sslmode=disable", "sslmode=disable may send"),
        ("postgresql://db.example.org/x?sslmode=require", "does not check the name"),
        ("postgresql://db.example.org/x?sslmode=verify-full", ""),
        ("postgresql://localhost/x", ""),
        ("postgresql:///x?host=/run/postgresql", ""),
    ],
)
def test_a_url_that_sends_words_over_a_network_in_the_clear_is_warned_of(url: str, said: str) -> None:
    """Offline, by the URL alone."""
    found = list(postgres_check.look(parse(url)))
    bad = [each.found for each in found if each.verdict in BAD]
    assert [said in sentence for sentence in bad] == ([True] if said else [])


def test_a_bot_without_psycopg_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not installed by itself."""
    monkeypatch.setattr(postgres_client, "find_spec", lambda _: None)
    first, *_ = postgres_check.look(parse("postgresql://localhost/x"))
    assert first.fatal
    assert "discordianai[postgres]" in first.advice
