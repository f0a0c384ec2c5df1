"""Whatever is done with a store, the one in memory and the one in a file give the same results."""

import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import EVERYBODY, EVERYWHERE, ConversationKey
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import FinishedAnswer, Posted, QuestionAndAnswer
from discordianai.conversations.sqlite.maintenance import MaintenanceSchedule
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.conversations.store import Store
from discordianai.records import Role, Turn, Usage
from tests.conversations.builders import NOW, question
from tests.doubles.store import MemoryStore
from tests.examples import examples

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


async def spent(store: Store, clock: Clock, person_id: int, guild_id: int | None) -> object:
    today = day_of(clock())
    return (
        await store.spent(today),
        await store.spent(today, person_id=person_id),
        await store.spent(today, guild_id=guild_id),
        await store.spending(day_of(clock() - 3 * DAY)),
        await store.spending(today, person_id=person_id),
    )


async def pass_time(store: Store, clock: Clock, days: float) -> None:
    """The file's store forgets in rounds, and after them is as one that forgets at once."""
    if isinstance(store, SqliteStore):
        clock.now += days * DAY
        await store.maintenance.remove_expired()


OPERATIONS = st.one_of(
    operation("append", append, keys, people, guilds, numbers),
    operation("append", append, keys, people, guilds, numbers),
    operation("recent", lambda s, _, key, n: s.recent(key, n), keys, st.integers(0, 6)),
    operation("reset", lambda s, _, key: s.reset(key), keys),
    operation("forget", lambda s, _, person_id: s.forget(person_id), people),
    operation("drop_guild", lambda s, _, guild_id: s.drop_guild(guild_id), st.sampled_from(GUILDS[:2])),
    operation("accept", accept, interactions, people, guilds),
    operation(
        "note_posted",
        lambda s, _, i, n: s.note_posted(i, Posted(further_ids=(n + 1,)), f"part {n}"),
        interactions,
        numbers,
    ),
    operation("answered", answered, interactions, keys, people, guilds, numbers),
    operation("finish", lambda s, _, i: s.finish(i), interactions),
    operation("unfinished", lambda s, _: s.unfinished()),
    operation("spent", spent, people, guilds),
    operation("pass_time", pass_time, st.sampled_from([0.01, 0.2, 0.9, 1.3])),
)


@settings(deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(OPERATIONS, min_size=5, max_size=40))
def test_both_stores_give_the_same_results(script: list[Operation]) -> None:
    trio.run(side_by_side, script)


async def side_by_side(script: list[Operation]) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108  # no disk is waited for
        async with open_store(Path(folder) / "turns", OPTIONS, pace=UNHURRIED, clock=clock) as in_file:
            in_memory = MemoryStore(OPTIONS, clock)
            for number, step in enumerate(script):
                results = [await step.run(store, clock) for store in (in_file, in_memory)]
                assert results[0] == results[1], f"step {number}: {step}"
            for key in KEYS:
                assert await in_file.recent(key, 50) == await in_memory.recent(key, 50), key
            assert await in_file.unfinished() == await in_memory.unfinished()
