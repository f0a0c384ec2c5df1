"""The hot set in memory."""

from pathlib import Path
from typing import Any

import pytest
import trio

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.sqlite.store import open_store
from tests.conversations.builders import ANN, DATABASE, SLOW, exchange


class LeftTheThread(Exception):
    """The test's own."""


async def test_what_is_cached_never_leaves_the_trio_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        await store.append(ANN, exchange(1))
        assert await store.recent(ANN, 50) == exchange(1)
        await store.append(ANN, exchange(2))
        real, this = trio.to_thread.run_sync, trio.lowlevel.current_task()

        async def elsewhere(*arguments: Any, **options: Any) -> object:
            if trio.lowlevel.current_task() is this:
                raise LeftTheThread
            return await real(*arguments, **options)  # the upkeep may

        with monkeypatch.context() as patch:
            patch.setattr(trio.to_thread, "run_sync", elsewhere)
            assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))
            with pytest.raises(LeftTheThread):
                await store.recent(ConversationKey(1, 99), 50)  # this one is not cached


async def test_the_cache_stays_within_its_size_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    options = ConversationOptions(cache_megabytes=20_000 / 2**20)
    async with open_store(tmp_path / DATABASE, options, pace=SLOW) as store:
        for person_id in range(1, 200):
            key = ConversationKey(1, person_id)
            await store.append(key, exchange(1))
            await store.recent(key, 50)
            await store.recent(ConversationKey(1, 1), 50)
            assert store.figures.cached_bytes <= options.cache_bytes
        misses = store.figures.cache_misses
        await store.recent(ConversationKey(1, 1), 50)
        await store.recent(ConversationKey(1, 199), 50)
        assert store.figures.cache_misses == misses
        await store.recent(ConversationKey(1, 2), 50)
        assert store.figures.cache_misses == misses + 1
