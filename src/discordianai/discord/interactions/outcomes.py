"""What the router makes of an interaction or a message: what is to be done, as a verb.

`kind` is the label of `discord_interactions_total` among the metrics.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from discordianai.conversations.pending_questions import TurnId
from discordianai.discord.audit_log import RefusalCause
from discordianai.discord.commands.command import Handler, Invocation, Modal, QuestionDraft
from discordianai.discord.events.interaction import ComponentInteraction, EventOrigin
from discordianai.records import ReplyAddress

FAILED = "Something went wrong inside the bot. Please try again."
"""For when a bug has stopped what somebody wanted."""


@dataclass(frozen=True, slots=True)
class AskQuestion:
    """A question is asked, and admitted if the limits allow it."""

    kind: ClassVar[str] = "question"

    origin: EventOrigin
    draft: QuestionDraft


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refused; only the person is told the `reason`, or nobody if it is `silent`.

    `cause` is None if the reason is neither rights nor limits.
    """

    kind: ClassVar[str] = "refusal"

    reason: str
    cause: RefusalCause | None = field(default=None, compare=False)  # for the account alone
    silent: bool = False


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """Somebody pressed Stop: the answer to that interaction of that person is to be cancelled."""

    kind: ClassVar[str] = "cancel"

    interaction_id: int
    person_id: int


@dataclass(frozen=True, slots=True)
class Regenerate:
    """The person who presses asks their question again: that of `turn`, which is first looked up in the
    store.

    With `search`, on the web.
    """

    kind: ClassVar[str] = "regenerate"

    press: ComponentInteraction
    turn: TurnId
    search: bool = False


@dataclass(frozen=True, slots=True)
class RunCommand:
    """`handler` is to be run, of the command of that name; its reply is for the person's eyes only.

    With `in_place` the reply replaces the message whose button was pressed.
    """

    kind: ClassVar[str] = "command"

    name: str
    handler: Handler
    invocation: Invocation
    address: ReplyAddress
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class SuggestChoices:
    """What completes an option that is being typed."""

    kind: ClassVar[str] = "suggestions"

    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenModal:
    """A modal is to be shown; Discord gives back `custom_id` with what was written."""

    kind: ClassVar[str] = "modal"

    custom_id: str
    modal: Modal


@dataclass(frozen=True, slots=True)
class RefuseMessage:
    """A message in a channel cannot be answered now; `reason` is written there, as a reply.

    In so many seconds: others are refused in that channel before.
    """

    origin: EventOrigin
    reason: str
    due_in: float = 0.0


InteractionOutcome = (
    AskQuestion | Refuse | CancelAnswer | Regenerate | RunCommand | SuggestChoices | OpenModal
)
