"""Rules for the bot itself: its store, event loops, memory and gateway."""

from collections.abc import Callable, Iterator, Mapping

from discordianai.discord.audit_log import RefusalCause
from discordianai.discord.shard_range import SERVERS_PER_SHARD
from discordianai.operations import shard_health
from discordianai.operations.advice.recommendation import Period, Recommendation, SettingChange, percent

BotRule = Callable[[Period], Iterator[Recommendation]]

MUCH_MEMORY = 512 * 2**20
"""Bytes. The bot takes about 100 MiB, and what its cache may take."""

SLOW_STORE = 0.1
"""Seconds for one write in a hundred. A question waits half a second to be protected."""

LATE_LOOP = 0.25
"""Seconds for one turn in a hundred: people see that answers stutter."""

FEW = 3
"""Mishaps that may be accidents."""

MEBIBYTE = 2**20
SERVER = "Look at the load of the PostgreSQL server, its disk, and the network to it."
FASTER_DISK = SettingChange("conversations.database", "where it is", "a path on a faster disk")


def gateway(period: Period) -> Iterator[Recommendation]:
    """The gateway is not connected, or is often lost."""
    discord = period.now.discord
    losses, hours = period.grown(lambda snapshot: snapshot.discord.losses), period.seconds / 3600
    if (
        discord.connected_since is None
        and not period.now.process.stopping
        and not shard_health.connected(discord)
    ):
        yield Recommendation(
            "The Discord gateway is not connected",
            f"{discord.losses} losses, {discord.identifies} identifies since the start.",
            "The bot receives no commands. It retries by itself; the log says why it failed.",
            urgent=True,
        )
    elif losses >= 10 and losses > 10 * hours:
        yield Recommendation(
            "The Discord gateway is lost again and again",
            f"{losses:.0f} times in {hours:.1f} h.",
            "Discord itself closes it every few hours at most: check the network and the CPU.",
        )


ROOM = 0.8
"""Of what Discord allows a shard: a bot that has so many servers should have more shards soon."""

FEW_SERVERS = 100
"""Servers of the fullest shard: with fewer, further shards only make the start longer."""


def shards(period: Period) -> Iterator[Recommendation]:
    """A shard has nearly as many servers as Discord allows, or shards are for nothing."""
    discord, taken_at = period.now.discord, period.now.process.taken_at
    total, fullest = (
        discord.shard_total,
        max((shard.servers or 0 for shard in discord.shards.values()), default=0),
    )
    runs_all = len(discord.shards) >= total  # other processes run the others, and need the same total
    if fullest >= ROOM * SERVERS_PER_SHARD:
        several = "The one shard" if total == 1 else f"The fullest of {total} shards"
        in_each = "" if runs_all else " Raise the total in the settings of every process."
        yield Recommendation(
            "The bot needs more shards soon",
            f"{several} has {fullest:,} servers.",
            f"Discord refuses one with more than {SERVERS_PER_SHARD:,}, and recommends about 1,000.{in_each}",
            (SettingChange("discord.shards", str(total), '"auto"'),) if runs_all else (),
        )
    elif len(discord.shards) > 1 and runs_all and discord.connected and fullest < FEW_SERVERS:
        yield Recommendation(
            "The bot has more shards than it needs",
            f"The fullest of {total} shards has {fullest:,} server{'s' * (fullest != 1)}.",
            f"Each start uses one of about 1,000 daily identifies for every shard, and up to {5 * total} s.",
            (SettingChange("discord.shards", str(total), "1"),),
        )
    if 0 < (up := shard_health.connected(discord)) < len(discord.shards) and not period.now.process.stopping:
        yield Recommendation(
            "Some shards are not connected",
            f"{shard_health.not_connected(discord, taken_at)}.",
            f"The bot receives no commands in their servers; it answers in those of the other {up}.",
            urgent=True,
        )


def acknowledgements(period: Period) -> Iterator[Recommendation]:
    """Acknowledgements failed, so people saw their commands fail."""
    failed = period.grown(lambda snapshot: sum(snapshot.discord.unacknowledged.values()))
    taken = period.latency(lambda snapshot: snapshot.discord.acknowledged)
    if failed >= FEW and failed > 0.01 * taken.count:
        yield Recommendation(
            "Discord rejects some acknowledgements",
            f"{failed:.0f} of {failed + taken.count:.0f} were not accepted; one in a hundred took "
            f"{taken.p99:.2f} s or longer, of the 3 s that Discord waits.",
            "Those people see that the application did not respond. If acknowledging takes long, the machine "
            "or its network is too slow; if not, another copy of the bot may use the same token.",
        )


def unprotected(period: Period) -> Iterator[Recommendation]:
    """Questions that were acknowledged before they were stored."""
    open_to_loss = period.grown(lambda snapshot: snapshot.questions.unprotected)
    answered = period.grown(lambda snapshot: snapshot.questions.answered)
    if open_to_loss >= FEW and open_to_loss > 0.01 * answered:
        yield Recommendation(
            "Questions are not protected against a crash",
            f"{open_to_loss:.0f} of {answered:.0f}; one write in a hundred took {_writes_p99(period):.2f} s "
            "or longer.",
            "A question waits half a second to be stored, and is then acknowledged all the same.",
            _faster_disk(period),
        )


def store(period: Period) -> Iterator[Recommendation]:
    """The database rejects writes, or is slow."""
    health = period.now.health
    if not health.writable or health.lost:
        yield Recommendation(
            "The database accepts no writes" if not health.writable else "Changes to the database were lost",
            f"{health.kept} changes wait in memory, {health.lost} did not fit there.",
            "The log, and /health, say why. A crash loses what waits.",
            urgent=True,
        )
    writes = period.latency(lambda snapshot: snapshot.store.writes)
    if writes.count >= 100 and writes.p99 > SLOW_STORE:
        yield Recommendation(
            "The database is slow",
            f"One write in a hundred took {writes.p99:.2f} s or longer, of {writes.count}.",
            "Questions wait for it for up to half a second, answers for up to two seconds."
            + ("" if _is_file(period) else f" {SERVER}"),
            _faster_disk(period),
        )


def encryption(period: Period) -> Iterator[Recommendation]:
    """What people say is sent to the database in the clear."""
    if period.now.store.unencrypted:
        yield Recommendation(
            "The connection to the database is not encrypted",
            f"{period.now.store.commits:,} transactions crossed a network without TLS.",
            "Whoever is on the way can read what people say: put ?sslmode=verify-full at the end of"
            " conversations.database, and see docs/scaling.md.",
            urgent=True,
        )


def cache(period: Period) -> Iterator[Recommendation]:
    """Conversations are read repeatedly, because they do not fit in the cache."""
    megabytes = period.setting("conversations.cache_megabytes")
    hits = period.grown(lambda snapshot: snapshot.store.cache_hits)
    misses = period.grown(lambda snapshot: snapshot.store.cache_misses)
    if not megabytes or period.now.store.cached_bytes < 0.9 * megabytes * MEBIBYTE:
        return
    if misses >= 1000 and misses > hits:
        yield Recommendation(
            "The conversation cache is too small",
            f"{percent(misses, hits + misses)} of {hits + misses:.0f} reads went to the disk, and its "
            f"{megabytes:g} MiB are full.",
            "A read from disk takes half a millisecond of CPU time.",
            (_megabytes(megabytes, min(2 * megabytes, 100_000)),),
        )


def memory(period: Period) -> Iterator[Recommendation]:
    """The bot uses more memory than it should need."""
    resident, cached = period.now.process.memory_bytes, period.now.store.cached_bytes
    if resident <= MUCH_MEMORY:
        return
    megabytes = period.setting("conversations.cache_megabytes")
    large = megabytes is not None and megabytes > 32 and cached > resident / 4
    yield Recommendation(
        "The bot uses a lot of memory",
        f"{resident / MEBIBYTE:.0f} MiB, of which the cache of conversations is {cached / MEBIBYTE:.0f}; "
        f"{period.now.questions.open} questions are open.",
        "What is not in the cache is read from disk when needed."
        if large
        else "No setting explains that: if it keeps growing, please report it; a restart loses nothing.",
        (_megabytes(megabytes, megabytes / 2),) if large and megabytes is not None else (),
    )


def loops(period: Period) -> Iterator[Recommendation]:
    """The machine is too slow for the load."""
    lags = {
        "trio": period.latency(lambda snapshot: snapshot.process.lag),
        "the Discord library": period.latency(lambda snapshot: snapshot.discord.lag),
    }
    late = {name: lag.p99 for name, lag in lags.items() if lag.count >= 100 and lag.p99 > LATE_LOOP}
    if late:
        seconds = period.seconds
        busy = period.grown(lambda snapshot: snapshot.process.cpu_seconds)
        yield Recommendation(
            "The machine is too slow",
            "; ".join(
                f"one turn in a hundred of {name} came {lag:.2f} s late or later"
                for name, lag in late.items()
            )
            + f"; the bot used {percent(busy, seconds)} of a CPU.",
            "If the bot uses less than half a CPU, something else on this machine uses the rest.",
        )


def refusals(period: Period) -> Iterator[Recommendation]:
    """A person or a server gets nothing but refusals."""
    for one in period.now.discord.audit.always_refused:
        hours = max((period.now.process.taken_at - one.since) / 3600, 0.0)
        yield Recommendation(
            f"A {one.kind} is always refused: {one.name}",
            f"{one.refused:,} times in {hours:.1f} h, the last time for {WHY_REFUSED[one.cause]}.",
            f"`discordianai conversations who {one.name}` shows who that is. "
            + (
                "Allow the person, tell them why not, or block them in Discord."
                if one.kind == "person"
                else "Allow the server, or remove the bot from it, so that nobody there is offered it."
            ),
        )


WHY_REFUSED: Mapping[RefusalCause, str] = {
    RefusalCause.ACCESS: "the lists of [discord]",
    RefusalCause.PERMISSION: "a missing permission",
    RefusalCause.BUTTON: "another person's button",
    RefusalCause.LIMIT: "the limits of [rate_limits]",
}


def _is_file(period: Period) -> bool:
    return period.now.store.engine == "SQLite"


def _faster_disk(period: Period) -> tuple[SettingChange, ...]:
    return (FASTER_DISK,) if _is_file(period) else ()


def _writes_p99(period: Period) -> float:
    return period.latency(lambda snapshot: snapshot.store.writes).p99


def _megabytes(now: float, to: float) -> SettingChange:
    return SettingChange("conversations.cache_megabytes", f"{now:g}", f"{to:g}")


BOT_RULES: tuple[BotRule, ...] = (
    gateway,
    shards,
    acknowledgements,
    unprotected,
    store,
    encryption,
    cache,
    memory,
    loops,
    refusals,
)
