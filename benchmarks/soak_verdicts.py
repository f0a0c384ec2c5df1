"""What became of each thing that people asked during the soak, as they see it."""

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from benchmarks.answers import (
    PART,
    REFUSED,
    TOLD,
    WHOLE,
    goes_on,
    is_whole,
    labels,
)
from benchmarks.soak_discord_faults import (
    ACKNOWLEDGEMENTS_REFUSED,
    BANNED,
    CLOSED,
)
from benchmarks.soak_faults import ACKNOWLEDGEMENT_ERRORS, FaultLog
from benchmarks.soak_mutations import is_hostile
from discordianai.discord.messages.fallbacks import LINK_REMOVED, NOT_TAKEN
from discordianai.discord.messages.posting import heading_for
from discordianai.discord.messages.reply import NOT_SHOWN
from discordianai.discord.messages.reply import REFUSED as TAKES_NONE
from discordianai.sandbox.discord import Interaction, LocalDiscord, SandboxMessage, User, direct_messages
from discordianai.sandbox.discord.sandbox_interaction import ACKNOWLEDGE_WITHIN

_BEFORE = "last was: "
"""What the sandbox's models say before they quote another question than the one that they answer."""

_QUOTED = re.compile(rf"(?<!{_BEFORE})“(what about number \d+\?)”")

REFUSAL = 4
"""The type of a response that is a message, and so no answer to a question."""

IN_FLIGHT = 0.5
"""Seconds before a drop in which an event may have been on its way, or its acknowledgement not yet begun; to
which the time is added for which the sandbox stood still and sent nothing."""

UNDELIVERED = "not delivered: the gateway session was invalid"
TOO_LATE = "not delivered in time: the gateway was away for longer than three seconds"
ACKNOWLEDGEMENT_REFUSED = "told by Discord: it refused the acknowledgement"
PRIVATE_AND_ERRORS = "told by Discord: private, and its acknowledgements met errors"
REFUSED_IN_A_BAN = "told by Discord: the bot refused, and the address was banned"
PRIVATE_IN_A_BAN = "told by Discord: private, and the address was banned"
NOT_WRITABLE = "nowhere to be told: not acknowledged, and the bot may not write there"
TOLD_DIRECTLY = "told in a direct message: the bot may no longer write there"
ALTERED = "answered, as the mutated events had it"
IN_PART_REFUSED = "answered, with a note that Discord refused a part"
WITHOUT_LINKS = "answered without its links"
DONE = "done, or told why not"

MOVED = "-# For <@"
"""How begins what moved to the channel: the beginning of `heading_for`."""

ACKNOWLEDGED_SLOWLY = 1.5
"""Seconds that an acknowledgement may be under way when a spell begins."""


@dataclass(eq=False)
class Asked:
    """A question, or another thing that somebody wants. `created` is on Discord's clock.

    By a command or a button it has its `interaction`; a mention has its `message_id` and its `user`.
    """

    prompt: str
    created: float
    channel_id: int
    interaction: Interaction | None = None
    message_id: int | None = None
    user: User | None = None
    private: bool = False
    flood: bool = False
    began: float = field(default_factory=time.monotonic)

    def messages(self, discord: LocalDiscord) -> Sequence[SandboxMessage]:
        """The bot's, in response to it, as far as they name it."""
        if self.interaction is not None:
            return [message for message in self.interaction.messages if not message.deleted]
        return [
            message
            for message in discord.channel_messages
            if message.reply_to == self.message_id and not message.deleted
        ]


Verdict = tuple[str, float | None]


@dataclass
class Verdicts:
    """Judges with the faults in view; None while there may be another verdict.

    A message that names no question is claimed for one.
    """

    discord: LocalDiscord
    log: FaultLog
    within: float = 120.0
    """Seconds after which a missing permission explains nothing any more."""
    waiting: Collection[str] = ()
    """The prompts of what has no last word yet."""
    claimed: set[int] = field(default_factory=set)

    def heard_at(self, asked: Asked) -> float:
        """When the bot could hear of it at the earliest, by `time.monotonic`: a gateway that is away and is
        resumed delivers mentions afterwards."""
        away = (
            gap.ended - asked.created
            for gap in self.log.gaps
            if gap.resumable and gap.began - IN_FLIGHT <= asked.created <= gap.ended
        )
        return asked.began + max(away, default=0.0)

    def __call__(self, asked: Asked) -> Verdict | None:
        """What became of it, and when it had its last word, by `time.monotonic`: None where it had none."""
        if asked.interaction is not None and asked.interaction.response_type is None:
            return self._unacknowledged(asked)
        if asked.flood and asked.interaction is not None:
            return (
                None if asked.interaction.loading and asked.interaction.response_type == 5 else (DONE, None)
            )
        messages = asked.messages(self.discord)
        if messages or asked.interaction is not None:
            return _seen(asked, messages) or self._cut_off(asked)
        return self._mention_without_reply(asked)

    def _unacknowledged(self, asked: Asked) -> Verdict | None:
        assert asked.interaction is not None
        until = asked.created + ACKNOWLEDGE_WITHIN
        # What a resumed gateway brings comes all at once. One that Discord called too late then had its turn.
        in_time = 0.0 if asked.interaction.refused_acknowledgements else ACKNOWLEDGE_WITHIN - 1.0
        if found := self._missed(asked.created, in_time):
            return found, None
        if self.log.was(BANNED, asked.created - ACKNOWLEDGED_SLOWLY, until):
            if REFUSAL in asked.interaction.banned_responses:  # by a limit, say; it says so nowhere else
                return REFUSED_IN_A_BAN, None
            if asked.private:
                return PRIVATE_IN_A_BAN, None
            return (DONE, None) if asked.flood else self._moved(asked)
        if self.log.was(ACKNOWLEDGEMENTS_REFUSED, asked.created - ACKNOWLEDGED_SLOWLY, until):
            return ACKNOWLEDGEMENT_REFUSED, None
        # The library tries again after a second, and then after three. The bot cannot know that neither has
        # arrived: what it would have written to the interaction goes to the channel.
        if self.log.count(ACKNOWLEDGEMENT_ERRORS, asked.created, until) > 1:
            if asked.private:
                return PRIVATE_AND_ERRORS, None
            return (DONE, None) if asked.flood else self._moved(asked)
        return self._elsewhere(asked, only_quoting=True)

    def _moved(self, asked: Asked) -> Verdict | None:
        """Of a command that only the channel was left for."""
        return self._elsewhere(asked) or self._cut_off(asked) or self._not_writable(asked)

    def _not_writable(self, asked: Asked) -> Verdict | None:
        """Where the only channel is closed, perhaps nothing is shown, ever."""
        late = time.monotonic() > self.heard_at(asked) + self.within
        return (NOT_WRITABLE, None) if late and self._closed(asked) else None

    def _closed(self, asked: Asked) -> bool:
        """Whether the bot was not allowed to write within the time of an answer."""
        return self.log.was(CLOSED, asked.created, asked.created + self.within)

    def _missed(self, created: float, in_time: float) -> str | None:
        for gap in self.log.gaps:
            in_flight = IN_FLIGHT + self.log.stalled(gap.began - IN_FLIGHT, gap.began)
            if gap.began - in_flight <= created <= gap.ended:
                if not gap.resumable:
                    return UNDELIVERED
                if gap.ended - created > in_time:
                    return TOO_LATE
        return None

    def _cut_off(self, asked: Asked) -> Verdict | None:
        """Where the bot may not even edit what it has written, a direct message says so."""
        user = asked.interaction.user if asked.interaction is not None else asked.user
        if user is None or not self._closed(asked):
            return None
        theirs = direct_messages(user).id
        for message in self.discord.channel_messages:
            began = message.history[0][0]
            about = f"About your question in <#{asked.channel_id}>: "
            if message.channel_id == theirs and began >= asked.began and message.content.startswith(about):
                return TOLD_DIRECTLY, began
        return None

    def _mention_without_reply(self, asked: Asked) -> Verdict | None:
        if found := self._elsewhere(asked):
            return found
        if self._missed(asked.created, in_time=float("inf")):
            return UNDELIVERED, None
        return self._not_writable(asked)

    def _elsewhere(self, asked: Asked, *, only_quoting: bool = False) -> Verdict | None:
        """The messages in the channel that must be this one's: one that quotes it, with what belongs to that;
        or, where a fault explains it, one that may be: see `_vague`."""
        free = [
            message
            for message in self.discord.channel_messages
            if message.channel_id == asked.channel_id
            and message.history[0][0] >= asked.began
            and message.reply_to is None
            and not message.deleted
            and message.id not in self.claimed
        ]
        quoted = re.compile(f"(?<!{_BEFORE})“{re.escape(asked.prompt)}”")
        quoting = [message for message in free if quoted.search(message.content)]
        if quoting:
            quoting += _further(asked.prompt, quoting, free)
        vague = [] if only_quoting else self._vague(asked, free)
        for messages in (quoting, *vague):
            if found := _seen(asked, messages):
                self.claimed.update(message.id for message in messages)
                return found
        return None

    def may_be_of(self, asked: Asked, message: SandboxMessage) -> bool:
        """Whether it replies to the question, or names it or the person."""
        if asked.interaction is None:
            theirs = message.reply_to == asked.message_id
        else:
            theirs = heading_for(asked.interaction.user.id) in message.content
        return theirs or asked.prompt in message.content

    def _vague(self, asked: Asked, free: Sequence[SandboxMessage]) -> list[list[SandboxMessage]]:
        """Of these messages, each that may be this one's, those first that quote no question.

        What moved to the channel says for whom it is; mutated events may have changed any word of what it
        quotes, but not into what this person still waits for. The answer to a mention that was posted as no
        reply says for nobody. What comes later than any last word is another one's.
        """
        latest = self.heard_at(asked) + self.within
        free = [message for message in free if message.history[0][0] <= latest]
        heading = MOVED if asked.interaction is None else heading_for(asked.interaction.user.id)
        moved = asked.interaction is not None
        theirs = [message for message in free if message.content.startswith(heading) == moved]
        vague = [[message] for message in theirs if not _QUOTED.search(message.content)]
        if moved and is_hostile(asked.prompt):
            for message in theirs:
                quoted = _QUOTED.findall(message.content)
                if quoted and not any(prompt in self.waiting for prompt in quoted):
                    vague.append([message])
        return vague


def _further(
    prompt: str, first: list[SandboxMessage], free: Sequence[SandboxMessage]
) -> list[SandboxMessage]:
    """The messages that continue the `first`; where Discord refused a part, the one that is in its place."""
    found = list[SandboxMessage]()
    for message in sorted(free, key=lambda message: message.id):
        shown = "\n".join(each.content for each in (*first, *found))
        if message.id < first[0].id or _QUOTED.search(message.content) or is_whole(prompt, shown):
            continue
        if goes_on(prompt, shown, message.content):
            found.append(message)
        elif not is_hostile(prompt) and (NOT_TAKEN in message.content or LINK_REMOVED in message.content):
            return [*found, message]
    return found


def _seen(asked: Asked, messages: Sequence[SandboxMessage]) -> Verdict | None:
    """The verdict on what stands there; None while the bot thinks, offers to stop, or shows too little."""
    if not messages or messages[0].loading or "Stop" in labels(messages):
        return None
    text = "\n".join(message.content for message in messages)
    when = max(moment for message in messages for moment, _ in message.history)
    if asked.interaction is not None and asked.interaction.response_type == 4:
        return f"{REFUSED}: {_last_sentence(text)}", when
    found = _by_words(asked.prompt, text)
    return (found, when) if found else None


def _by_words(prompt: str, text: str) -> str | None:
    if is_whole(prompt, text):
        return WHOLE
    if NOT_TAKEN in text or TAKES_NONE in text:
        return IN_PART_REFUSED
    if "The answer breaks off here." in text:
        return PART
    if "(error " in text or "That's a lot" in text or NOT_SHOWN in text:
        return f"{TOLD}: {_last_sentence(text)}"
    if LINK_REMOVED in text:
        return WITHOUT_LINKS
    return ALTERED if is_hostile(prompt) else None


def _last_sentence(text: str) -> str:
    """Without numbers, so that the same refusals count as one."""
    return re.sub(r"\d+", "N", text.strip().splitlines()[-1])[:100]
