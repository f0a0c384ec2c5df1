"""The buttons under an answer. All that one means is in its custom id: it works after a restart, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ACTION_ROW, BUTTON = 1, 2
PRIMARY, SECONDARY = 1, 2
"""Discord's numbers for components and for the looks of a button."""


class Action(StrEnum):
    """What a button does."""

    STOP = "stop"
    GO_ON = "go-on"

    @property
    def label(self) -> str:
        """What stands on it."""
        return {"stop": "Stop", "go-on": "Go on"}[self.value]


@dataclass(frozen=True, slots=True)
class Button:
    """`person_id` is who asked, `interaction_id` the question whose answer it stands under."""

    action: Action
    person_id: int
    interaction_id: int

    @property
    def custom_id(self) -> str:
        """What Discord gives back when it is pressed: at most 100 characters."""
        return f"{self.action.value}:{self.person_id}:{self.interaction_id}"


def read(custom_id: str) -> Button | None:
    """The button of that id; None where it is none of ours, or of another version."""
    action, _, ids = custom_id.partition(":")
    person_id, _, interaction_id = ids.partition(":")
    if action not in set(Action) or not (_is_number(person_id) and _is_number(interaction_id)):
        return None
    return Button(Action(action), int(person_id), int(interaction_id))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def row(buttons: Sequence[Button]) -> list[dict[str, Any]]:
    """The components of a message, as Discord's API writes them; none takes those away that were there."""
    if not buttons:
        return []
    return [{"type": ACTION_ROW, "components": [_component(button) for button in buttons]}]


def _component(button: Button) -> dict[str, Any]:
    style = SECONDARY if button.action is Action.STOP else PRIMARY
    return {"type": BUTTON, "style": style, "label": button.action.label, "custom_id": button.custom_id}
