"""The buttons under a message. Everything is in the custom id, so a button also works after a restart."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from discordianai.answering.reply import AnswerEnd
from discordianai.conversations.pending_questions import TurnId

ACTION_ROW, BUTTON = 1, 2
PRIMARY, SECONDARY, DANGER = 1, 2, 4
"""Discord's numbers for components and for the looks of a button."""


class Action(StrEnum):
    """What a button under an answer does. `Button.subject` is what it does that to."""

    STOP = "stop"
    """The question of this interaction."""
    GO_ON = "go-on"
    AGAIN = "again"
    """The question in this turn."""
    SEARCH = "search"
    """The same, on the web."""


LABELS: Mapping[str, str] = {
    Action.STOP: "Stop",
    Action.GO_ON: "Continue",
    Action.AGAIN: "Again",
    Action.SEARCH: "Search the web",
}
STYLES: Mapping[str, int] = {Action.GO_ON: PRIMARY}


@dataclass(frozen=True, slots=True)
class Button:
    """`person_id` is the person who asked what the button is under. `action` is one of `Action`, or a
    command's own, which has a `label` and a `style` then.
    """

    action: str
    person_id: int
    subject: str = ""
    label: str = ""
    style: int = SECONDARY

    @property
    def custom_id(self) -> str:
        """What Discord gives back when it is pressed: at most 100 characters."""
        return f"{self.action}:{self.person_id}:{self.subject}"


def read(custom_id: str) -> Button | None:
    """The button with that id; None if it is not one of the bot's. Its action may be of another version."""
    action, _, rest = custom_id.partition(":")
    person_id, colon, subject = rest.partition(":")
    if not action or not colon or not _is_number(person_id):
        return None
    return Button(action, int(person_id), subject)


def number(button: Button) -> int | None:
    """The subject, where it is a number."""
    return int(button.subject) if _is_number(button.subject) else None


_TURN = re.compile(r"[0-9.]{3,40}")
"""As the store promises of a turn's id."""


def about_turn(action: Action, person_id: int, turn: TurnId) -> Button:
    """A button for what was said in that turn."""
    return Button(action, person_id, turn)


def below_answer(
    person_id: int, closing: AnswerEnd, turn: TurnId | None, *, can_search: bool
) -> tuple[Button, ...]:
    """Those below a whole answer; `turn` is what was asked, where that is remembered."""
    last = [Button(Action.GO_ON, person_id)] if closing.unfinished else []
    if turn is not None:
        last.append(about_turn(Action.AGAIN, person_id, turn))
        if can_search and not closing.searched:
            last.append(about_turn(Action.SEARCH, person_id, turn))
    return tuple(last)


def turn(button: Button) -> TurnId | None:
    """The turn that it is about."""
    return TurnId(button.subject) if _TURN.fullmatch(button.subject) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def row(buttons: Sequence[Button]) -> list[dict[str, Any]]:
    """The components of a message, in the format of Discord's API; none removes those that were there."""
    if not buttons:
        return []
    return [{"type": ACTION_ROW, "components": [_component(button) for button in buttons]}]


def _component(button: Button) -> dict[str, Any]:
    return {
        "type": BUTTON,
        "style": STYLES.get(button.action, button.style),
        "label": button.label or LABELS[button.action],
        "custom_id": button.custom_id,
    }
