"""Writes any path into a unit file so that systemd reads the same one: systemd.syntax(7), systemd.unit(5)."""

import unicodedata
from pathlib import Path


class UnitError(Exception):
    """The service cannot be installed. The message says why, and what helps."""


def quoted(path: Path | str) -> str:
    """One word of a command line or a list, whatever is in it: spaces, quotes, backslashes, percent signs."""
    text = _percent(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def program(path: Path | str) -> str:
    """The first word of a command line, after which no $ is replaced; it may not have three characters."""
    if any(character in "\"'\\" for character in str(path)):
        raise UnitError(f"systemd starts no program whose path has a quote or a backslash in it: {path}")
    return quoted(f":{path}")


def bare(path: Path | str) -> str:
    """The rest of a line, where quotes and backslashes mean themselves: the file of a `LoadCredential=`."""
    text = _percent(path)
    if text != text.strip() or text.endswith("\\"):
        raise UnitError(f"{text!r} begins or ends as no path in a unit can: rename it")
    return text


def _percent(path: Path | str) -> str:
    text = str(path)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise UnitError(f"{text!r} has a control character or is no UTF-8: rename it")
    return text.replace("%", "%%")
