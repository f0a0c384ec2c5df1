"""What OpenAI's Responses and Perplexity's Agent interface share: the items of a request's input, and tools.

A class here has the fields that both services take. What one of them takes besides, or takes in another form,
is in a subclass, or in a class of the service's own, in `openai.responses_request` and
`perplexity.agent_request`.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from discordianai.sandbox.providers.strict_schema import Strict, Text, form, string_or

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ToolChoiceMode = Literal["auto", "none", "required"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]
FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]

PartT = TypeVar("PartT")
"""The parts that a service takes in a message or in a function's output."""


class InputText(Strict):
    type: Literal["input_text"]
    text: str


class InputFile(Strict):
    type: Literal["input_file"]
    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None


class InputMessage(Strict, Generic[PartT]):
    """A message; each service narrows `role` to those that it takes."""

    type: Literal["message"] | None = None
    role: str
    content: Annotated[Text | Annotated[list[PartT], form("parts")], string_or("parts")]

    @property
    def first_text(self) -> str:
        """Its text; where it has parts, that of the first text part."""
        if isinstance(self.content, str):
            return self.content
        return next((part.text for part in self.content if isinstance(part, InputText)), "")


class FunctionCallItem(Strict):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class FunctionCallOutputItem(Strict, Generic[PartT]):
    type: Literal["function_call_output"]
    call_id: str
    output: Annotated[Text | Annotated[list[PartT], form("parts")], string_or("parts")]
    id: str | None = None
    status: ItemStatus | None = None


class SummaryText(Strict):
    type: Literal["summary_text"]
    text: str


class ReasoningItem(Strict):
    """A reasoning item of an earlier response; OpenAI requires its `id`."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[SummaryText]
    encrypted_content: str | None = None
    status: ItemStatus | None = None


class FunctionTool(Strict):
    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ReasoningOptions(Strict):
    effort: Effort | None = None


def user_texts(items: Sequence[Any]) -> tuple[str, ...]:
    """The text of each message with the role `user`, in order."""
    messages = (item for item in items if isinstance(item, InputMessage))
    return tuple(message.first_text for message in messages if message.role == "user")


def unpaired_calls(items: Sequence[Any]) -> tuple[list[str], list[str]]:
    """The call ids of function calls without an output, and those of outputs without a call."""
    calls = [item.call_id for item in items if isinstance(item, FunctionCallItem)]
    outputs = [item.call_id for item in items if isinstance(item, FunctionCallOutputItem)]
    return [call for call in calls if call not in outputs], [each for each in outputs if each not in calls]


def is_base64(data: str | None) -> bool:
    """Whether `data` is valid base64; None and "" are."""
    try:
        base64.b64decode(data or "", validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def count_tokens(value: object) -> int:
    """The size of a part of a request: four characters of its JSON make a token; base64 is free."""
    text = re.sub(r"base64,[A-Za-z0-9+/=]*", "", json.dumps(value))
    return len(text) // 4
