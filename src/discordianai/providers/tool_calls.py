"""Puts a call of a tool together from the pieces in which it streams."""

from discordianai.providers.json_values import NotJson, parse, text
from discordianai.records import Tool, ToolCall

MOST_OF_ARGUMENTS = 16 * 1024
"""Characters. A query has some dozens."""


class ToolCalls:
    """The calls of one answer, by whatever key tells them apart.

    Only the first of a tool that was offered counts: providers stream calls of tools of their own, too.
    """

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._first: object = None
        self._name = ""
        self._arguments: list[str] = []
        self._length = 0
        self._told = False

    @property
    def begun(self) -> bool:
        """Whether a tool that was offered is called."""
        return self._first is not None

    def add(self, key: object, name: str, arguments: str) -> None:
        """A piece of the call that `key` stands for; `name` may come with the first piece alone."""
        if self._first is None and name in self._tools:
            self._first = key
        if self._first is None or key != self._first or self._length > MOST_OF_ARGUMENTS:
            return
        self._name = self._name or name
        self._arguments.append(arguments)
        self._length += len(arguments)

    def replace(self, key: object, name: str, arguments: str) -> None:
        """The whole call, if it is the first: it counts more than the pieces."""
        if key == self._first and arguments:
            self._arguments, self._length = [], 0
        self.add(key, name, arguments)

    def whole(self, key: object = None) -> ToolCall | None:
        """The call, once, when the one of that key has ended, or all have; None where it is none of ours."""
        tool = self._tools.get(self._name)
        if tool is None or self._told or key not in {None, self._first}:
            return None
        self._told = True
        return ToolCall(tool.name, _argument(tool, "".join(self._arguments)))


def _argument(tool: Tool, arguments: str) -> str:
    """The one text that the tool takes; empty where the model wrote no JSON that has it."""
    try:
        return text(parse(arguments), tool.parameter) if len(arguments) <= MOST_OF_ARGUMENTS else ""
    except NotJson:
        return ""
