"""The port of the conversation store, and the fake that ships beside it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from discordianai.model import Person, Place, Turn


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """Whose memory a question belongs to: a person's in a channel."""

    channel_id: int
    person_id: int

    @classmethod
    def of(cls, person: Person, place: Place) -> "ConversationKey":
        """The conversation that this person has in this place."""
        return cls(channel_id=place.channel_id, person_id=person.id)


class StoreError(Exception):
    """The store cannot be used; the text says why, for the operator."""


class ConversationStore(Protocol):
    """What was said lately. Both calls raise `StoreError`, and survive being cancelled."""

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """The newest `limit` turns, oldest first, beginning with a person's."""

    async def append(self, key: ConversationKey, turns: Sequence[Turn]) -> None:
        """Keep `turns` together: all of them are there after this returns, or none."""


class MemoryStore:
    """A conversation store that forgets at the end of the process."""

    def __init__(self) -> None:
        self._turns: defaultdict[ConversationKey, list[Turn]] = defaultdict(list)

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """See `ConversationStore.recent`."""
        return window(self._turns[key], limit)

    async def append(self, key: ConversationKey, turns: Sequence[Turn]) -> None:
        """See `ConversationStore.append`."""
        self._turns[key].extend(turns)


def window(turns: Sequence[Turn], limit: int) -> tuple[Turn, ...]:
    """The newest `limit` turns, without an answer at the front whose question has rolled out."""
    newest = list(turns[-limit:]) if limit else []
    while newest and newest[0].role != "user":
        del newest[0]
    return tuple(newest)
