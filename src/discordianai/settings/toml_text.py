"""The text of settings: the file with every key, as it is shipped, and a few keys with what they mean."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from itertools import groupby

from pydantic import SecretStr

from discordianai.settings.keys import MISSING, KeyPath, find, flat
from discordianai.settings.tables import Settings

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def shipped() -> str:
    """settings.toml with every key at its default, and comments."""
    return resources.files("discordianai.settings").joinpath("settings.toml").read_text(encoding="utf-8")


def differing(settings: Settings) -> dict[KeyPath, object]:
    """The keys that are not at their default, in the order of the tables; secrets too."""
    usual = flat(Settings().model_dump())
    return {
        key: value
        for key, value in flat(settings.model_dump()).items()
        if value is not None and value != usual.get(key, _default(key))
    }


def render(values: Mapping[KeyPath, object], *, with_defaults: bool = False) -> str:
    """Tables with these keys, each followed by its meaning, and by its default if wanted.

    A secret is left out: a comment says that it is set.
    """
    # Stable: the keys of a table stay in their order, and so do the tables.
    tables = list(dict.fromkeys(key.parts[:-1] for key in values))
    in_order = sorted(values, key=lambda key: tables.index(key.parts[:-1]))
    parts = []
    for table, keys in groupby(in_order, key=lambda key: key.parts[:-1]):
        lines = [_line(key, values[key], with_default=with_defaults) for key in keys]
        parts.append("\n".join([f"[{'.'.join(map(_quoted, table))}]", *lines]))
    return "\n\n".join(parts) + ("\n" if parts else "")


def comment(lines: Iterable[str]) -> str:
    """These lines as a comment of the file."""
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _line(key: KeyPath, value: object, *, with_default: bool) -> str:
    if isinstance(value, SecretStr):
        return f"# {key.parts[-1]} is set, and not shown"
    line = f"{_quoted(key.parts[-1])} = {to_toml(value)}"
    said = "; ".join(_said(key, with_default=with_default))
    return f"{line}  # {said}" if said else line


def _said(key: KeyPath, *, with_default: bool) -> Iterator[str]:
    declared = find(key.parts)
    if declared is not None and declared.key is not None:
        yield declared.key.meaning
    if with_default and (default := _default(key)) is not None:
        yield f"default: {to_toml(default)}"


def _default(key: KeyPath) -> object:
    """None where there is none."""
    declared = find(key.parts)
    return None if declared is None or declared.default is MISSING else declared.default


def _quoted(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else to_toml(key)


def to_toml(value: object) -> str:
    """JSON's strings, numbers and arrays are TOML's too, but for one character that TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
