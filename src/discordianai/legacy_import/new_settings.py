"""The new settings while they are filled in: valid at every step."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from discordianai.legacy_import.legacy_keys import Rule, Value
from discordianai.settings.complaints import complaints
from discordianai.settings.document import Document
from discordianai.settings.tables import Settings
from discordianai.settings.toml_text import to_toml


class NewSettings:
    """Takes one key after the other; what cannot be used is a remark, and the default stays."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self._document: Document = {}
        self._origins: dict[str, str] = {}

    def take(self, key: str, rule: Rule, text: str) -> None:
        """Convert `key`, whose value is `text`."""
        try:
            value = rule.read(text)
        except ValueError as error:
            self.remarks.append(f"{key}: {error}; the default stays")
            return
        if value is None:
            return
        for target in rule.targets:
            if problem := self._set(target, value):
                self.remarks.append(f"{key}: the default stays: {one_line(problem)}")
            else:
                self._origins[target] = key

    def _set(self, target: str, value: Value) -> str | None:
        """Set the key, unless it could then not be used: what is wrong with it."""
        document = copy.deepcopy(self._document)
        *tables, key = target.split(".")
        table = document
        for name in tables:
            table = table.setdefault(name, {})
        table[key] = sorted({*table.get(key, ()), *value}) if isinstance(value, list) else value
        try:
            Settings.model_validate(document)
        except ValidationError as error:
            return "; ".join(complaints(error))
        self._document = document
        return None

    def text(self, head: Iterable[str]) -> str:
        """The file, with the lines of `head` as its first comment."""
        comment = [f"# {one_line(line)}".rstrip() for line in head]
        return "\n".join([*comment, *self._lines(self._document, ())]) + "\n"

    def _lines(self, table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
        """A table: its own keys, then the tables in it."""
        keys = [key for key, value in table.items() if not isinstance(value, dict)]
        if keys:
            yield from ("", f"[{'.'.join(path)}]")
        for key in keys:
            yield f"{key} = {to_toml(table[key])}  # {self._origins['.'.join((*path, key))]}"
        for key, value in table.items():
            if isinstance(value, dict):
                yield from self._lines(value, (*path, key))


def one_line(text: str) -> str:
    """Make a text safe for a comment or a message: no line breaks or control characters."""
    return "".join(character if character.isprintable() else " " for character in text)
