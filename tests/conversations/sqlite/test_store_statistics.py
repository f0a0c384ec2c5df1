"""What the store and the ledger tell of themselves."""

from collections.abc import Callable
from pathlib import Path

import trio

from discordianai.conversations.accounting import Spent
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.options import AccountingOptions, ModelOptions
from discordianai.conversations.sqlite import residues
from discordianai.conversations.sqlite.maintenance import MaintenanceSchedule
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.sqlite.purge import FilePurge
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.conversations.store import StoreStatistics
from discordianai.option import Live
from discordianai.records import Usage
from tests.conversations.builders import ANN, BOB, DATABASE, NOW, QUICK, SLOW, exchange
from tests.doubles.store import MemoryStore


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not holds():  # noqa: ASYNC110  # the upkeep tells nobody
            await trio.sleep(0.01)


async def test_conversations_are_counted_as_they_come_and_go(tmp_path: Path) -> None:
    async with open_store(tmp_path / DATABASE, pace=QUICK) as store:
        await store.append(ANN, exchange(1))
        await store.append(BOB, exchange(1))
        await store.append(BOB, exchange(2))
        await until(lambda: store.figures.conversations == 2)
        await store.reset(ANN)
        await until(lambda: store.figures.conversations == 1)
    async with open_store(tmp_path / DATABASE, pace=QUICK) as store:
        await until(lambda: store.figures.conversations == 1)


async def test_conversations_that_an_operator_removes_are_no_longer_counted(tmp_path: Path) -> None:
    database = tmp_path / DATABASE
    async with open_store(database, pace=MaintenanceSchedule(tick=0.02, retention=60, step=60)) as store:
        await store.append(ANN, exchange(1))
        await until(lambda: store.figures.conversations == 1)
        with (
            residues.opened(database) as descriptor,
            operator_connection(database, write=True) as connection,
        ):
            purge = FilePurge(database, connection, descriptor)
            purge.remove(Selection(person_id=ANN.person_id), 0, lambda *_: None)
        await until(lambda: store.figures.conversations == 0)


async def settled(store: SqliteStore) -> StoreStatistics:
    """The figures, once nothing has been written for a while."""
    while True:
        before = store.figures
        await trio.sleep(0.3)
        if store.figures.writes.count == before.writes.count > 0:
            return before


async def test_reads_and_writes_are_measured_from_the_call_on(tmp_path: Path) -> None:
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        before = await settled(store)  # after the first round of the maintenance
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(store.append, ANN, exchange(number))
        await store.recent(ANN, 10)
        after = store.figures
        assert after.writes.since(before.writes).count == 20
        assert after.reads.since(before.reads).count == 1
        assert 0 < after.writes.longest < 5


async def test_what_is_charged_adds_up_by_provider_and_model() -> None:
    models = {"priced": ModelOptions(input_price=1.0, output_price=2.0)}
    ledger = Ledger(MemoryStore(), Live(AccountingOptions(models)), lambda: NOW)
    for person_id in (1, 2):
        ledger.charge(person_id, 7, "openai", "priced", Usage(1_000_000, 500_000))
    ledger.charge(1, None, "perplexity", "unpriced", Usage(10, 5))
    assert ledger.charged == {
        ("openai", "priced"): Spent(2, 2_000_000, 1_000_000, 4_000_000_000, 0),
        ("perplexity", "unpriced"): Spent(1, 10, 5, 0, 1),
    }
