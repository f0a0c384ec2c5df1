"""Writes settings.md: what settings.toml says of each key, with the model's type, range and default.

settings.toml is the one place where the meaning of a key is written: behind the key, or in the lines directly
above it. What stands directly above a table's header is about the table. A key that stands there without a
word means what it meant where it stood before.

    python docs/settings_reference.py
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from discordianai.settings.file import key_of, secrets_of
from discordianai.settings.tables import Settings

DOCS = Path(__file__).parent
SHIPPED = DOCS.parent / "settings.toml"
PAGE = DOCS / "settings.md"

_HEADER = re.compile(r'(?:# )?\[([a-z_]+(?:\.(?:[a-z_]+|"[^"]*"))*)\]')
_KEY = re.compile(
    r"""(?:\#\ )?                                         # commented out, perhaps
        ("[^"]+" | [a-z_]+) \ =\                           # the key
        (?: "(?:[^"\\]|\\.)*" | '[^']*' | [^#]*? )        # its value
        (?: \s+\#\ (.*) )?                                 # what is said of it""",
    re.VERBOSE,
)
_PAGE = re.compile(r"docs/([a-z-]+)\.md")
_ITEM = re.compile(r"#\s{2,}(\S.*?)\s{2,}(.*)")

HEAD = """\
# Settings

<!-- Made by `python docs/settings_reference.py` from settings.toml and the model: change those. -->

The bot reads its settings at the start: the file that `--settings` names, else `settings.toml` in the
working directory, else `/etc/discordianai/settings.toml`. The file that comes with the bot has every key,
with its default. Every mistake is reported at once, each with its key and what would be right, and the exit
status is then 78. `discordianai check` looks without starting the bot.

A secret is taken from the first place that has it, and from the file where neither has. A file with a secret
in it is for its owner alone: mode 600.

| key | systemd credential | environment |
| --- | --- | --- |
"""

FURTHER = """
A further provider's names follow from its own: of `[providers.local]` they are `{0.credential}` and
`{0.variable}`, where `_` stands for each `-`.
"""


@dataclass(slots=True)
class Table:
    """A table of the file: its header, what is said above it, and what is said of each key."""

    name: str
    prose: list[str]
    keys: dict[str, str] = field(default_factory=dict)


def read(text: str) -> list[Table]:
    """The tables of the file. Raises `ValueError` for a key without a meaning, or a meaning without a key."""
    tables: list[Table] = []
    known: dict[str, str] = {}
    comment: list[str] = []
    for line in [*text.splitlines(), ""]:
        if header := _HEADER.fullmatch(line):
            tables.append(Table(header[1], comment))
            comment = []
        elif tables and (key := _KEY.fullmatch(line)):
            if key[1].startswith('"'):
                continue  # a name of the operator's own choice, as an example
            meaning = key[2] or " ".join(part.removeprefix("# ") for part in comment) or known.get(key[1], "")
            if not meaning:
                raise ValueError(f"settings.toml: {tables[-1].name}.{key[1]}: say behind it what it means")
            tables[-1].keys[key[1]] = known[key[1]] = meaning
            comment = []
        elif line.startswith("#"):
            comment.append(line)
        elif comment and tables:
            raise ValueError(f"settings.toml: above no header and no key: {comment[0]}")
        else:
            comment = []  # at the head of the file
    return tables


def render(text: str) -> str:
    """The page."""
    schema, defaults = Settings.model_json_schema(), Settings().model_dump()
    parts = [HEAD]
    parts += (f"| `{s.path}` | `{s.credential}` | `{s.variable}` |\n" for s in secrets_of())
    parts.append(FURTHER.format(key_of("local")))
    for table in read(text):
        path = table.name.split(".")
        keys = _properties(schema, path)
        parts.append(f"\n## `[{table.name}]`\n\n{''.join(_prose(table.prose))}")
        if isinstance(keys, dict):
            parts.append("| key | what it takes | default | what it is |\n| --- | --- | --- | --- |\n")
            parts += (
                _row(schema, key, keys[key], _at(defaults, [*path, key], keys[key].get("default")), told)
                for key, told in table.keys.items()
            )
        else:
            parts.append(f"Each key is a name, quoted where it has a dot in it, and takes {keys}.\n")
    return "".join(parts)


def _prose(lines: Collection[str]) -> Iterator[str]:
    """Paragraphs, and a list where the lines are set in two columns."""
    words: list[str] = []
    for line in lines:
        if item := _ITEM.fullmatch(line):
            if words:
                yield f"{' '.join(words)}\n\n"
                words = []
            terms = ", ".join(f"`{term}`" for term in item[1].split(", "))
            yield f"- {terms}: {item[2]}\n"
        else:
            words.append(_PAGE.sub(r"[\1](\1.md)", line.removeprefix("# ")))
    if words:
        yield f"{' '.join(words)}\n"
    if lines:
        yield "\n"


def _row(schema: Mapping[str, Any], key: str, kind: Mapping[str, Any], default: object, meaning: str) -> str:
    cells = (f"`{key}`", _words(schema, kind), _toml(default), meaning)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


def _resolved(schema: Mapping[str, Any], kind: Mapping[str, Any]) -> Mapping[str, Any]:
    """Behind the references, and less the null that an unset key is."""
    while "$ref" in kind or "anyOf" in kind:
        if "$ref" in kind:
            kind = schema["$defs"][kind["$ref"].rpartition("/")[2]]
        else:
            kind = next(option for option in kind["anyOf"] if option.get("type") != "null")
    return kind


def _properties(schema: Mapping[str, Any], path: list[str]) -> dict[str, Any] | str:
    """The keys of a table. Of one in which the operator chooses the names, what their values take."""
    kind: Mapping[str, Any] = schema
    for part in path:
        named = kind.get("properties", {}).get(part)
        kind = _resolved(schema, named if named is not None else kind["additionalProperties"])
    if "properties" in kind:
        return dict(kind["properties"])
    return _words(schema, kind["additionalProperties"])


def _words(schema: Mapping[str, Any], kind: Mapping[str, Any]) -> str:
    """What a key takes, in words."""
    kind = _resolved(schema, kind)
    if "enum" in kind:
        *most, last = (f"`{choice}`" for choice in kind["enum"])
        return f"{', '.join(most)} or {last}"
    match kind["type"]:
        case "array":
            return f"list of {_words(schema, kind['items'])}s"
        case "boolean":
            return "`true` or `false`"
        case "string":
            return "text, secret" if kind.get("format") == "password" else "text"
        case "integer" if kind.get("exclusiveMaximum") == 2**64:
            return "id"
        case "integer":
            return f"whole number{_range(kind)}"
    return f"number{_range(kind)}"


def _range(kind: Mapping[str, Any]) -> str:
    least, most, beyond = kind.get("minimum"), kind.get("maximum"), kind.get("exclusiveMinimum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    bounds = (("at least", least), ("more than", beyond), ("up to", most))
    return "".join(f", {words} {bound:,}" for words, bound in bounds if bound is not None)


def _at(defaults: object, path: list[str], otherwise: object) -> object:
    """What stands at the path; of a table that is not there by itself, the default of its kind."""
    for part in path:
        if not isinstance(defaults, dict) or part not in defaults:
            return otherwise
        defaults = defaults[part]
    return defaults


def _toml(value: object) -> str:
    return "unset" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


if __name__ == "__main__":
    PAGE.write_text(render(SHIPPED.read_text(encoding="utf-8")), encoding="utf-8")
