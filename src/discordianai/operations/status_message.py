"""The content of `/status`: one Discord message, made from one snapshot."""

import math
from collections.abc import Iterator, Mapping, Sequence

from discordianai.discord.discord_statistics import DiscordStatistics
from discordianai.metric import Latency
from discordianai.operations.advice import advise, as_markdown
from discordianai.operations.health import judge, why_held
from discordianai.operations.metrics import notable
from discordianai.operations.shard_health import count
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot
from discordianai.transport.pool_events import Statistics

LONGEST = 2000
"""Characters of a message."""

ADVICE = 262
"""Of them, what is left to the advice and its heading."""

LONGEST_NAME = 40
"""Characters of a model's name, which is the operator's free text, and of no bound."""

LONGEST_REASON = 120
"""Characters of why the bot is not ready."""

LONGEST_REMARKS = 250
"""Characters of what is not as it should be while it is ready."""

HEADING = "**Advice**"

CELLS = 10
"""Of a bar."""


def describe(snapshot: Snapshot) -> str:
    """In Markdown, at most `LONGEST` characters: the figures, and in what room they leave, the advice.

    Counters that are declared as notable have a line of their own where they are not 0.
    """
    names = [*snapshot.providers]
    figures = _figures(snapshot, names)
    while len(names) > 1 and len(figures) > LONGEST - ADVICE:
        del names[-1]
        figures = _figures(snapshot, names)
    figures = "\n".join([figures, *_notable(snapshot, LONGEST - ADVICE - len(figures)), HEADING])
    return "\n".join([figures, *as_markdown(advise(snapshot), LONGEST - len(figures))])


def _notable(snapshot: Snapshot, room: int) -> Iterator[str]:
    """One line with as many of the notable counters as fit."""
    line = ""
    for told in notable(snapshot):
        longer = f"{line} · {told}" if line else f"-# {told}"
        if len(longer) + len("\n") > room:
            break
        line = longer
    if line:
        yield line


def _figures(snapshot: Snapshot, names: Sequence[str]) -> str:
    """Those of the whole, and of these providers."""
    left_out = len(snapshot.providers) - len(names)
    return "\n".join(
        [
            *_whole(snapshot),
            *(line for name in names for line in _provider(snapshot.providers[name])),
            *([f"-# and {left_out} more providers: the status page has all"] if left_out else []),
            *_pools({name: pool for name, pool in snapshot.pools.items() if name in {*names, "discord"}}),
        ]
    )


def _whole(snapshot: Snapshot) -> Iterator[str]:
    verdict = judge(snapshot)
    not_ready = "Degraded" if verdict.degraded else "Not ready"
    state = "Ready" if verdict.ready else f"{not_ready}: {'; '.join(verdict.reasons)[:LONGEST_REASON]}"
    questions, process = snapshot.questions, snapshot.process
    yield (
        f"**{state}** · started <t:{int(process.started_at)}:R> · version {process.version}"
        f" · {process.memory_bytes / 2**20:.0f} MiB of memory"
    )
    if verdict.ready and verdict.remarks:
        yield f"-# {'; '.join(verdict.remarks)[:LONGEST_REMARKS]}"
    yield f"Questions: {questions.open} open, {questions.answered:,} answered"
    if len(snapshot.discord.shards) > 1:
        yield _shards(snapshot.discord)
    yield (
        f"Acknowledged in {_latency(snapshot.discord.acknowledged)}"
        f" · stored in {_latency(snapshot.store.writes)}"
        f" · loop lag {_latency(process.lag)} and {_latency(snapshot.discord.lag)}"
    )


def _shards(discord: DiscordStatistics) -> str:
    """How many are connected, how long the slowest takes to answer a heartbeat, and the fullest."""
    shards = discord.shards.values()
    heartbeats = [shard.heartbeat for shard in shards if shard.heartbeat is not None]
    slowest = f", heartbeats within {_seconds(max(heartbeats))}" if heartbeats else ""
    fullest = max((shard.servers or 0 for shard in shards), default=0)
    servers = f"{_counted(discord.servers or 0, 'server')}, {fullest:,} at most on one"
    return f"{count(discord)} connected{slowest} · {servers}"


def _provider(provider: ProviderSnapshot) -> Iterator[str]:
    dispatch = provider.dispatch
    slots, why = _slots(provider), why_held(provider)
    yield (
        f"**{provider.label}** · {provider.model[:LONGEST_NAME]} · breaker {dispatch.breaker.value}"
        f"{why and f': {why}'}"
    )
    yield (
        f"{_bar(dispatch.in_flight, slots)} {dispatch.in_flight} of {slots:,} slots"
        f" (peak {dispatch.busiest:,}), {dispatch.waiting:,} waiting"
    )
    yield (
        f"Left this minute: {_left(dispatch.requests_left, dispatch.requests_limit)} requests,"
        f" {_left(dispatch.tokens_left, dispatch.tokens_limit)} tokens · {dispatch.rate_limited:,} × 429"
    )
    yield (
        f"Waited {_latency(dispatch.waited)} · first words {_latency(dispatch.first_chunk)}"
        f" · whole answer {_latency(dispatch.last_chunk)}"
    )


def _slots(provider: ProviderSnapshot) -> int:
    """As they are set; what the dispatcher allows now may be less."""
    return provider.pool.max_connections if provider.pool else provider.dispatch.limit


def _pools(pools: Mapping[str, Statistics]) -> Iterator[str]:
    yield "**Connection pools**"
    for name, pool in pools.items():
        yield f"{_bar(pool.requests_in_flight, pool.max_connections)} {name}: {_pool(pool)}"


def _pool(pool: Statistics) -> str:
    return (
        f"{_counted(pool.requests_in_flight, 'request')} on {_counted(pool.open_connections, 'connection')}"
        f" ({pool.idle_connections:,} idle) of {pool.max_connections:,}, {pool.requests_waiting:,} waiting,"
        f" {pool.connections_lost:,} of {pool.connections_opened:,} lost"
    )


def _bar(part: float, whole: float) -> str:
    """Any load above zero is visible; over HTTP/2 there may be more requests than connections."""
    full = min(math.ceil(CELLS * part / whole), CELLS) if whole > 0 else 0
    return f"`{'█' * full}{'░' * (CELLS - full)}`"


def _left(left: float, limit: float) -> str:
    return f"{max(left, 0):,.0f} of {limit:,.0f}" if math.isfinite(limit) else "any number of"


def _latency(latency: Latency) -> str:
    """The median and the 99th percentile."""
    return f"{_seconds(latency.p50)}/{_seconds(latency.p99)}" if latency.count else "–"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
