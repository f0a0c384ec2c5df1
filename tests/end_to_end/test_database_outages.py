"""The PostgreSQL of the running bot goes away; `make soak-outages` does it under load, again and again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.soak_outages import OUTAGES, Plan, soak
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import person
from discordianai.sandbox.launcher import BotDatabase, open_bot
from discordianai.sandbox.postgres_cluster import Cluster
from discordianai.sandbox.tcp_relay import Passing, TcpRelay, open_relay
from tests.end_to_end.conftest import RESTARTED, Scene, open_scene
from tests.end_to_end.test_operations import Operator
from tests.postgres import PostgresDatabase

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@asynccontextmanager
async def behind_relay(
    folder: Path, authority: Authority, database: PostgresDatabase, operator: Operator
) -> AsyncIterator[tuple[Scene, TcpRelay]]:
    """A bot whose database is reached through a relay."""
    settings: dict[str, dict[str, object]] = {"operations": {"port": operator.port}}
    async with open_relay(database.cluster.port) as relay:
        reached = BotDatabase(database.through(relay.port), database.password)
        async with open_scene(folder, authority, settings, RESTARTED, database=reached) as scene:
            yield scene, relay


async def test_while_the_database_is_away_people_are_answered_and_all_is_stored_afterwards(
    tmp_path: Path, authority: Authority, postgres_database: PostgresDatabase
) -> None:
    """The bot is not ready meanwhile, says why, and comes back by itself."""
    operator = Operator()
    async with behind_relay(tmp_path, authority, postgres_database, operator) as (scene, relay):
        await operator.wait_for("/health/ready", 200)
        await scene.ask("question 0")
        relay.accepting = False
        relay.cut()
        answer = await scene.ask("question 1")
        assert "You asked: “question 1”" in answer.text
        await operator.wait_for("/health/ready", 503)
        assert "cannot be used" in (await operator.get("/health")).text
        relay.accepting = True
        await operator.wait_for("/health/ready", 200)
        third = await scene.ask("question 2")
        assert "the last was: “question 1”" in third.text
        asked = postgres_database.sql("SELECT text FROM turns WHERE role = 'user' ORDER BY id").splitlines()
        assert asked == ["question 0", "question 1", "question 2"]
        assert postgres_database.password not in scene.log()


async def test_a_database_that_stands_still_holds_up_nobody(
    tmp_path: Path, authority: Authority, postgres_database: PostgresDatabase
) -> None:
    """A question waits half a second to be protected, and an answer for nothing but that."""
    operator = Operator()
    async with behind_relay(tmp_path, authority, postgres_database, operator) as (scene, relay):
        relay.let_pass(Passing.HELD, Passing.HELD)
        for number in range(3):
            interaction = await scene.ask(f"question {number}", user=person(number))
            assert interaction.acknowledged_after is not None
            assert interaction.acknowledged_after < 2.5
        relay.let_pass()
        await operator.wait_for("/health/ready", 200)
        assert await scene.bot.stop() == 0
        assert postgres_database.sql("SELECT count(*) FROM turns WHERE role = 'user'") == "3"


async def test_a_bot_starts_without_its_database_and_finds_it_later(
    tmp_path: Path, authority: Authority, postgres_database: PostgresDatabase
) -> None:
    """After a power failure the two machines start in any order."""
    operator = Operator()
    async with behind_relay(tmp_path, authority, postgres_database, operator) as (scene, relay):
        assert await scene.bot.stop() == 0
        relay.accepting = False
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            assert "You asked" in (await scene.ask("are you there?")).text
            relay.accepting = True
            await operator.wait_for("/health/ready", 200)
            assert await bot.stop() == 0
        assert postgres_database.sql("SELECT count(*) FROM turns WHERE role = 'user'") == "1"


QUICK = {"restarted", "connections reset"}
"""The others take half a minute each, and are in `make test-long`; `make soak-outages` repeats them all."""


@pytest.mark.parametrize("kill", [False, True], ids=["lives", "killed"])
@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.long) for kind in OUTAGES]
)
async def test_an_outage_under_load_breaks_no_promise(
    tmp_path: Path, durable_cluster: Cluster, kind: str, kill: bool
) -> None:
    """Only a kill may lose a question, and only one that the bot counted as not protected."""
    result = await soak(tmp_path, Plan(rounds=1), durable_cluster, kind, kill=kill)
    assert result.wrong == []
    assert kill or not result.lost_unprotected
