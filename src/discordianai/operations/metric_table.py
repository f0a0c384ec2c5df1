"""Which figure of the snapshot is which metric: for those who write metrics, and who read them again.

Names follow https://prometheus.io/docs/practices/naming/: base units, and `_total` behind what only grows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from discordianai.operations.snapshot import Snapshot

PREFIX = "discordianai_"


class Kind(Enum):
    """What a figure is: one that goes up and down, one that only grows, or a `Latency`."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Figure:
    """A record's field, and its metric, without the prefix and without `_total`. One that is `derived` is
    computed from others."""

    field: str
    metric: str
    text: str
    kind: Kind = Kind.GAUGE
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Figures of alike records, which a label tells apart; without a label there is one record."""

    label: str | None
    records: Callable[[Snapshot], Mapping[str, object]]
    figures: tuple[Figure, ...]


COUNTER, HISTOGRAM = Kind.COUNTER, Kind.HISTOGRAM

PROCESS = Group(
    None,
    lambda snapshot: {"": snapshot.process},
    (
        Figure("started_at", "start_time_seconds", "When the bot was started, since the epoch"),
        Figure("taken_at", "snapshot_time_seconds", "When these figures were taken, since the epoch"),
        # The hardened unit hides /proc/stat, without which prometheus-client tells neither of these.
        Figure("memory_bytes", "resident_memory_bytes", "Memory of the process"),
        Figure("cpu_seconds", "cpu_seconds", "CPU time of the process", COUNTER),
        Figure("stopping", "stopping", "1 while no more questions are taken"),
    ),
)

LOOPS = Group(
    "loop",
    lambda snapshot: {"trio": snapshot.process, "asyncio": snapshot.discord},
    (Figure("lag", "event_loop_lag_seconds", "How late an event loop takes its turns", HISTOGRAM),),
)

QUESTIONS = Group(
    None,
    lambda snapshot: {"": snapshot.questions},
    (
        Figure("open", "questions_open", "Questions that were taken and are not finished"),
        Figure("answered", "questions_answered", "Questions that are finished", COUNTER),
        Figure("unprotected", "questions_unprotected", "Questions that a crash would have lost", COUNTER),
        Figure("replayed", "questions_replayed", "Questions that came again, and were dropped", COUNTER),
    ),
)

POOLS = Group(
    "pool",
    lambda snapshot: snapshot.pools,
    (
        Figure("utilisation", "pool_utilisation_ratio", "Requests in flight / max_connections", derived=True),
        Figure("max_connections", "pool_max_connections", "Connections that there may be"),
        Figure("open_connections", "pool_open_connections", "Connections that are open"),
        Figure("opening_connections", "pool_opening_connections", "Connections that are being opened"),
        Figure("idle_connections", "pool_idle_connections", "Open ones that carry nothing"),
        Figure("streams_in_use", "pool_streams", "Requests in flight over HTTP/2"),
        Figure("http1_requests", "pool_http1_requests", "Requests in flight over HTTP/1.1"),
        Figure("requests_waiting", "pool_requests_waiting", "Requests that wait for a connection"),
        Figure("connections_opened", "pool_connections_opened", "Connections that were opened", COUNTER),
        Figure("connections_lost", "pool_connections_lost", "Those that the other side ended", COUNTER),
        Figure("replays", "pool_replays", "Requests that a server had not begun with, sent again", COUNTER),
    ),
)

DISPATCH = Group(
    "provider",
    lambda snapshot: {name: provider.dispatch for name, provider in snapshot.providers.items()},
    (
        Figure("in_flight", "requests_in_flight", "Requests that the provider works on"),
        Figure("busiest", "requests_in_flight_peak", "The most of them at once in the last five minutes"),
        Figure("limit", "requests_in_flight_limit", "How many of them there may be now"),
        Figure("waiting", "queue_depth", "Questions that wait for a slot or for budget"),
        Figure("waited", "queue_wait_seconds", "Time in the line, of those that were sent", HISTOGRAM),
        Figure("first_chunk", "first_chunk_seconds", "From sending to the first piece", HISTOGRAM),
        Figure("last_chunk", "last_chunk_seconds", "From sending to the last piece", HISTOGRAM),
        Figure("requests_left", "budget_requests_left", "Requests that this minute has left"),
        Figure("tokens_left", "budget_tokens_left", "Tokens that this minute has left"),
        Figure("requests_limit", "budget_requests", "Requests that a minute has"),
        Figure("tokens_limit", "budget_tokens", "Tokens that a minute has"),
        Figure("requests", "requests_sent", "Requests that were sent", COUNTER),
        Figure("rate_limited", "rate_limited", "Requests that were answered with 429", COUNTER),
        Figure("retries", "retries", "Requests that were sent again", COUNTER),
        Figure(
            "refused", "queue_refused", "Questions refused: the line was full, or the breaker open", COUNTER
        ),
        Figure("line_full", "queue_full", "Those of them that met a full line", COUNTER),
    ),
)

DISCORD = Group(
    None,
    lambda snapshot: {"": snapshot.discord},
    (
        Figure("acknowledged", "discord_acknowledgement_seconds", "From event to acknowledgement", HISTOGRAM),
        Figure("overdue", "event_loop_overdue_seconds", "For how long Discord's loop has been silent"),
        Figure("identifies", "discord_identifies", "Gateway sessions that were begun", COUNTER),
        Figure("resumes", "discord_resumes", "Gateway sessions that were gone on with", COUNTER),
        Figure(
            "identify_tries",
            "discord_identify_tries",
            "IDENTIFYs that were sent, which Discord counts",
            COUNTER,
        ),
        Figure("resume_tries", "discord_resume_tries", "RESUMEs that were sent", COUNTER),
        Figure("losses", "discord_gateway_losses", "How often the gateway was lost", COUNTER),
    ),
)

HEALTH = Group(
    None,
    lambda snapshot: {"": snapshot.health},
    (
        Figure("writable", "store_writable", "1 while the database takes writes"),
        Figure("kept", "store_kept_changes", "Changes that wait in memory for the database"),
        Figure("lost", "store_lost_changes", "Changes that did not fit there", COUNTER),
    ),
)

STORE = Group(
    None,
    lambda snapshot: {"": snapshot.store},
    (
        Figure("conversations", "conversations", "Conversations that are remembered"),
        Figure("reads", "store_read_seconds", "How long reads take, with the wait for their turn", HISTOGRAM),
        Figure("writes", "store_write_seconds", "The same of writes, until they are on disk", HISTOGRAM),
        Figure("writes_waiting", "store_writes_waiting", "Writes that wait for their turn"),
        Figure("commits", "store_commits", "Transactions", COUNTER),
        Figure("cached_bytes", "store_cache_bytes", "Memory of the conversations used lately"),
        Figure("cached_conversations", "store_cached_conversations", "How many those are"),
        Figure("cache_hits", "store_cache_hits", "Reads that found theirs among them", COUNTER),
        Figure("cache_misses", "store_cache_misses", "Reads that did not", COUNTER),
        Figure("log_pages", "store_log_pages", "Pages of 4 KiB in the write-ahead log"),
        Figure(
            "longest_pause", "store_longest_pause_seconds", "The longest that a checkpoint held up writes"
        ),
    ),
)

GROUPS = (PROCESS, LOOPS, QUESTIONS, POOLS, DISPATCH, DISCORD, HEALTH, STORE)
