"""What the listener, on its own thread, needs of the trio thread."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from discordianai.conversations.pending_questions import Said, TurnId
from discordianai.discord.interactions.outcomes import RefuseMessage, RunCommand
from discordianai.records import Question


@dataclass(frozen=True, slots=True)
class CurrentGuilds:
    """The servers that the bot is in now."""

    ids: frozenset[int]


Accepted = Question | RunCommand | RefuseMessage | CurrentGuilds


class JournalResult(Enum):
    """Whether a question outlives the process that has accepted it."""

    STORED = "stored"
    NONE = "the store did not take it in time"
    REPLAYED = "this interaction has come before"


@dataclass(frozen=True, slots=True)
class Backend:
    """Each of these may be used on the listener's thread; the awaitable ones on its asyncio loop.

    `announce` takes a question's place in its lines, in the order of the calls; then `protect` has it stored,
    `forget` undoes that, and `hand_over` gives it on to be answered, or `release` says that it will not be.
    `cancel_answer` stops the answer to an interaction, and tells whether there was one to stop.
    `recall` looks up what was said in a turn, and raises `LookupError` where that cannot be told now.
    """

    announce: Callable[[Question], object]
    protect: Callable[[Question], Awaitable[JournalResult]]
    forget: Callable[[Question], Awaitable[None]]
    cancel_answer: Callable[[int], Awaitable[bool]]
    recall: Callable[[TurnId], Awaitable[Said | None]]
    hand_over: Callable[[Accepted], object]
    release: Callable[[Question], object]
