"""The figures of the connection to Discord, with real loops and threads."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from discordianai.discord import discord_statistics
from discordianai.discord.discord_statistics import DiscordCounter, Unacknowledged
from discordianai.discord.shard_range import ShardRange


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord_statistics, "BEAT", 0.02)


def counter(*shards: int) -> DiscordCounter:
    """Of a process that runs one shard, or these of four."""
    made = DiscordCounter()
    made.use_shards(ShardRange(shards[0], shards[-1], 4) if shards else ShardRange())
    return made


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # figures tell nobody
            await asyncio.sleep(0.005)


def test_a_gateway_that_is_lost_is_noticed_before_the_library_says_so() -> None:
    told, gateway = counter(), {"open": True}
    shard = told.shard(0)

    async def listen() -> None:
        watching = asyncio.create_task(told.watch())
        shard.identified()
        await until(lambda: told.now().connected_since is not None)
        assert told.now().connected_since == pytest.approx(time.time(), abs=5)
        gateway["open"] = False
        await until(lambda: told.now().connected_since is None)
        assert told.now().losses == 1
        gateway["open"] = True
        shard.resumed()
        await until(lambda: told.now().connected_since is not None)
        watching.cancel()

    async def watched() -> None:
        with shard.watched(lambda: 0.1 if gateway["open"] else None):
            await listen()

    asyncio.run(watched())
    assert (told.now().identifies, told.now().resumes, told.now().losses) == (1, 1, 2)
    assert told.now().connected_since is None  # no listener, no gateway


def test_a_gateway_that_was_lost_and_found_between_two_looks_counts_as_lost() -> None:
    told = counter()
    told.shard(0).identified()
    told.shard(0).resumed()
    assert (told.now().losses, told.now().connected_since is not None) == (1, True)


def test_a_blocked_loop_is_overdue_now_and_late_afterwards() -> None:
    told = DiscordCounter()
    seen = []

    async def listen() -> None:
        watching = asyncio.create_task(told.watch())
        await asyncio.sleep(0.1)
        assert told.now().overdue < 0.1
        other = threading.Timer(0.3, lambda: seen.append(told.now().overdue))
        other.start()
        time.sleep(0.5)  # noqa: ASYNC251  # that is what must not be
        other.join()
        await asyncio.sleep(0.1)
        watching.cancel()

    asyncio.run(listen())
    assert 0.2 < seen[0] < 0.5
    assert told.now().lag.longest > 0.4
    assert told.now().overdue == 0  # there is no loop


def test_acknowledgements_and_decisions_are_counted_from_any_thread() -> None:
    told = DiscordCounter()

    def many() -> None:
        for _ in range(500):
            told.acknowledged(0.2)
            told.decided("question")
            told.unacknowledged(Unacknowledged.LATE)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = told.now()
    assert (now.acknowledged.count, now.acknowledged.p50) == (2000, 0.2)
    assert (now.interactions, now.unacknowledged) == ({"question": 2000}, {"late": 2000})


def test_the_figures_of_the_gateway_are_those_of_all_shards() -> None:
    """Connected when all are; the totals are sums, and the trouble that of the first one in trouble."""
    told = counter(1, 3)
    for shard_id in (1, 2, 3):
        told.shard(shard_id).note_identify()
    told.shard(1).identified()
    told.shard(2).identified()
    told.shard(1).note_servers(900, 2)
    told.shard(2).note_servers(800, 0)
    told.shard(3).note_wait("it was refused", 60.0)
    now = told.now()
    assert (now.connected, now.identify_tries, now.identifies) == (False, 3, 2)
    assert (now.servers, now.servers_missing) == (1700, 2)
    assert now.trouble == "it was refused"
    assert [*now.shards] == [1, 2, 3]
    assert now.shard_total == 4
    told.shard(3).identified()
    told.shard(2).resumed()
    now = told.now()
    assert now.connected
    assert (now.trouble, now.losses, now.resumes) == ("", 1, 1)


def test_a_process_whose_shards_are_not_known_yet_tells_why() -> None:
    """With "auto", while Discord does not say how many there should be."""
    told = DiscordCounter()
    told.note_wait("busy", 5.0)
    assert (told.now().trouble, told.now().connected, told.now().shards) == ("busy", False, {})
    told.use_shards(ShardRange(0, 1, 2))
    assert told.now().trouble == ""
    with pytest.raises(KeyError):
        told.shard(2)


def test_a_heartbeat_is_told_as_long_as_the_connection_lasts() -> None:
    """Before the first answer there is none."""
    shard, answers = counter().shard(0), iter([float("inf"), 0.05, None])
    with shard.watched(lambda: next(answers)):
        shard.identified()
        shard.look()
        assert shard.now().heartbeat is None
        shard.look()
        assert shard.now().heartbeat == 0.05
        shard.look()
        assert (shard.now().heartbeat, shard.now().connected) == (None, False)
    shard.look()  # nobody watches any more
