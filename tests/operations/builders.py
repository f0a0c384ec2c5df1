"""Snapshots of a bot that never ran."""

from collections.abc import Mapping
from dataclasses import replace

from discordianai.answering.open_questions import QuestionStatistics
from discordianai.conversations.accounting import NANO, Spent
from discordianai.conversations.store import StoreStatistics
from discordianai.discord.discord_statistics import DiscordStatistics, Unacknowledged
from discordianai.dispatch.breaker import BreakerState
from discordianai.dispatch.dispatcher_statistics import DispatchStatistics, ModelStatistics, RequestOutcome
from discordianai.metric import BOUNDS, Latency, from_buckets
from discordianai.operations.snapshot import ProcessStatistics, ProviderSnapshot, ProviderSpending, Snapshot
from discordianai.settings.keys import numbers
from discordianai.settings.tables import Settings
from discordianai.transport.pool_events import Statistics

HOUR = 3600.0
STARTED = 1_800_000_000.0


def latency(of: Mapping[float, int]) -> Latency:
    """So many took about so many seconds."""
    counts = [0] * (len(BOUNDS) + 1)
    for seconds, count in of.items():
        counts[sum(bound < seconds for bound in BOUNDS)] += count
    return from_buckets(tuple(counts), sum(seconds * count for seconds, count in of.items()))


def provider(label: str = "OpenAI", model: str = "gpt-5-mini", connections: int = 50) -> ProviderSnapshot:
    """An hour of 1000 questions, all of them answered."""
    dispatch = DispatchStatistics(
        in_flight=2,
        waiting=0,
        limit=connections,
        requests_left=480,
        tokens_left=190_000,
        breaker=BreakerState.CLOSED,
        waited=latency({0.0005: 1000}),
        first_chunk=latency({0.6: 980, 2.0: 20}),
        last_chunk=latency({6.0: 980, 12.0: 20}),
        requests=1002,
        retries=2,
        busiest=8,
        requests_limit=500,
        tokens_limit=200_000,
        models={
            model: ModelStatistics(
                {RequestOutcome.ANSWERED: 998, RequestOutcome.STOPPED: 2}, 500_000, 300_000
            )
        },
    )
    pool = Statistics(
        connections, open_connections=2, idle_connections=1, streams_in_use=2, connections_opened=60
    )
    spent, ends = {model: Spent(998, 500_000, 300_000, 2 * NANO, 0)}, {model: STARTED + 200 * 86_400}
    return ProviderSnapshot(label, model, dispatch, pool, spent, ends)


def well(**changes: object) -> Snapshot:
    """A bot with which nothing is wrong, an hour after its start."""
    openai, perplexity = provider(), provider("Perplexity", "fast", 30)
    snapshot = Snapshot(
        process=ProcessStatistics(
            version="0.1.0",
            started_at=STARTED,
            taken_at=STARTED + HOUR,
            memory_bytes=130 * 2**20,
            cpu_seconds=40.0,
            lag=latency({0.0005: 14_000, 0.02: 10}),
        ),
        providers={"openai": openai, "perplexity": perplexity},
        spending={"openai": ProviderSpending(openai.spent, openai.spent)},
        discord=DiscordStatistics(
            servers=3,
            connected_since=STARTED + 2,
            acknowledged=latency({0.2: 2000}),
            lag=latency({0.0005: 14_000}),
            identifies=1,
            resumes=2,
            losses=2,
            unacknowledged={Unacknowledged.LATE: 1},
            interactions={"question": 2000, "refusal": 10, "cancel": 2},
        ),
        discord_pool=Statistics(20, open_connections=1, idle_connections=1, connections_opened=9),
        store=StoreStatistics(
            conversations=321,
            reads=latency({0.0008: 3000}),
            writes=latency({0.004: 6000}),
            log_pages=25,
            longest_pause=0.01,
            cached_bytes=2**20,
            cached_conversations=200,
            cache_hits=1500,
            cache_misses=321,
            commits=5000,
        ),
        questions=QuestionStatistics(open=3, answered=1996),
        settings=numbers(Settings()),
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]  # by name
