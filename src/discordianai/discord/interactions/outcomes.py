"""What the router makes of an interaction or a message."""

from dataclasses import dataclass

from discordianai.conversations.pending_questions import TurnId
from discordianai.discord.commands.command import Handler, Invocation, Modal
from discordianai.discord.interactions.interaction import ComponentInteraction, EventOrigin
from discordianai.records import Question, ReplyAddress

FAILED = "Something went wrong inside the bot. Please try again."
"""Where a bug has stopped what somebody wanted."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not taken; `reason` is told to the person alone."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """The question of that interaction is to be stopped."""

    interaction_id: int


@dataclass(frozen=True, slots=True)
class Regenerate:
    """A question is asked once more: that of `turn`, which the store has to look up first.

    With `search`, on the web.
    """

    press: ComponentInteraction
    person_id: int
    turn: TurnId
    search: bool = False


@dataclass(frozen=True, slots=True)
class RunCommand:
    """`handler` is to be run, of the command of that name; its reply is for the person's eyes only.

    With `in_place` the reply replaces the message whose button was pressed.
    """

    name: str
    handler: Handler
    invocation: Invocation
    address: ReplyAddress
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class SuggestChoices:
    """What completes an option that is being typed."""

    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenModal:
    """A form is to be shown; Discord gives back `custom_id` with what was written."""

    custom_id: str
    modal: Modal


@dataclass(frozen=True, slots=True)
class RefuseMessage:
    """A message in a channel cannot be answered now; `reason` is written there, as a reply."""

    origin: EventOrigin
    reason: str


InteractionOutcome = Question | Refuse | CancelAnswer | Regenerate | RunCommand | SuggestChoices | OpenModal


def label(outcome: InteractionOutcome) -> str:
    """The `kind` of `discord_interactions` among the metrics."""
    match outcome:
        case Question():
            return "question"
        case Refuse():
            return "refusal"
        case CancelAnswer():
            return "withdrawal"
        case Regenerate():
            return "recall"
        case RunCommand():
            return "request"
        case SuggestChoices():
            return "suggestions"
        case OpenModal():
            return "form"
