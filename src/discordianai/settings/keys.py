"""The settings as one table: each value by the path of its key, and back."""

from collections.abc import Mapping

Path = tuple[str, ...]


class Key(str):
    """A key's path as one text, which remembers its parts: the name of a model may have dots in it."""

    parts: Path

    def __new__(cls, parts: Path) -> "Key":
        key = super().__new__(cls, ".".join(parts))
        key.parts = parts
        return key


def flat(table: Mapping[str, object], above: Path = ()) -> dict[Key, object]:
    """Every value by its key's path; tables within tables are opened."""
    found: dict[Key, object] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, (*above, name))
        else:
            found[Key((*above, name))] = value
    return found


def nested(values: Mapping[Key, object]) -> dict[str, object]:
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
