"""Whatever is done with a store: in memory, in a file and on a server it gives the same results."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import EVERYBODY, EVERYWHERE, ConversationKey
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import FinishedAnswer, Posted, QuestionAndAnswer
from discordianai.conversations.postgres import maintenance as postgres_maintenance
from discordianai.conversations.postgres.connections import PostgresServer
from discordianai.conversations.postgres.migrations import TABLES
from discordianai.conversations.postgres.store import PostgresStore
from discordianai.conversations.postgres.store import open_store as open_server
from discordianai.conversations.sqlite.maintenance import MaintenanceSchedule
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.conversations.store import Removal, Store
from discordianai.records import Role, Turn, Usage
from tests.conversations.builders import NOW, question
from tests.doubles.store import MemoryStore
from tests.examples import examples
from tests.postgres import PostgresDatabase

PEOPLE, GUILDS, INTERACTIONS = (10, 11), (7, 8, None), (1, 2, 3)
KEYS = (
    ConversationKey(1, 10),
    ConversationKey(1, 11),
    ConversationKey(1, 10, private=True),
    ConversationKey(1, EVERYBODY),
    ConversationKey(EVERYWHERE, 10),
)
DAY = 86_400.0
OPTIONS = ConversationOptions(max_turns=5, ttl_days=2, cache_megabytes=1200 / 2**20)
"""Small enough for turns to roll out, and for conversations to leave the cache."""

UNHURRIED = MaintenanceSchedule(tick=60, retention=600, step=0)
UNHURRIED_SERVER = postgres_maintenance.PostgresMaintenanceSchedule(retention=600, step=0)
"""Retention comes when a script asks for it."""


class Clock:
    """Both stores' time."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Operation:
    """What is done with either store; the result is compared."""

    name: str
    arguments: tuple[object, ...]
    run: Callable[[Store, Clock], Awaitable[object]]

    def __repr__(self) -> str:
        return f"{self.name}{self.arguments}"


def turns(number: int, at: float) -> tuple[Turn, ...]:
    """One to three of them, not always a question and an answer."""
    roles = ((Role.USER, Role.ASSISTANT), (Role.USER,), (Role.ASSISTANT, Role.USER, Role.ASSISTANT))[
        number % 3
    ]
    return tuple(Turn(role, f"{role} {number}", at) for role in roles)


def exchange(
    key: ConversationKey, person_id: int, guild_id: int | None, number: int, at: float
) -> QuestionAndAnswer:
    return QuestionAndAnswer(key, turns(number, at), person_id, guild_id)


RESTART = "restart"
"""Another process uses the store from now on."""

people, guilds, keys = st.sampled_from(PEOPLE), st.sampled_from(GUILDS), st.sampled_from(KEYS)
interactions, numbers = st.sampled_from(INTERACTIONS), st.integers(0, 99)
Arguments = tuple[object, ...]


def operation(
    name: str, run: Callable[..., Awaitable[object]], *arguments: st.SearchStrategy[object]
) -> st.SearchStrategy[Operation]:
    """`run` takes a store, a clock and the arguments."""
    return st.tuples(*arguments).map(
        lambda chosen: Operation(name, chosen, lambda store, clock: run(store, clock, *chosen))
    )


async def append(
    store: Store, clock: Clock, key: ConversationKey, person_id: int, guild_id: int | None, number: int
) -> None:
    await store.append(key, turns(number, clock()), person_id=person_id, guild_id=guild_id)


async def accept(
    store: Store, clock: Clock, interaction_id: int, person_id: int, guild_id: int | None
) -> bool:
    asked = question(interaction_id, person_id=person_id, guild_id=guild_id)
    return await store.accept(replace(asked, address=replace(asked.address, acknowledged_at=clock())))


async def answered(
    store: Store,
    clock: Clock,
    interaction_id: int,
    key: ConversationKey,
    person_id: int,
    guild_id: int | None,
    number: int,
) -> None:
    said = None if number % 4 == 0 else exchange(key, person_id, guild_id, number, clock())
    usage = Usage(number, 2 * number)
    charge = Charge(person_id, guild_id, "openai", "gpt", usage, day_of(clock()), number or None)
    charges = (charge,) * (number % 3)
    await store.answered(interaction_id, FinishedAnswer(f"all of {number}", said, charges))


async def charge(store: Store, clock: Clock, interaction_id: int, person_id: int, days: int) -> None:
    day = day_of(clock() - days * DAY)
    await store.charge(Charge(person_id, None, "openai", "gpt", Usage(1, 2), day, 3), interaction_id)


async def spent(store: Store, clock: Clock, person_id: int, guild_id: int | None) -> object:
    today = day_of(clock())
    return (
        await store.spent(today),
        await store.spent(today, person_id=person_id),
        await store.spent(today, guild_id=guild_id),
        await store.spending(day_of(clock() - 3 * DAY)),
        await store.spending(today, person_id=person_id),
        await store.spending(day_of(clock() - 3 * DAY), person_id=person_id),
    )


async def turns_of(removal: Awaitable[Removal]) -> int:
    """Each engine tells in its own way what is left in files."""
    return (await removal).turns


async def pass_time(store: Store, clock: Clock, days: float) -> None:
    """A database forgets in rounds, and after them is as one that forgets at once."""
    if isinstance(store, MemoryStore):
        clock.now += days * DAY
    elif isinstance(store, SqliteStore | PostgresStore):
        await store.maintenance.remove_expired()


OPERATIONS = st.one_of(
    operation("append", append, keys, people, guilds, numbers),
    operation("append", append, keys, people, guilds, numbers),
    operation("recent", lambda s, _, key, n: s.recent(key, n), keys, st.integers(0, 6)),
    operation("reset", lambda s, _, key: turns_of(s.reset(key)), keys),
    operation("forget", lambda s, _, person_id: turns_of(s.forget(person_id)), people),
    operation(
        "drop_guild", lambda s, _, guild_id: turns_of(s.drop_guild(guild_id)), st.sampled_from(GUILDS[:2])
    ),
    operation("accept", accept, interactions, people, guilds),
    operation(
        "note_posted",
        lambda s, _, i, n: s.note_posted(i, Posted(further_ids=(n + 1,)), f"part {n}"),
        interactions,
        numbers,
    ),
    operation("answered", answered, interactions, keys, people, guilds, numbers),
    operation("charge", charge, interactions, people, st.integers(0, 1)),
    operation("finish", lambda s, _, i: s.finish(i), interactions),
    operation(RESTART, lambda s, _: s.take_over()),
    operation("spent", spent, people, guilds),
    operation("pass_time", pass_time, st.sampled_from([0.01, 0.2, 0.9, 1.3])),
)


Open = Callable[[Clock], AbstractAsyncContextManager[Store]]


class Contestant:
    """A store that is opened anew with each `restart`."""

    def __init__(self, opened: Open, clock: Clock) -> None:
        self._opened = opened
        self._clock = clock
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Contestant":
        self.store = await self._stack.enter_async_context(self._opened(self._clock))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def restart(self) -> None:
        await self._stack.aclose()
        await self.__aenter__()


def in_memory() -> Open:
    kept: list[MemoryStore] = []

    @asynccontextmanager
    async def opened(clock: Clock) -> AsyncIterator[Store]:
        if not kept:
            kept.append(MemoryStore(OPTIONS, clock))
        kept[0].restart()
        yield kept[0]

    return opened


def in_file(folder: str) -> Open:
    return lambda clock: open_store(Path(folder) / "turns", OPTIONS, pace=UNHURRIED, clock=clock)


def on_server(database: PostgresDatabase) -> Open:
    server = PostgresServer(database.url, SecretStr(database.password))
    return lambda clock: open_server(server, OPTIONS, pace=UNHURRIED_SERVER, clock=clock)


SCRIPTS = st.lists(OPERATIONS, min_size=5, max_size=40)

SPENT_AFTER_FORGETTING = [
    Operation("forget", (), lambda store, _: turns_of(store.forget(10))),
    Operation("charge", (), lambda store, clock: charge(store, clock, 1, 10, 0)),
    Operation("pass_time", (), lambda store, clock: pass_time(store, clock, 1.0)),
    Operation("spent", (), lambda store, clock: spent(store, clock, 10, 7)),
]
"""What somebody asks who was forgotten before is theirs, also when that day is over."""


@settings(deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(SCRIPTS)
@example(SPENT_AFTER_FORGETTING)
def test_memory_and_a_file_give_the_same_results(script: list[Operation]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108  # no disk is waited for
        trio.run(side_by_side, script, (in_memory(), in_file(folder)))


def test_memory_and_a_server_give_the_same_results(emptied_database: PostgresDatabase) -> None:
    @settings(deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
    @given(SCRIPTS)
    @example(SPENT_AFTER_FORGETTING)
    def play(script: list[Operation]) -> None:
        empty(emptied_database)
        trio.run(side_by_side, script, (in_memory(), on_server(emptied_database)))

    play()


def empty(database: PostgresDatabase) -> None:
    """Remove what the last script left."""
    with psycopg.connect(database.url, password=database.password) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {', '.join(TABLES)}")


async def side_by_side(script: list[Operation], openers: Sequence[Open]) -> None:
    clock = Clock()
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(Contestant(opened, clock)) for opened in openers]
        for number, step in enumerate(script):
            if step.name == RESTART:
                for each in stores:
                    await each.restart()
            results = [await step.run(each.store, clock) for each in stores]
            assert results[1:] == results[:-1], f"step {number}: {step}"
        for key in KEYS:
            told = [await each.store.recent(key, 50) for each in stores]
            assert told[1:] == told[:-1], key
        for each in stores:
            await each.restart()
        left = [await each.store.take_over() for each in stores]
        assert left[1:] == left[:-1]
