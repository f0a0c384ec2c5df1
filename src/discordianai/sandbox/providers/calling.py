"""When the sandbox's models call a function or search, instead of answering from what they know."""

import json
import re
from typing import Any

CALLS_FOR_THE_WEB = re.compile(r"\b(today|latest|news|weather)\b|!search|今日|heute", re.IGNORECASE)
"""What makes them: a model would understand the question, these look for words."""


def wants_the_web(question: str) -> bool:
    """Whether the question cannot be answered without the web."""
    return bool(CALLS_FOR_THE_WEB.search(question))


def query_for(question: str) -> str:
    """What the model would look for."""
    return f"sandbox search: {' '.join(question.split())[:80]}"


def arguments_for(question: str, parameters: dict[str, Any] | None) -> str:
    """The arguments of a call, as JSON: the first one that the function needs is the query."""
    declared = parameters or {}
    names = declared.get("required") or list(declared.get("properties", {})) or ["query"]
    return json.dumps({names[0]: query_for(question)})
