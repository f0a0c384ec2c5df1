"""The tables of settings.md: what settings.toml says of each key, with its kind, range and default.

These are declared with the key's option, as is its meaning: settings.toml repeats it behind the key, or in
the lines directly above, where the key stands first. What stands directly above a table's header is about the
table.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr

from discordianai.option import Id
from discordianai.settings.keys import MISSING, NAME, Declared, find, plain
from discordianai.settings.secret_sources import DATABASE_PASSWORD, key_of, secrets_of

DOCS = Path(__file__).parent
SHIPPED = DOCS.parent / "settings.toml"

HEAD = """\
| key | what it takes | default | what it is | changes by |
| --- | --- | --- | --- | --- |
"""

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

SECRETS, KEYS = "<!-- every secret -->", "<!-- every key -->"
"""Where the page has a place for them."""

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


def put_in(markdown: str) -> str:
    """The page with its tables, where it has a place for them."""
    if KEYS not in markdown:
        return markdown
    return markdown.replace(SECRETS, secrets()).replace(KEYS, render(SHIPPED.read_text(encoding="utf-8")))


def secrets() -> str:
    """Where each secret is looked for."""
    head = ["| key | systemd credential | environment |", "| --- | --- | --- |"]
    rows = [
        f"| `{one.path}` | `{one.credential}` | `{one.variable}` |"
        for one in (*secrets_of(), DATABASE_PASSWORD)
    ]
    return "\n".join([*head, *rows, FURTHER.format(key_of("local"))])


def render(text: str) -> str:
    """Every key of the file."""
    parts = []
    for table in read(text):
        path = tuple(part.strip('"') for part in re.findall(r'"[^"]*"|[^.]+', table.name))
        parts.append(f"## `[{table.name}]`\n\n{''.join(_prose(table.prose))}")
        if (named := find((*path, NAME))) is not None and named.path[-1] == NAME:
            changes = " They change by *reload*." if named.live else ""
            parts.append(f"Each key is a name, quoted where it has a dot in it, and takes {_words(named)}.")
            parts.append(f"{changes}\n\n")
            continue
        parts.append(HEAD)
        parts += (_row(key, _declared((*path, key)), told) for key, told in table.keys.items())
        parts.append("\n")
    return "".join(parts)


def _declared(path: tuple[str, ...]) -> Declared:
    key = find(path)
    if key is None:
        raise ValueError(f"settings.toml: {'.'.join(path)}: there is no such key")
    return key


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


def _row(name: str, key: Declared, meaning: str) -> str:
    cells = (f"`{name}`", _words(key), _toml(key.default), meaning, "*reload*" if key.live else "restart")
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


def _words(key: Declared) -> str:
    """What a key takes, in words."""
    kind = next(option for option in (*get_args(plain(key.kind)), key.kind) if option is not type(None))
    whole = plain(key.kind)
    if get_origin(whole) is tuple:
        return "list of ids" if get_args(whole)[0] == Id else "list of texts"
    if set(get_args(whole)) == {int, str}:
        return "whole number or text"
    if get_origin(whole) is not Literal and get_args(whole):  # a value, or none
        whole = plain(kind)
    if get_origin(whole) is tuple:
        return "list of texts"
    if get_origin(whole) is Literal:
        *most, last = (f"`{choice}`" for choice in get_args(whole))
        return f"{', '.join(most)} or {last}"
    words: dict[Any, str] = {
        bool: "`true` or `false`",
        str: "text",
        SecretStr: "text, secret",
        int: f"whole number{_range(key)}",
        float: f"number{_range(key)}",
    }
    return words[whole]


def _range(key: Declared) -> str:
    least = [bound.ge for bound in key.bounds if isinstance(bound, Ge)]
    most = [bound.le for bound in key.bounds if isinstance(bound, Le)]
    beyond = [bound.gt for bound in key.bounds if isinstance(bound, Gt)]
    if least and most:
        return f", {least[0]:,} to {most[0]:,}"
    bounds = (("at least", least), ("more than", beyond), ("up to", most))
    return "".join(f", {words} {bound[0]:,}" for words, bound in bounds if bound)


def _toml(value: object) -> str:
    return "unset" if value in (None, MISSING) else f"`{json.dumps(value, ensure_ascii=False)}`"
