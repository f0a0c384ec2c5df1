"""settings.toml at the top level: every key that there is, at its default, and no other."""

import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from discordianai.settings.tables import Settings

SHIPPED = Path("settings.toml").read_text(encoding="utf-8")
ALIVE = tomllib.loads(SHIPPED)
EVERYTHING = tomllib.loads(re.sub(r'^# (?=\[|(?:[a-z_]+|"[^"]+") = )', "", SHIPPED, flags=re.MULTILINE))
"""With the keys that are commented out, because without them the bot goes by something else."""

NAME = "*"
"""Stands for a name that the operator chooses."""

KeyPath = tuple[str, ...]


NO_PLACE = {
    ("providers", "openai", "preset"),
    ("providers", NAME, "preset"),
    *(("providers", "perplexity", key) for key in ("verbosity", "web_search", "files", "tools")),
}
"""Keys that the dialect spoken there has no place for."""


def known(table: type[BaseModel], path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of the model."""
    for key, field in table.model_fields.items():
        yield from known_of(field.annotation, (*path, key))
    if further := inspect.get_annotations(table).get("__pydantic_extra__"):
        yield from known_of(further, path)


def known_of(kind: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from known(kind, path)
    elif get_origin(kind) is dict:
        yield from known_of(get_args(kind)[1], (*path, NAME))
    else:
        yield path


def written(document: dict[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every key of a document, and its value."""
    for key, value in document.items():
        named = key if (*path, key) in PREFIXES or (*path, NAME) not in PREFIXES else NAME
        if isinstance(value, dict):
            yield from written(value, (*path, named))
        else:
            yield (*path, named), value


PREFIXES = {path[: number + 1] for path in known(Settings) for number in range(len(path))}


def default(path: KeyPath) -> Any:
    value: Any = Settings().model_dump(mode="json")
    for part in path:
        value = value[part]
    return value


def test_it_has_every_key_and_no_other() -> None:
    assert {path for path, _ in written(EVERYTHING)} == set(known(Settings)) - NO_PLACE


def test_every_value_is_the_default() -> None:
    assert dict(written(ALIVE)) == {path: default(path) for path, _ in written(ALIVE)}


def test_only_keys_without_a_default_are_commented_out() -> None:
    silent = dict(written(EVERYTHING)).keys() - dict(written(ALIVE)).keys()
    assert [path for path in silent if NAME not in path and default(path) is not None] == []


def test_what_is_commented_out_could_be_used() -> None:
    assert Settings.model_validate(EVERYTHING)


def test_it_is_a_file_that_a_person_can_read_through() -> None:
    assert all(len(line) <= 160 for line in SHIPPED.splitlines())
