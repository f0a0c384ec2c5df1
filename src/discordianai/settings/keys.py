"""The keys of `settings.toml`, as the option dataclasses declare them, and values by their keys."""

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel

from discordianai.option import Key
from discordianai.settings.tables import Settings

Path = tuple[str, ...]

NAME = "*"
"""Stands in a path for a name that the operator chooses."""

SECRETS = frozenset({"token", "api_key", "database_password"})
"""The names of keys whose values are never shown, nor taken from a command line."""

MISSING = dataclasses.MISSING
Bound = Ge | Gt | Le | Lt


@dataclass(frozen=True, slots=True)
class Declared:
    """A key: its path, with `NAME` in it perhaps, its kind of value, and its default, which may be `MISSING`.

    `key` is None where somebody has forgotten to say what it means.
    """

    path: Path
    kind: Any
    bounds: tuple[Bound, ...]
    default: object
    key: Key | None

    @property
    def live(self) -> bool:
        """Whether it changes while the bot runs."""
        return self.key is not None and self.key.live

    def covers(self, path: Path) -> bool:
        """Whether this is the key at that path of a file."""
        return len(path) == len(self.path) and all(
            mine in {NAME, part} for mine, part in zip(self.path, path, strict=True)
        )


@cache
def declared() -> tuple[Declared, ...]:
    """Every key that there can be, in the order of the tables."""
    return tuple(_in_table(Settings, ()))


def find(path: Path) -> Declared | None:
    """The key at that path of a file, if there can be one; what has its own name comes before any name."""
    found = [key for key in declared() if key.covers(path)]
    return min(found, key=lambda key: key.path.count(NAME), default=None)


def tables_within(table: type) -> dict[str, Any]:
    """What stands in a table by the names that are known; `NAME` for those of the operator's choice."""
    if dataclasses.is_dataclass(table):
        hints = get_type_hints(table, include_extras=True)
        return {field.name: hints[field.name] for field in dataclasses.fields(table)}
    if not issubclass(table, BaseModel):
        return {}
    known: dict[str, Any] = {name: field.annotation for name, field in table.model_fields.items()}
    further = inspect.get_annotations(table).get("__pydantic_extra__")
    return {**known, NAME: get_args(further)[1]} if further else known


def is_table(kind: Any) -> bool:
    """Whether that kind of value is a table of declared keys."""
    kind = plain(kind)
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel))


def is_mapping(kind: Any) -> bool:
    """Whether that kind of value is a table in which the operator chooses all names."""
    return get_origin(plain(kind)) in {dict, Mapping}


def plain(kind: Any) -> Any:
    """The kind without what is said beside it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def marks(kind: Any) -> tuple[object, ...]:
    """What is said beside the kind, also beside those of which it may be one."""
    if get_origin(kind) is Annotated:
        inner, *beside = get_args(kind)
        return (*beside, *marks(inner))
    return tuple(mark for option in get_args(kind) if option is not type(None) for mark in marks(option))


def _in_table(table: type, path: Path) -> Iterator[Declared]:
    for name, kind in tables_within(table).items():
        if is_table(kind):
            yield from _in_table(plain(kind), (*path, name))
        elif is_mapping(kind) and is_table(value := get_args(plain(kind))[1]):
            yield from _in_table(plain(value), (*path, name, NAME))
        else:
            yield _key(table, name, kind, path)


def _key(table: Any, name: str, kind: Any, path: Path) -> Declared:
    beside = marks(kind)
    keys = [mark if isinstance(mark, Key) else Key(*mark) for mark in beside if isinstance(mark, Key | tuple)]
    key = keys[0] if keys else None
    if is_mapping(kind):
        return Declared((*path, name, NAME), get_args(plain(kind))[1], (), MISSING, key)
    default = table.__dataclass_fields__[name].default
    bounds = tuple(mark for mark in beside if isinstance(mark, Bound))
    return Declared((*path, name), kind, bounds, default, key)


class KeyPath(str):
    """A key's path as one text, which remembers its parts: the name of a model may have dots in it."""

    parts: Path

    def __new__(cls, parts: Path) -> "KeyPath":
        key = super().__new__(cls, ".".join(parts))
        key.parts = parts
        return key


def flat(table: Mapping[str, object], above: Path = ()) -> dict[KeyPath, object]:
    """Every value by its key's path; tables within tables are opened."""
    found: dict[KeyPath, object] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, (*above, name))
        else:
            found[KeyPath((*above, name))] = value
    return found


def nested(values: Mapping[KeyPath, object]) -> dict[str, object]:
    """The tables again."""
    tree: dict[str, object] = {}
    for key, value in values.items():
        table = tree
        for name in key.parts[:-1]:
            inner = table.setdefault(name, {})
            assert isinstance(inner, dict)  # noqa: S101  # for mypy: a path never leads through a value
            table = inner
        table[key.parts[-1]] = value
    return tree


def numbers(settings: Settings) -> Mapping[str, float]:
    """Every number that is set, but for prices, by its key in the file."""
    tables = settings.model_dump(exclude={"models"})
    for name in settings.providers.by_name:
        tables["connection_pool"][name] = dataclasses.asdict(
            settings.pool(name)
        )  # also where it is not written
    return {
        str(key): value
        for key, value in flat(tables).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
