"""How the write-ahead log is emptied."""

from pathlib import Path

import pytest
import trio

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.sqlite import residues
from discordianai.conversations.store import Removal
from tests.conversations.builders import DATABASE, bytes_on_disk, exchange

PEOPLE = 40


async def test_those_who_reset_at_the_same_time_share_one_emptying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looks through the whole file: one after the other, the last would wait for a minute at 2 GB."""
    looked: list[int] = []
    find = residues.find

    def counted(descriptor: int) -> set[int]:
        looked.append(descriptor)
        return find(descriptor)

    monkeypatch.setattr(residues, "find", counted)
    keys = [ConversationKey(0, person_id) for person_id in range(1, PEOPLE + 1)]
    removed: list[Removal] = []
    async with open_store(ConversationOptions(str(tmp_path / DATABASE))) as store:
        for number, key in enumerate(keys):
            await store.append(key, exchange(number))
        looked.clear()

        async def reset(key: ConversationKey) -> None:
            removed.append(await store.reset(key))

        async with trio.open_nursery() as nursery:
            for key in keys:
                nursery.start_soon(reset, key)
        assert removed == [Removal(2, erased=True)] * PEOPLE
        on_disk = bytes_on_disk(tmp_path)
        assert not [number for number in range(PEOPLE) if b"question %d" % number in on_disk]
        assert len(looked) <= 5
