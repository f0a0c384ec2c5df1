"""Memory that was freed does not stay the bot's."""

import random
import re
from pathlib import Path

import pytest
import trio

from discordianai.operations.heap import trimmed_heap

MEGABYTE = 2**20


def resident() -> int:
    """Bytes."""
    found = re.search(r"^RssAnon:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


async def test_what_is_freed_between_what_is_used_is_returned() -> None:
    """Blocks as an answer has them, of which a third stays."""
    chance, before = random.Random(1), resident()
    blocks = [bytes(chance.randint(600, 30_000)) for _ in range(6_000)]
    if resident() - before < 60 * MEGABYTE:
        pytest.skip("the heap had enough free memory before")
    chance.shuffle(blocks)
    del blocks[2_000:]
    kept = resident()
    async with trimmed_heap(every=0.01):
        with trio.fail_after(60):
            while resident() > kept - 30 * MEGABYTE:  # noqa: ASYNC110  # the kernel tells nobody
                await trio.sleep(0.01)
    assert len(blocks) == 2_000
