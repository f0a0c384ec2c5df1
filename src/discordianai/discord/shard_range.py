"""Which shards this process runs: `[discord] shards`, as it is written and as it is used."""

import re
from dataclasses import dataclass

AUTO = "auto"
"""As many as Discord recommends."""

MOST_SHARDS = 10_000
"""More than any bot has: a start takes five seconds for each, divided by Discord's `max_concurrency`."""

SERVERS_PER_SHARD = 2500
"""Discord refuses a session (4011) whose shard would have more."""

_WRITTEN = re.compile(r"(?:(\d{1,6})(?:-(\d{1,6}))?/)?(\d{1,6})", re.ASCII)
"""`16`, `5/16` or `0-3/16`."""


@dataclass(frozen=True, slots=True)
class ShardRange:
    """The shards `first` to `last` of `total`. Discord counts them from 0."""

    first: int = 0
    last: int = 0
    total: int = 1

    @property
    def ids(self) -> range:
        """Each of them."""
        return range(self.first, self.last + 1)

    @property
    def is_all(self) -> bool:
        """Whether no other process has any."""
        return len(self.ids) == self.total

    def __str__(self) -> str:
        """As it is written in the settings."""
        if self.is_all:
            return str(self.total)
        several = f"-{self.last}" if self.last > self.first else ""
        return f"{self.first}{several}/{self.total}"


def parse(written: int | str) -> ShardRange | None:
    """Parse the value of the key; None: as many as Discord recommends. Raises `ValueError`, saying why."""
    if written == AUTO:
        return None
    found = _WRITTEN.fullmatch(str(written))
    if found is None:
        raise ValueError('should be a number, "auto", or a range like "0-3/16"')
    first, last, total = found.groups()
    if not 1 <= int(total) <= MOST_SHARDS:
        raise ValueError(f"should have a total of 1 to {MOST_SHARDS:,} shards")
    if first is None:
        return all_of(int(total))
    shards = ShardRange(int(first), int(last or first), int(total))
    if shards.first > shards.last:
        raise ValueError(f'should have the lower number first: "{shards.last}-{shards.first}/{total}"')
    if shards.last >= shards.total:
        raise ValueError(f"should have numbers from 0 to {int(total) - 1}: Discord counts shards from 0")
    return shards


def all_of(total: int) -> ShardRange:
    """All of so many shards, in this process."""
    return ShardRange(0, total - 1, total)
