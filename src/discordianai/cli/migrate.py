"""`discordianai migrate`: a settings.toml from the config.ini of johndotpub/DiscordianAI."""

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discordianai.cli import Commands


def add_to(commands: "Commands") -> None:
    """Add `migrate`."""
    parser = commands.add_parser(
        "migrate",
        help="make a settings.toml from a config.ini",
        description="Write settings.toml to stdout, and what could not be converted to stderr.",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.INI")
    parser.add_argument("--with-secrets", action="store_true", help="also copy the token and the keys")
    parser.set_defaults(command=_migrate)


def _migrate(options: argparse.Namespace) -> int:
    from discordianai.legacy_import import migrate

    made = migrate(options.config, with_secrets=options.with_secrets)
    remarks = [*made.remarks]
    if options.with_secrets:
        remarks.append("The new file contains secrets: chmod 600 settings.toml")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # TOML is, whatever the terminal wants
    sys.stdout.write(made.settings)
    sys.stderr.writelines(f"{remark}\n" for remark in remarks)
    return 0
