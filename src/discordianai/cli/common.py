"""Shared by the database commands: which database, and what is told on the way."""

import argparse
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.conversations.database_url import BadUrl, is_url, parse
from discordianai.conversations.operator_port import DatabaseOnServer, Location
from discordianai.safe_files import located
from discordianai.settings import file as settings_file
from discordianai.settings.document import NoSettings, SettingsError

if TYPE_CHECKING:
    from pydantic import SecretStr


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare how the database is named."""
    parser.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    parser.add_argument("--database", metavar="PATH", help="or URL, instead of the one in the settings")


def named(options: argparse.Namespace) -> Location:
    """Where the database is. Raises `SettingsError`."""
    database: str | None = options.database
    return location(options, database) if database is not None else of_settings(options)


def of_settings(options: argparse.Namespace) -> Location:
    """Where the database of the settings is. Raises `SettingsError`."""
    conversations = settings_file.load_for_database(options.settings).conversations
    return _location(conversations.database, conversations.database_password)


def location(options: argparse.Namespace, database: str) -> Location:
    """Where a database is that the command line names: a file, or a URL. Raises `SettingsError`.

    The password of one on a server is looked up where that of the settings is.
    """
    if not is_url(database):
        return _location(database, None)
    try:
        conversations = settings_file.load_for_database(options.settings).conversations
    except NoSettings:
        return _location(database, settings_file.database_password())
    return _location(database, conversations.database_password)


def _location(database: str, password: "SecretStr | None") -> Location:
    if not is_url(database):
        return located(Path(database))
    try:
        return DatabaseOnServer(parse(database), password)
    except BadUrl as error:
        raise SettingsError(f"the URL of the database {error}") from None


def tell(remarks: Iterable[str]) -> None:
    """Print what is to be known of a database."""
    for remark in remarks:
        say(remark)


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
