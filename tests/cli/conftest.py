"""A database as a bot leaves it."""

import time
from pathlib import Path

import pytest
import trio

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine import durable_writes
from discordianai.conversations.pending_questions import FinishedAnswer
from discordianai.conversations.sqlite.store import open_store
from discordianai.conversations.store import Store
from discordianai.records import Usage
from tests.conversations.builders import DATABASE, SLOW, exchange, question


async def fill(store: Store) -> None:
    """Three people in two servers and a direct message: 2, 4 and 6 turns; one open question."""
    said = ((10, 1, 7, 1), (11, 1, 7, 2), (12, 2, 8, 2), (12, 3, None, 1))
    for person_id, channel_id, guild_id, exchanges in said:
        for number in range(exchanges):
            await store.append(ConversationKey(channel_id, person_id), exchange(number), guild_id=guild_id)
    await store.accept(question(1, "nobody else may read this"))
    charge = Charge(10, 7, "openai", "gpt", Usage(100, 20), day_of(time.time()), 3_000_000)
    await store.answered(2, FinishedAnswer(charges=(charge,)))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Filled, and closed."""
    path = tmp_path / DATABASE

    async def make() -> None:
        async with open_store(path, pace=SLOW) as store:
            await fill(store)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(durable_writes, "SLOW_AFTER", 60.0)  # a busy machine's disk may take long
        trio.run(make)
    return path
