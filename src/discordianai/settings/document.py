"""Reads the TOML document that `settings.toml` is, and says of a mistake in it where it is and what to do."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomli

from discordianai import safe_files

INIT = "run `discordianai init` to create one"
"""What to do without a file."""

LARGEST = 2**20
"""Bytes that the file, or a credential, may have."""

LONGEST_MESSAGE = 100
"""Characters of the parser's own words: they may repeat a key of any length."""

_INI_LINE = re.compile(r"^[ \t]*[A-Z][A-Z0-9_]{3,}[ \t]*[=:]", re.MULTILINE)
"""A key of the reference's config.ini: ours are in lower case."""

_BARE_TEXT = re.compile(r"\s*[\w.-]+\s*=\s*(?!true\b|false\b)[A-Za-z/][^\"'#=]*(?:#.*)?")
"""A key whose text is not quoted."""

Document = dict[str, Any]
"""A parsed TOML file: its values are whatever was written there."""


class SettingsError(Exception):
    """The settings cannot be used; `problems` has one sentence for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class NoSettings(SettingsError):
    """There is no file."""


def no_file(places: Iterable[Path]) -> "NoSettings":
    """The error where none of these files exists."""
    *most, last = (str(place.absolute()) for place in places)
    looked = f"{', '.join(most)} and {last}" if most else last
    return NoSettings(f"no settings file: looked for {looked}; {INIT}, or name one with --settings PATH")


def read_document(path: Path) -> Document:
    """The file's tables as they stand there. Raises `SettingsError`."""
    try:
        content = safe_files.read(path, LARGEST)
        text = content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        raise no_file([path]) from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}: should be UTF-8, but a byte in line {line} is not: save it as UTF-8"
        ) from None
    return _parse(path, text)


def _parse(path: Path, text: str) -> Document:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg[:LONGEST_MESSAGE]}"
        why = f"{why}: {_remedy(text, error.lineno)}"
    except RecursionError as error:
        why = f"line {_line_of(error, text)}: nested too deeply"
    except ValueError as error:  # Python's limit on the digits that it converts
        why = f"line {_line_of(error, text)}: a number with too many digits"
    raise SettingsError(f"{path}: not valid TOML: {why}")


def _remedy(text: str, number: int) -> str:
    """What to do about a mistake in that line, as far as it can be told from the text."""
    if _INI_LINE.search(text):
        return (
            "this looks like the config.ini of johndotpub/DiscordianAI: keep it under that name, and run"
            " `discordianai migrate config.ini > settings.toml`"
        )
    lines = text.split("\n")
    line = lines[number - 1] if number <= len(lines) else ""
    if any(quote in line for quote in "“”„‟‘’‚«»"):
        return 'it has typographic quotes: type " instead'
    if any(not sign.isprintable() or (sign.isspace() and sign != " ") for sign in line.strip("\r\t")):
        return "it has an invisible character, such as a no-break space: type the line anew"
    if "\\" in line:
        return r"in double quotes a backslash is written twice, as in C:\\bot; in single quotes, once"
    if _BARE_TEXT.fullmatch(line):
        return 'put the text in quotes, as in key = "text"'
    return "`discordianai settings` shows how each key is written"


def _line_of(error: Exception, text: str) -> int:
    """Where the parser gives up, if it does not say so itself: the fewest lines at which it does so."""
    lines = text.split("\n")

    def gives_up(number: int) -> bool:
        try:
            tomli.loads("\n".join(lines[:number]))
        except (ValueError, RecursionError) as other:
            return type(other) is type(error)
        return False

    return bisect_left(range(len(lines)), True, key=gives_up)
