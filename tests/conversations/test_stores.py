"""What every conversation store must do, the fake's as well as the file's."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from discordianai.conversations.sqlite import open_store
from discordianai.conversations.store import ConversationKey, ConversationStore, MemoryStore, StoreError
from discordianai.model import Role, Turn

ANN = ConversationKey(channel_id=1, person_id=10)
BOB = ConversationKey(channel_id=1, person_id=11)


def exchange(number: int) -> tuple[Turn, Turn]:
    return Turn(Role.USER, f"question {number}", number), Turn(Role.ASSISTANT, f"answer {number}", number)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ConversationStore]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        async with open_store(tmp_path / "turns.sqlite3") as opened:
            yield opened


async def test_turns_come_back_oldest_first(store: ConversationStore) -> None:
    await store.append(ANN, exchange(1))
    await store.append(ANN, exchange(2))
    assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_people_do_not_see_each_others_turns(store: ConversationStore) -> None:
    await store.append(ANN, exchange(1))
    assert await store.recent(BOB, 50) == ()


async def test_only_the_newest_are_given_and_the_first_is_a_persons(store: ConversationStore) -> None:
    for number in range(5):
        await store.append(ANN, exchange(number))
    assert await store.recent(ANN, 4) == (*exchange(3), *exchange(4))
    assert await store.recent(ANN, 3) == exchange(4)
    assert await store.recent(ANN, 0) == ()


async def test_history_survives_a_restart(tmp_path: Path) -> None:
    for number in range(2):
        async with open_store(tmp_path / "turns.sqlite3") as store:
            await store.append(ANN, exchange(number))
    async with open_store(tmp_path / "turns.sqlite3") as store:
        assert await store.recent(ANN, 50) == (*exchange(0), *exchange(1))


async def test_nobody_else_on_the_machine_can_read_the_file(tmp_path: Path) -> None:
    async with open_store(tmp_path / "turns.sqlite3") as store:
        await store.append(ANN, exchange(1))
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}


async def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "turns.sqlite3"
    path.write_text("this is no database, though long enough to look at\n" * 50)
    with pytest.raises(StoreError, match=r"turns\.sqlite3"):
        async with open_store(path):
            pass
