"""settings.toml at the top level: every key that there is, at its default, and no other."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from discordianai.settings.keys import NAME, Declared, declared
from discordianai.settings.tables import Settings
from tests.docs.pages import ROOT, module

SHIPPED = Path("settings.toml").read_text(encoding="utf-8")
ALIVE = tomllib.loads(SHIPPED)
EVERYTHING = tomllib.loads(re.sub(r'^# (?=\[|(?:[a-z_]+|"[^"]+") = )', "", SHIPPED, flags=re.MULTILINE))
"""With the keys that are commented out, because without them the bot goes by something else."""

KeyPath = tuple[str, ...]


NO_PLACE = {
    ("providers", "openai", "preset"),
    ("providers", NAME, "preset"),
    *(("providers", "perplexity", key) for key in ("verbosity", "web_search", "files", "tools")),
}
"""Keys that the dialect spoken there has no place for."""


def written(document: dict[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every key of a document, and its value."""
    for key, value in document.items():
        named = key if (*path, key) in PREFIXES or (*path, NAME) not in PREFIXES else NAME
        if isinstance(value, dict):
            yield from written(value, (*path, named))
        else:
            yield (*path, named), value


PREFIXES = {key.path[: number + 1] for key in declared() for number in range(len(key.path))}


def default(path: KeyPath) -> Any:
    value: Any = Settings().model_dump(mode="json")
    for part in path:
        value = value[part]
    return value


def test_it_has_every_key_and_no_other() -> None:
    assert {path for path, _ in written(EVERYTHING)} == {key.path for key in declared()} - NO_PLACE


def test_every_value_is_the_default() -> None:
    assert dict(written(ALIVE)) == {path: default(path) for path, _ in written(ALIVE)}


def test_only_keys_without_a_default_are_commented_out() -> None:
    silent = dict(written(EVERYTHING)).keys() - dict(written(ALIVE)).keys()
    assert [path for path in silent if NAME not in path and default(path) is not None] == []


def test_what_is_commented_out_could_be_used() -> None:
    assert Settings.model_validate(EVERYTHING)


def test_it_is_a_file_that_a_person_can_read_through() -> None:
    assert all(len(line) <= 160 for line in SHIPPED.splitlines())


def test_every_key_says_what_it_means() -> None:
    """Where it is declared: the file and the page repeat it."""
    assert [key.path for key in declared() if key.key is None or not key.key.meaning] == []


def test_the_file_says_what_a_key_means_where_it_stands_first() -> None:
    """In the words with which it is declared; what stands there again may be said in other ones."""
    tables = module(ROOT / "docs" / "settings_reference.py").read(SHIPPED)
    said = {}
    for table in tables:
        path = tuple(part.strip('"') for part in re.findall(r'"[^"]*"|[^.]+', table.name))
        for key, meaning in table.keys.items():
            said[(*path, key)] = meaning
    first: dict[int, tuple[Declared, str]] = {}
    for path, meaning in said.items():
        key = min((key for key in declared() if key.covers(path)), key=lambda key: key.path.count(NAME))
        first.setdefault(id(key.key), (key, meaning))
    wrong = [(key.path, meaning) for key, meaning in first.values() if key.key and key.key.meaning != meaning]
    assert wrong == []
    assert len(first) > 60
