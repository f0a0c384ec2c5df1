"""Shared by the database commands: which database, and whether a bot is running on it."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from discordianai.conversations.database_url import is_url
from discordianai.conversations.sqlite.files import bot_is_running, open_to_others
from discordianai.safe_files import located
from discordianai.settings import file as settings_file


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare how the database is named."""
    parser.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    parser.add_argument("--database", metavar="PATH", help="instead of the one that the settings name")


def named(options: argparse.Namespace) -> Path:
    """The path of the database, which has to be a file. Raises `SettingsError`."""
    database: str | None = options.database
    if database is None:
        database = settings_file.load_without_secrets(options.settings).conversations.database
    if is_url(database):
        raise settings_file.SettingsError(
            "conversations.database: this command works on a file, and this is a PostgreSQL database: use"
            " PostgreSQL's own tools, such as pg_dump for a copy"
        )
    return located(Path(database))


def tell_of_bot(database: Path) -> None:
    """Print which database it is, whether a bot is running on it, and which of its files others can read."""
    say(f"{database}: {'a' if bot_is_running(database) else 'no'} bot is running on it")
    for file, mode in open_to_others(database).items():
        say(f"{file} is open to others (mode {mode:o}), with what people said: chmod 600 {quote(str(file))}")


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does: what is half written, or started, is taken along."""
    heard = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]
    former = {each: signal.signal(each, signal.default_int_handler) for each in heard}
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


def say(sentence: str) -> None:
    """Print to stderr, for the person at the terminal."""
    print(sentence, file=sys.stderr)  # noqa: T201  # for the person at the terminal


def amount(number: int, what: str) -> str:
    """As in "1,000 turns", "1 turn"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
