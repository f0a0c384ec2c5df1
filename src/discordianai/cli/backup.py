"""`backup`: a copy of the database, made while the bot runs."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.cli import common
from discordianai.cli.partial_file import partial_file
from discordianai.conversations.sqlite import backup
from discordianai.operations.progress import progress
from discordianai.privileges import acting_as_owner

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
    source = common.named(options)
    backup.refuse_target(source, options.file)
    with acting_as_owner(source):
        common.tell_of_bot(source)
    os.nice(10)  # the copy can wait, the answers of a bot beside it cannot
    with common.stoppable(), partial_file(options.file, overwrite=options.force) as partial:
        with progress("copying") as report:
            backup.copy(source, partial, report)
        with progress("checking") as report:
            backup.check(partial, report)
    size = options.file.stat().st_size
    common.say(f"copied to {options.file}: {size / 2**20:.1f} MB, without the open questions")
    return 0
