"""What counts as well: the Discord loop that takes its turns, the writer that gets on."""

import asyncio
import threading
import time
from dataclasses import replace

from discordianai.conversations.store import StoreStatistics
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.operations.snapshot import Snapshot
from discordianai.operations.watchdog import probes, unanswered
from tests.operations.builders import well


async def silent(snapshot: Snapshot, watchdog: float | None = 3.0) -> dict[str, str]:
    return await unanswered(probes(lambda: snapshot, watchdog), 1.0)


async def test_a_blocked_discord_loop_is_noticed_and_a_listener_that_is_gone_is_none() -> None:
    figures, blocked, over = DiscordCounter(), threading.Event(), threading.Event()

    async def listen() -> None:
        watching = asyncio.create_task(figures.watch())
        await asyncio.sleep(0.05)
        blocked.set()
        over.wait(10)  # blocks the loop
        watching.cancel()

    thread = threading.Thread(target=asyncio.run, args=(listen(),))
    thread.start()
    blocked.wait(10)
    time.sleep(0.6)  # noqa: ASYNC251  # trio has nothing else to do here
    late = await silent(replace(well(), discord=figures.now()), watchdog=0.9)
    over.set()
    thread.join()
    gone = await silent(replace(well(), discord=figures.now()), watchdog=0.9)
    assert list(late) == ["the Discord loop"]
    assert gone == {}


async def test_a_transaction_that_does_not_end_is_noticed() -> None:
    assert list(await silent(replace(well(), store=StoreStatistics(committing=31)))) == ["the store"]
    assert await silent(replace(well(), store=StoreStatistics(committing=29))) == {}
