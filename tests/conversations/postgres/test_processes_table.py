"""No living process's question is taken where only the server was away, or its clock was put forward."""

import time

import pytest
import trio

from discordianai.conversations.postgres import processes_table
from discordianai.conversations.postgres.maintenance import PostgresMaintenanceSchedule
from discordianai.conversations.postgres.processes_table import SteadyTime
from discordianai.conversations.postgres.store import PostgresStore
from discordianai.sandbox.postgres_cluster import Cluster
from discordianai.sandbox.tcp_relay import Passing, open_relay
from tests.conversations.builders import answer, question
from tests.conversations.postgres.scene import QUICK, opened, until
from tests.postgres import PostgresDatabase, new_database

pytestmark = pytest.mark.slow

LATE = PostgresMaintenanceSchedule(sign_of_life=0.2, retry=1.0, retention=600, vacuum=600)
"""It comes back later than the other one."""


async def take_for(seconds: float, store: PostgresStore) -> int:
    """How many questions it takes, asked again and again."""
    taken, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        taken += len(await store.take_over())
        await trio.sleep(0.02)
    return taken


async def test_after_an_outage_the_first_one_back_leaves_the_others_their_questions(
    durable_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All leases have ended meanwhile."""
    monkeypatch.setattr(processes_table, "LEASE", 2.0)
    with new_database(durable_cluster) as database:
        async with opened(database, pace=LATE) as late, opened(database, pace=QUICK) as quick:
            await late.accept(question(1))
            await trio.to_thread.run_sync(durable_cluster.stop)
            await until(lambda: not quick.health.writable and not late.health.writable)
            await trio.sleep(2.5)
            await trio.to_thread.run_sync(durable_cluster.start)
            await until(lambda: quick.health.writable)
            assert await take_for(3, quick) == 0
            await until(lambda: late.health.writable)
            await late.answered(1, answer(1))


async def test_a_look_that_reaches_the_server_late_takes_nothing(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the server stood still with it: the other one's sign of life is still on its way."""
    monkeypatch.setattr(processes_table, "LEASE", 2.0)
    port = postgres_database.cluster.port
    async with (
        open_relay(port) as to_one,
        open_relay(port) as to_other,
        opened(postgres_database, to_one.port, pace=QUICK) as one,
        opened(postgres_database, to_other.port, pace=QUICK) as other,
    ):
        await one.accept(question(1))
        await other.take_over()
        to_one.let_pass(Passing.HELD)
        to_other.let_pass(Passing.HELD)
        taken = -1

        async def look() -> None:
            nonlocal taken
            taken = len(await other.take_over())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            await trio.sleep(3)
            to_other.let_pass()
        assert taken == 0
        to_one.let_pass()
        assert await take_for(3, other) == 0
        await one.finish(1)


LEASE = processes_table.LEASE


@pytest.mark.parametrize("step", [LEASE, 3600, -3600], ids=["a gap", "put forward", "put back"])
def test_after_a_gap_the_others_have_a_lease_time_to_renew_theirs(step: float) -> None:
    steady = SteadyTime()
    steady.note(1000)
    assert steady.trusted_until > 1000  # a process that begins takes at once what is left
    at = 1000 + step
    steady.note(at)
    while at < 1000 + step + LEASE:
        assert not steady.trusted_until
        at += 2
        steady.note(at)
    assert at < steady.trusted_until < at + LEASE


def test_a_server_that_was_away_at_the_start_is_not_trusted_at_once() -> None:
    steady = SteadyTime()
    assert not steady.trusted_until
    steady.interrupt()
    steady.note(1000)
    assert not steady.trusted_until
