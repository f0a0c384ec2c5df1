"""A connection that is lost in the midst of a transaction: nothing is lost, and nothing is stored twice."""

import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import psycopg
import pytest
import trio

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine.writer import WriteOutcome
from discordianai.conversations.pending_questions import QuestionAndAnswer
from discordianai.conversations.postgres import turns_table
from discordianai.conversations.postgres.connections import connect, operator_connection
from discordianai.conversations.postgres.group_commit import Doubt, GroupCommit
from discordianai.conversations.postgres.migrations import migrate
from discordianai.conversations.postgres.processes_table import OwnRow
from discordianai.conversations.postgres.store import PostgresStore
from discordianai.conversations.store import KeptInMemory, StoreError
from discordianai.sandbox.tcp_relay import Passing, TcpRelay, open_relay
from tests.conversations.builders import ANN, exchange, question
from tests.conversations.postgres.scene import opened, server_of, until
from tests.postgres import PostgresDatabase

pytestmark = pytest.mark.slow


class Cutting:
    """Cuts the connection at the next COMMIT, which reaches the server or does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, relay: TcpRelay) -> None:
        self._relay = relay
        self._token = trio.lowlevel.current_trio_token()
        self._end = GroupCommit._end
        self.armed: dict[str, Passing] | None = None
        self.doubts = 0
        monkeypatch.setattr(GroupCommit, "_end", lambda group, outcomes: self._cut(group, outcomes))

    def _cut(self, group: GroupCommit, outcomes: Sequence[WriteOutcome]) -> Sequence[WriteOutcome] | Doubt:
        swallowed, self.armed = self.armed, None
        if swallowed is not None:
            trio.from_thread.run_sync(partial(self._relay.let_pass, **swallowed), trio_token=self._token)
            trio.from_thread.run_sync(self._later, trio_token=self._token)
        done = self._end(group, outcomes)
        self.doubts += isinstance(done, Doubt)
        return done

    def _later(self) -> None:
        trio.lowlevel.spawn_system_task(self._cut_later)

    async def _cut_later(self) -> None:
        await trio.sleep(0.1)
        self._relay.cut()
        self._relay.let_pass()


@pytest.mark.parametrize(
    "swallowed",
    [{"to_server": Passing.SWALLOWED}, {"to_client": Passing.SWALLOWED}],
    ids=["COMMIT never came", "its reply was lost"],
)
async def test_a_commit_that_was_cut_off_is_looked_up_and_repeated_only_if_it_did_not_take_place(
    postgres_database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
    swallowed: dict[str, Passing],
) -> None:
    """Those that wait for it learn what became of it, and so does what follows."""
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port) as store,
    ):
        cutting = Cutting(monkeypatch, relay)
        await store.append(ANN, exchange(1))
        cutting.armed = swallowed
        async with trio.open_nursery() as nursery:
            for number in range(10):
                key = ConversationKey(2, 100 + number)
                nursery.start_soon(store.append, key, exchange(2))
        cutting.armed = swallowed
        assert await store.accept(question(1))
        cutting.armed = swallowed
        assert (await store.reset(ConversationKey(2, 100))).turns == 2
        assert cutting.doubts == 3
        await store.append(ANN, exchange(3))
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(3))
        for number in range(1, 10):
            assert await store.recent(ConversationKey(2, 100 + number), 50) == exchange(2)
        assert store.health.writable
        assert store.health.kept == store.health.lost == 0


@pytest.mark.parametrize("reaches", [True, False], ids=["it took place", "it did not"])
async def test_while_nobody_can_say_what_became_of_a_commit_memory_goes_on_and_nothing_seems_to_hang(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, reaches: bool
) -> None:
    """The server is away for longer than anybody waits. The watchdog must not end the bot for it."""
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port) as store,
    ):
        cutting = Cutting(monkeypatch, relay)
        await store.append(ANN, exchange(1))
        cutting.armed = {"to_client" if reaches else "to_server": Passing.SWALLOWED}
        relay.accepting = False
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(2))
        assert cutting.doubts == 1
        await until(lambda: not store.health.writable)
        with pytest.raises(KeptInMemory):
            await store.append(ANN, exchange(3))
        assert await store.recent(ANN, 50) == (*exchange(2), *exchange(3))
        assert store.figures.committing < 1
        relay.accepting = True
        await until(lambda: store.health.writable and not store.health.kept)
        assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2), *exchange(3))


async def test_nothing_is_lost_or_doubled_while_the_connection_is_cut_again_and_again(
    postgres_database: PostgresDatabase,
) -> None:
    """Whatever was said to be stored, or to be kept, is there once, in its order."""
    people = [ConversationKey(1, person_id) for person_id in range(1, 13)]
    stop = trio.Event()
    failed = 0

    async def talk(store: PostgresStore, key: ConversationKey, said: list[int]) -> None:
        nonlocal failed
        number = 0
        while not stop.is_set() and number < 24:
            number += 1
            try:
                await store.append(key, exchange(number))
            except KeptInMemory:
                pass
            except StoreError:
                failed += 1
                continue
            said.append(number)
            await trio.sleep(0.02)

    told: dict[ConversationKey, list[int]] = {key: [] for key in people}
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port) as store,
    ):
        async with trio.open_nursery() as nursery:
            for key in people:
                nursery.start_soon(talk, store, key, told[key])
            dice = random.Random(7)
            for _ in range(25):
                await trio.sleep(dice.uniform(0.01, 0.15))
                relay.cut()
            stop.set()
        await until(lambda: store.health.writable and not store.health.kept)
        assert store.health.lost == failed == 0
        for key in people:
            said = [turn for number in told[key] for turn in exchange(number)]
            assert list(await store.recent(key, 50)) == said
    async with opened(postgres_database) as store:
        for key in people:
            assert len(await store.recent(key, 50)) == 2 * len(told[key])


async def test_a_statement_that_the_server_refuses_takes_no_other_with_it(
    postgres_database: PostgresDatabase,
) -> None:
    """An id that no 64 bits hold, among those of others; its text is in no error."""
    async with opened(postgres_database) as store:
        async with trio.open_nursery() as nursery:
            for number in range(1, 6):
                nursery.start_soon(store.append, ConversationKey(1, number), exchange(number))
            with pytest.raises(StoreError, match="SQLSTATE 22003") as refused:
                await store.append(ConversationKey(1, 2**70), exchange(0))
        assert "question 0" not in str(refused.value)
        for number in range(1, 6):
            assert await store.recent(ConversationKey(1, number), 50) == exchange(number)
        assert store.health.writable


async def test_a_write_of_its_own_that_was_cut_off_is_not_repeated_before_its_commit_is_looked_up(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one in its group was refused, and then the server was away for a while."""
    async with (
        open_relay(postgres_database.cluster.port) as relay,
        opened(postgres_database, relay.port) as store,
    ):
        cutting = Cutting(monkeypatch, relay)
        await store.append(ANN, exchange(1))
        cutting.armed = {"to_client": Passing.SWALLOWED}
        async with trio.open_nursery() as nursery:
            for key in (ConversationKey(1, 2**70), ConversationKey(2, 100), ConversationKey(2, 101)):
                nursery.start_soon(appended, store, key)
            await until(lambda: cutting.armed is None)
            relay.accepting = False
            await until(lambda: not store.health.writable)
            relay.accepting = True
        await until(lambda: store.health.writable and not store.health.kept)
        assert cutting.doubts == 1
        for person_id in (100, 101):
            assert await store.recent(ConversationKey(2, person_id), 50) == exchange(2)


async def appended(store: PostgresStore, key: ConversationKey) -> None:
    with suppress(StoreError):
        await store.append(key, exchange(2))


def test_a_commit_on_its_way_is_waited_for_also_where_it_brings_the_processs_row(
    postgres_database: PostgresDatabase,
) -> None:
    """The row had been removed; without one, nothing would be there to wait for."""
    with operator_connection(server_of(postgres_database)) as connection:
        migrate(connection)
    group = GroupCommit(partial(connect, server_of(postgres_database)), OwnRow.new())
    group._run([turns_table.append(QuestionAndAnswer(ANN, exchange(1), 10, 7), 50)])
    sent, group._connection = group._connection, None
    assert sent is not None
    with pytest.raises(psycopg.errors.LockNotAvailable):
        group.decide(Doubt(group.batch, ()))
    sent.execute("COMMIT")
    assert group.decide(Doubt(group.batch, ()))
    assert not group.decide(Doubt(group.batch + 1, ()))
    group.close()
    sent.close()
