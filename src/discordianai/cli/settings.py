"""`discordianai settings`: the commented settings file, or what in the operator's differs from it."""

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.cli.common import say
from discordianai.settings import file as settings_file
from discordianai.settings import toml_text

if TYPE_CHECKING:
    from discordianai.cli import Commands


def add_to(commands: "Commands") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "settings",
        help="print a settings.toml with every key, or what differs from it",
        description="Print the settings file with every key, its default and what it means. With --diff,"
        " print what your file sets differently. Secrets are never printed.",
    )
    parser.add_argument("--diff", action="store_true", help="print only what differs from the defaults")
    parser.add_argument(
        "--settings", type=Path, metavar="PATH", help="instead of ./settings.toml, with --diff"
    )
    parser.set_defaults(command=_settings)


def _settings(options: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # TOML is, whatever the terminal wants
    if not options.diff:
        sys.stdout.write(toml_text.shipped())
        return 0
    path = settings_file.find(options.settings)
    differing = toml_text.differing(settings_file.load_without_secrets(path))
    sys.stdout.write(toml_text.render(differing, with_defaults=True))
    say(f"{path}: {'these keys differ' if differing else 'every key is at its default'}")
    return 0
