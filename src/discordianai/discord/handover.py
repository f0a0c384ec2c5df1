"""What the listener, on its own thread, needs of the trio thread."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from discordianai.discord.gate import Withdrawal
from discordianai.model import Question


class Protection(Enum):
    """Whether a question outlives the process that has accepted it."""

    STORED = "stored"
    NONE = "the store did not take it in time"
    REPLAYED = "this interaction has come before"


@dataclass(frozen=True, slots=True)
class TrioSide:
    """Each of these may be used on the listener's thread; the awaitable ones on its asyncio loop.

    `protect` has a question stored, `forget` undoes that, `hand_over` gives it on to be answered, `release`
    says that it will not be.
    """

    protect: Callable[[Question], Awaitable[Protection]]
    forget: Callable[[Question], Awaitable[None]]
    hand_over: Callable[[Question | Withdrawal], object]
    release: Callable[[int], None]
