"""Which conversation a question belongs to, and so what an answer can contain.

What was said in one conversation is never shown in another, so that privacy follows from the key alone:

* An answer that only one person sees (ephemeral) belongs to a conversation of its own for that person in
  that channel, under every scope. Were it a mark on each turn of a shared conversation instead, one forgotten
  filter would show it to everybody; with a key of its own, there is nothing to filter.
* A direct message has no server. Under every scope a person has a conversation of their own there, also where
  others read along: what is said there does not follow the person into a server, nor the other way round.
* A thread is a channel of its own to Discord, so that it needs no rule.

Nothing flows from the public conversation into the private one either: a private question starts afresh. That
is the price of the rule being one line long.
"""

from dataclasses import dataclass
from enum import StrEnum

from discordianai.conversations import speakers
from discordianai.conversations.speakers import Spoken
from discordianai.records import Person, Place

EVERYBODY = 0
EVERYWHERE = 0
"""No snowflake is 0."""


class Scope(StrEnum):
    """What a public conversation spans."""

    USER_IN_CHANNEL = "user-in-channel"
    CHANNEL = "channel"
    USER = "user"


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """A conversation: a person's in a channel, everybody's in a channel, or a person's in all channels."""

    channel_id: int
    person_id: int
    private: bool = False

    @classmethod
    def of(
        cls,
        person: Person,
        place: Place,
        scope: Scope = Scope.USER_IN_CHANNEL,
        *,
        private: bool = False,
    ) -> "ConversationKey":
        """The conversation that a question of `person` in `place` continues."""
        if private:
            return cls(place.channel_id, person.id, private=True)
        if scope is Scope.CHANNEL and place.guild_id is not None:
            return cls(place.channel_id, EVERYBODY)
        if scope is Scope.USER and place.guild_id is not None:
            return cls(EVERYWHERE, person.id)
        return cls(place.channel_id, person.id)

    @property
    def shared(self) -> bool:
        """Whether several people speak in it."""
        return self.person_id == EVERYBODY

    def spoken(self, person: Person, text: str) -> str:
        """What `person` said, with a heading if several people speak, for the model and the store."""
        return speakers.marked(person.name, text) if self.shared else text

    def read(self, told: str) -> Spoken:
        """The reverse: who said what; without a name if only one person speaks."""
        return speakers.read(told) if self.shared else Spoken("", told)
