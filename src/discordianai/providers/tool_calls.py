"""Puts a call of a tool together from the pieces in which it streams."""

import json
from collections.abc import Mapping
from typing import Any

from discordianai.model import Tool, ToolCall


class ToolCalls:
    """The calls of one answer. Of several calls only the first counts."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._name = ""
        self._arguments: list[str] = []
        self._told = False

    def add(self, said: Mapping[str, Any]) -> None:
        """Take what a `delta`, or a whole `message`, has of calls."""
        for call in said.get("tool_calls") or ():
            if not isinstance(call, dict) or call.get("index"):  # 0, or none in a whole message
                continue
            function = call.get("function")
            if isinstance(function, dict):
                self._name = self._name or str(function.get("name") or "")
                self._arguments.append(str(function.get("arguments") or ""))

    def whole(self) -> ToolCall | None:
        """The call, once, when the answer has ended; None where there was none of ours."""
        tool = self._tools.get(self._name)
        if tool is None or self._told:
            return None
        self._told = True
        return ToolCall(tool.name, _argument(tool, "".join(self._arguments)))


def _argument(tool: Tool, arguments: str) -> str:
    """The one text that the tool takes; empty where the model wrote no JSON that has it."""
    try:
        parsed = json.loads(arguments)
    except ValueError:
        return ""
    value = parsed.get(tool.parameter) if isinstance(parsed, dict) else None
    return value if isinstance(value, str) else ""
