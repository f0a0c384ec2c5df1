"""Reads a config.ini as that bot does: Python's configparser, with `%` for interpolation."""

import configparser
import io
from pathlib import Path

from discordianai import safe_files
from discordianai.settings.file import SettingsError

LARGEST = 2**20
"""Bytes that a config.ini may have."""

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
    parser = configparser.ConfigParser(default_section="")
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
    for section in parser.sections():
        for key in parser[section]:
            found.setdefault(key.upper(), _value(parser, section, key).strip())
    return found


def _value(parser: configparser.ConfigParser, section: str, key: str) -> str:
    try:
        return parser.get(section, key)
    except configparser.InterpolationError:
        return parser.get(section, key, raw=True)  # a % that was meant as one


def _trouble(error: configparser.Error) -> str:
    """The line and the problem; the error's own text quotes the line, which may contain a secret."""
    what = _TROUBLES.get(type(error), "a line is neither a [section] nor KEY=value")
    lines = [number for number, _ in getattr(error, "errors", ())]
    line = getattr(error, "lineno", None) or next(iter(lines), None)
    return f"line {line}: {what}" if line else what
