"""A shard: one of the parts into which a bot divides its guilds, each with gateway sessions of its own."""

from dataclasses import dataclass
from typing import Self

GUILD_EVENTS = frozenset({"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"})
"""Those whose data is a guild."""


@dataclass(frozen=True, slots=True, order=True)
class SandboxShard:
    """Number `id` of `total` shards; a bot without shards has one."""

    id: int = 0
    total: int = 1

    @classmethod
    def parse(cls, value: object) -> Self | None:
        """What an IDENTIFY has as `shard`, which may be missing; None where it is no shard."""
        if value is None:
            return cls()
        match value:
            case [int(number), int(total)] if 0 <= number < total and not isinstance(number, bool):
                return cls(number, total)
        return None

    def serves(self, guild_id: int | None) -> bool:
        """Whether a guild's events come on this shard; those without a guild come on shard 0."""
        return ((guild_id or 0) >> 22) % self.total == self.id


def guild_of(event: str, data: object) -> int | None:
    """The guild that an event is about, None where it is about none."""
    if not isinstance(data, dict):
        return None
    told = data.get("id" if event in GUILD_EVENTS else "guild_id")
    return int(told) if isinstance(told, str) and told.isascii() and told.isdecimal() else None
