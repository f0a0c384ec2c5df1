"""`backup`: a copy of the database, made while the bot runs."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.cli import common
from discordianai.cli.partial_file import partial_file
from discordianai.conversations.opening import backup_of
from discordianai.operations.progress import progress

if TYPE_CHECKING:
    from discordianai.cli import Commands


def add_to(commands: "Commands") -> None:
    """Declare the command."""
    parser = commands.add_parser("backup", help="copy the database, even while the bot runs")
    parser.add_argument("file", type=Path, metavar="FILE", help="where the copy goes")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    common.add_options(parser)
    parser.set_defaults(command=_backup)


def _backup(options: argparse.Namespace) -> int:
    backup = backup_of(common.named(options), options.file)
    backup.refuse_target(options.file)
    common.tell(backup.remarks())
    os.nice(10)  # the copy can wait, the answers of a bot beside it cannot
    with common.stoppable(), partial_file(options.file, overwrite=options.force) as partial:
        with progress("copying") as report:
            backup.copy(partial, report)
        with progress("checking") as report:
            backup.check(partial, report)
    size = options.file.stat().st_size
    common.say(f"copied to {options.file}: {size / 2**20:.1f} MB, without the open questions")
    return 0
