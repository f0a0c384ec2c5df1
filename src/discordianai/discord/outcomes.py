"""What the gate makes of something that a person did."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from discordianai.conversations.pending import TurnId
from discordianai.discord.commands.command import Errand
from discordianai.discord.interaction import Origin, Press
from discordianai.discord.payload import Value
from discordianai.model import Question, ReplyAddress

FAILED = "Something went wrong inside the bot. Please try again."
"""Where a bug has stopped what somebody wanted."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not taken; `reason` is told to the person alone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The question of that interaction is to be stopped."""

    interaction_id: int


@dataclass(frozen=True, slots=True)
class Recall:
    """A question is asked once more: that of `turn`, which the store has to look up first.

    With `search`, on the web.
    """

    press: Press
    person_id: int
    turn: TurnId
    search: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """Something else than an answer is wanted; it comes for the person's eyes only.

    With `in_place` it replaces the message whose button was pressed.
    """

    errand: Errand
    origin: Origin
    address: ReplyAddress
    options: Mapping[str, Value] = field(default_factory=dict, repr=False)
    page: int | None = None
    in_place: bool = False
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What completes an option that is being typed."""

    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A form with one field is to be shown; Discord gives back `custom_id` with what was written."""

    custom_id: str
    title: str
    label: str


@dataclass(frozen=True, slots=True)
class Declined:
    """A message in a channel cannot be answered now; `reason` is written there, as a reply."""

    origin: Origin
    reason: str


Decision = Question | Refusal | Withdrawal | Recall | Request | Suggestions | Form
