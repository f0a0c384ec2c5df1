"""Reads a config.ini as that bot does: Python's configparser, with `%` for interpolation.

configparser itself expands a few lines that name each other to any length. So it only splits the file here.
"""

import configparser
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from discordianai import safe_files
from discordianai.settings.document import SettingsError

LARGEST = 2**20
"""Bytes that a config.ini may have."""

LONGEST_VALUE = 100_000
"""Characters of a value, with what it names in its place; as many names are followed at most."""

MOST_EXPANDED = 2**20
"""The same for all values of a file together; what comes after that stays as it stands."""

DEEPEST = 10
"""Names in names: configparser's own bound."""

_PERCENT = re.compile(r"%(?:(%)|\(([^()]+)\)s)?")

_TROUBLES = {
    configparser.MissingSectionHeaderError: "there is text before the first [section]",
    configparser.DuplicateOptionError: "a key appears twice in its section",
    configparser.DuplicateSectionError: "a section appears twice",
}


def read(path: Path) -> dict[str, str]:
    """Every key, in capital letters, with its text; whatever its section, since older versions had others.

    Of a key in two sections the first one counts. Raises `SettingsError`.
    """
    # Without this, [DEFAULT] would be one whose keys are in all the others, and so not be seen alone.
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    try:
        text = safe_files.read(path, LARGEST).decode("utf-8-sig")
        parser.read_file(io.StringIO(text, newline=None))  # whatever ends its lines
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: should be UTF-8, but byte {error.start} is not") from None
    except configparser.Error as error:
        raise SettingsError(f"{path}: not a config.ini: {_trouble(error)}") from None
    found: dict[str, str] = {}
    budget = _Budget(MOST_EXPANDED)
    for section in parser.sections():
        keys = dict(parser[section])
        for key, value in keys.items():
            found.setdefault(key.upper(), _expanded(value, keys, budget).strip())
    return found


def _expanded(value: str, keys: Mapping[str, str], budget: "_Budget") -> str:
    """The value with what it names in its place; as it stands where a % means nothing, or too much."""
    own = _Budget(min(LONGEST_VALUE, budget.left))
    try:
        return "".join(_pieces(value, keys, own, 1))
    except _NotExpandable:
        return value  # a % that was meant as one
    finally:
        budget.left -= min(LONGEST_VALUE, budget.left) - max(own.left, 0)


class _NotExpandable(Exception):
    """A % means nothing, or too much."""


@dataclass(slots=True)
class _Budget:
    left: int

    def take(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise _NotExpandable


def _pieces(value: str, keys: Mapping[str, str], budget: _Budget, depth: int) -> Iterator[str]:
    done = 0
    for percent in _PERCENT.finditer(value):
        budget.take(percent.start() - done + 1)
        yield value[done : percent.start()]
        done = percent.end()
        named = keys.get(percent[2].lower()) if percent[2] else None
        if percent[1]:
            yield "%"
        elif named is None or (depth == DEEPEST and "%" in named):
            raise _NotExpandable
        else:
            yield from _pieces(named, keys, budget, depth + 1)
    budget.take(len(value) - done)
    yield value[done:]


def _trouble(error: configparser.Error) -> str:
    """The line and the problem; the error's own text quotes the line, which may contain a secret."""
    what = _TROUBLES.get(type(error), "a line is neither a [section] nor KEY=value")
    lines = [number for number, _ in getattr(error, "errors", ())]
    line = getattr(error, "lineno", None) or next(iter(lines), None)
    return f"line {line}: {what}" if line else what
