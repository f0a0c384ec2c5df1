"""What do shards and servers cost, and does a shard in trouble delay the others?  `make bench-shards`

Three tables. How 16 shards identify, with Discord's `max_concurrency` at 1 and at 16. How long people wait
for an acknowledgement while one shard's gateway is dropped, refused or frozen, and they use the other 15.
What servers and shards take in memory, and how long people wait while Discord sends all servers. The bot is
the installed program in a process of its own, Discord the sandbox's, in this one.
Compared to: the same people without the fault, and a bot in no other servers, in turn.
Required: identifies never closer than 5 s in a bucket; the others' p99 within 1.2 times; less than 120 MB
more for 20,000 servers with 200,000 channels, and less than 20 ms for a server of 500 channels.
"""

import json
import math
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

import trio

from benchmarks.harness import Report, alternate, command_line, parse, percentile
from benchmarks.processes import processor_seconds, resident_mb
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.sandbox.discord import Channel, DiscordOptions, Interaction, LocalDiscord, person
from discordianai.sandbox.discord.generated_guilds import GeneratedGuilds
from discordianai.sandbox.discord.shard import SandboxShard
from discordianai.sandbox.launcher import BotProcess, open_bot, open_sandbox

SHARDS, BROKEN = 16, 3
"""How many, and which of them is in trouble."""

EVERY = 0.02
"""Seconds from one command to the next."""

START_TIMEOUT, HEAL_TIMEOUT, LATEST = 240.0, 90.0, 4.0
"""Seconds: until all shards are ready; until the one is again; until the last acknowledgement."""

QUIET, BUSY = 1.0, 0.1
"""The bot has heard everything when it takes less than so much of a core for so many seconds."""

MEMORY_ROUNDS = 2
"""It hardly differs."""

LARGE = 500
"""Channels of a large server."""

FAULTS = ("no fault", "dropped", "refused", "frozen")


@asynccontextmanager
async def running(discord: DiscordOptions, shards: int) -> AsyncIterator[tuple[LocalDiscord, BotProcess]]:
    """A bot with so many shards, from its start."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_sandbox(Path(folder), discord=discord) as sandbox:
            sandbox.write_settings({"discord": {"shards": shards}})
            async with open_bot(sandbox) as bot:
                yield sandbox.discord, bot


async def all_ready(discord: LocalDiscord, bot: BotProcess, shards: int) -> None:
    """Every shard is connected, and the commands are known."""
    await bot.ready(START_TIMEOUT)
    with trio.fail_after(START_TIMEOUT):
        await discord.wait_shards(shards)


async def settled(bot: BotProcess) -> None:
    """The bot has nothing more to do."""
    before = -math.inf
    while (now := processor_seconds(bot.process.pid)) - before > BUSY * QUIET:
        before = now
        await trio.sleep(QUIET)


def waits(asked: Sequence[Interaction]) -> list[float]:
    """Seconds until each was acknowledged; `math.inf` if Discord has given up on the bot."""
    found = (interaction.acknowledged_after for interaction in asked)
    return [math.inf if waited is None else waited for waited in found]


def places(discord: LocalDiscord, shards: int, number: int, without: int | None = None) -> list[Channel]:
    """So many channels, each in another server, in turn on each shard but the one."""
    used = [SandboxShard(shard, shards) for shard in range(shards) if shard != without]
    ids = [discord.more_guilds.ids(shard) for shard in used]
    return [discord.more_guilds.channel(next(ids[index % len(ids)]), 1) for index in range(number)]


# Identifies


@dataclass(frozen=True, slots=True)
class Start:
    """How the shards began, in seconds."""

    closest: float
    """The smallest gap between two identifies in a bucket; `math.inf` if none had two."""
    until_ready: float
    identifies: int


async def start(max_concurrency: int) -> Start:
    """All shards identify."""
    began = trio.current_time()
    async with running(DiscordOptions(max_concurrency=max_concurrency), SHARDS) as (discord, bot):
        await all_ready(discord, bot, SHARDS)
        until_ready = trio.current_time() - began
        record = discord.start_limit.record
    buckets = defaultdict[int, list[float]](list)
    for identify in record:
        buckets[identify.bucket].append(identify.time)
    gaps = (later - earlier for times in buckets.values() for earlier, later in pairwise(times))
    return Start(min(gaps, default=math.inf), until_ready, len(record))


def show_starts(report: Report, most_buckets: Sequence[int]) -> None:
    """The first table."""
    report.table(f"{SHARDS} shards", "identifies", "all ready after", "closest two in a bucket", "required")
    for buckets in most_buckets:
        found = trio.run(start, buckets)
        report.row(
            f"`max_concurrency` {buckets}",
            found.identifies,
            f"{found.until_ready:.1f} s",
            "–" if math.isinf(found.closest) else f"{found.closest:.2f} s",
            required=">= 5 s",
            measured=found.closest,
        )


# One shard in trouble


def strike(discord: LocalDiscord, fault: str) -> None:
    """From now on, this is what one shard's gateway does."""
    match fault:
        case "dropped":
            discord.break_gateway("session-4000", shard=BROKEN)
            discord.drop_gateway(resumable=True, shard=BROKEN)
        case "refused":
            discord.break_gateway("open-refused", shard=BROKEN)
            discord.drop_gateway(resumable=True, shard=BROKEN)
        case "frozen":
            discord.break_gateway("open-frozen", shard=BROKEN)
            discord.freeze_gateway(shard=BROKEN)


async def people_beside(
    discord: LocalDiscord, people: Sequence[int], seconds: float, fault: str
) -> list[float]:
    """How long each waits who uses one of the other shards meanwhile."""
    channels = places(discord, SHARDS, len(people), BROKEN)
    strike(discord, fault)
    asked, chance = list[Interaction](), random.Random(0)
    until = trio.current_time() + seconds
    while trio.current_time() < until:
        number = len(asked) % len(people)
        asked.append(discord.invoke_now("help", user=person(people[number]), channel=channels[number]))
        await trio.sleep(chance.expovariate(1 / EVERY))
    await trio.sleep(LATEST)
    discord.heal_gateway(shard=BROKEN)
    with trio.fail_after(HEAL_TIMEOUT):
        await discord.wait_shards(SHARDS)
    return waits(asked)


async def measure_faults(rounds: int, seconds: float) -> dict[str, list[list[float]]]:
    """The waits of each round, by the fault."""
    options = DiscordOptions(max_concurrency=SHARDS, more_guilds=SHARDS * 10, heartbeat_interval=5.0)
    async with running(options, SHARDS) as (discord, bot):
        await all_ready(discord, bot, SHARDS)
        await settled(bot)
        people = range(SHARDS * 8)
        await people_beside(discord, people, 3.0, FAULTS[0])  # fills caches
        candidates: dict[str, Callable[[], Awaitable[list[float]]]] = {
            fault: partial(people_beside, discord, people, seconds, fault) for fault in FAULTS
        }
        return await alternate(rounds, candidates)


def show_faults(report: Report, rounds: int, seconds: float) -> None:
    """The second table: medians of the rounds."""
    found = trio.run(measure_faults, rounds, seconds)
    report.table("one shard's gateway", "commands", "lost", "p50", "p99", "x", "required")
    usual = median(percentile(waited, 0.99) for waited in found[FAULTS[0]])
    for fault, waited in found.items():
        middle, most = (median(percentile(each, part) for each in waited) for part in (0.5, 0.99))
        lost = sum(each.count(math.inf) for each in waited)
        report.row(
            fault,
            sum(map(len, waited)),
            lost,
            f"{middle * 1000:.1f} ms",
            f"{most * 1000:.1f} ms",
            f"{most / usual:.2f}",
            required="" if fault == FAULTS[0] else "<= 1.2",
            measured=most / usual,
        )
        if lost:
            report.miss(f"{fault}: {lost} commands on other shards were not acknowledged")


# Memory


@dataclass(slots=True)
class Cost:
    """Of a bot with so many shards and servers, when it has heard of all of them."""

    resident: float
    """MB."""
    most: float
    until_heard: float
    """Seconds from the start."""
    cpu: float
    waits: list[float] = field(default_factory=list)
    """Of people, while the servers are sent."""


async def cost(shards: int, servers: int, channels: int) -> Cost:
    """Start a bot, and use it while it hears of its servers."""
    options = DiscordOptions(
        max_concurrency=shards, more_guilds=servers, channels_per_guild=channels, guilds_per_shard=10**6
    )
    began = trio.current_time()
    async with running(options, shards) as (discord, bot):
        await all_ready(discord, bot, shards)
        asked = list[Interaction]()
        channels_used = places(discord, shards, min(servers, 200))
        while sum(session.sequence for session in discord.sessions.values()) < shards + servers:
            number = len(asked)
            channel = channels_used[number % len(channels_used)]
            asked.append(discord.invoke_now("help", user=person(number), channel=channel))
            await trio.sleep(0.05)
        await settled(bot)
        until_heard = trio.current_time() - began
        await trio.sleep(LATEST)
        pid = bot.process.pid
        memory = resident_mb(pid), resident_mb(pid, most=True)
        return Cost(*memory, until_heard, processor_seconds(pid), waits(asked))


def hearing(channels: int) -> float:
    """CPU seconds for which one server holds up the listener's loop: its JSON is read, little of it kept."""
    guilds = GeneratedGuilds(50, channels)
    event = {"op": 0, "t": "GUILD_CREATE", "s": 1}
    texts = [json.dumps({**event, "d": guilds.json(guild_id)}) for guild_id in guilds.ids(SandboxShard())]
    known, taken = GuildCache(), list[float]()
    for text in texts:
        began = time.thread_time()
        known.hear("GUILD_CREATE", json.loads(text)["d"])
        taken.append(time.thread_time() - began)
    return median(taken)


def show_memory(report: Report, rounds: int, servers: int) -> None:
    """The third table."""
    cases = {
        "one shard": (1, 0, 0),
        f"{SHARDS} shards": (SHARDS, 0, 0),
        "3,000 servers, 40,000 channels": (SHARDS, 3_000, 13),
        f"{servers:,} servers, {servers * 10:,} channels": (SHARDS, servers, 10),
    }
    run = {name: partial(cost, *case) for name, case in cases.items()}
    found = trio.run(alternate, rounds, run)
    report.table(
        "memory of the bot", "at rest", "more", "peak", "heard after", "CPU", "p50, p99 meanwhile", "required"
    )
    least = {
        shards: median(each.resident for each in found[name])
        for name, (shards, none, _) in cases.items()
        if not none
    }
    for name, (shards, count, _) in cases.items():
        costs = found[name]
        resident = median(each.resident for each in costs)
        more = resident - least[shards if count else 1]
        waited = [wait for each in costs for wait in each.waits]
        shown = [f"{percentile(waited, part):.2f} s" for part in (0.5, 0.99)] if waited else ["–"]
        report.row(
            name,
            f"{resident:.1f} MB",
            f"{more:.1f} MB",
            f"{max(each.most for each in costs):.1f} MB",
            f"{median(each.until_heard for each in costs):.1f} s",
            f"{median(each.cpu for each in costs):.1f} s",
            ", ".join(shown),
            required="< 120 MB" if count == servers else "",
            measured=more,
        )
    further = (least[SHARDS] - least[1]) / (SHARDS - 1)
    report.note(f"A further shard takes {further:.2f} MB.")
    report.table("a server's description", "CPU on the listener's loop", "required")
    for channels in (10, LARGE):
        taken = hearing(channels) * 1000
        required = "< 20 ms" if channels == LARGE else ""
        report.row(f"{channels} channels", f"{taken:.2f} ms", required=required, measured=taken)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__, rounds=5)
    parser.add_argument("--servers", type=int, help="in which the bot is (20,000)")
    parser.add_argument("--seconds", type=float, help="that a fault lasts in each round (20)")
    parser.add_argument("--only", choices=("identifies", "faults", "memory"), help="one of the three tables")
    options = parse(parser, arguments)
    report = Report()
    if options.only in {None, "identifies"}:
        show_starts(report, (SHARDS,) if options.quick else (1, SHARDS))
    if options.only in {None, "faults"}:
        show_faults(report, options.rounds, options.seconds or (3.0 if options.quick else 20.0))
    if options.only in {None, "memory"}:
        show_memory(
            report,
            1 if options.quick else MEMORY_ROUNDS,
            options.servers or (500 if options.quick else 20_000),
        )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
