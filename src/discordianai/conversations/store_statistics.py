"""The store's figures."""

from dataclasses import dataclass, field
from typing import Annotated

from discordianai.latencies import Latency
from discordianai.metric import Metric


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """At one moment. `committing` is the seconds that the present transaction has taken so far."""

    conversations: Annotated[int, Metric("conversations", "Conversations in the database")] = 0
    reads: Annotated[
        Latency, Metric("store_read_seconds", "Time to read from the database, including the wait")
    ] = field(default_factory=Latency)
    writes: Annotated[
        Latency, Metric("store_write_seconds", "Time until a write is on disk, including the wait")
    ] = field(default_factory=Latency)
    cached_bytes: Annotated[int, Metric("store_cache_bytes", "Memory used by the conversation cache")] = 0
    cached_conversations: Annotated[
        int, Metric("store_cached_conversations", "Conversations in the cache")
    ] = 0
    cache_hits: Annotated[int, Metric("store_cache_hits_total", "Reads answered from the cache")] = 0
    cache_misses: Annotated[int, Metric("store_cache_misses_total", "Reads not answered from the cache")] = 0
    writes_waiting: Annotated[int, Metric("store_writes_waiting", "Writes waiting for their turn")] = 0
    commits: Annotated[int, Metric("store_commits_total", "Transactions committed")] = 0
    committing: float = 0.0
    log_pages: Annotated[int, Metric("store_log_pages", "Pages of 4 KiB in the write-ahead log")] = 0
    longest_pause: Annotated[
        float,
        Metric("store_longest_pause_seconds", "Longest wait of a write for a checkpoint"),
    ] = 0.0
