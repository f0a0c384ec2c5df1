"""What the store tells about itself."""

from dataclasses import dataclass, field

from discordianai.latencies import Latency


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """`conversations` are those in the database, as of a moment ago. `reads` and `writes` are how long they
    took, with the wait for their turn; a write is done when it is on disk.

    `commits` is transactions, `committing` the seconds that the present one has taken so far, `log_pages`
    pages of 4 KiB in the write-ahead log; `longest_pause` is the seconds for which writes had to wait at most
    while the log was begun anew.
    """

    conversations: int = 0
    reads: Latency = field(default_factory=Latency)
    writes: Latency = field(default_factory=Latency)
    cached_bytes: int = 0
    cached_conversations: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    writes_waiting: int = 0
    commits: int = 0
    committing: float = 0.0
    log_pages: int = 0
    longest_pause: float = 0.0
