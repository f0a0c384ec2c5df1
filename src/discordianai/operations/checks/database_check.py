"""The database: whether the bot can use it, who else can read it, and its schema."""

import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from discordianai.conversations.sqlite import files
from discordianai.conversations.sqlite.files import bot_is_running, lock_path
from discordianai.conversations.sqlite.operator_access import UnreadableDatabase, schema_of
from discordianai.conversations.store import StoreError
from discordianai.operations.checks.findings import Finding, ok, problem, warning
from discordianai.safe_files import UnsafeFile, refuse_unsafe, user

SUBJECT = "database"
MEGABYTE = 2**20
LEAST_FREE = 50 * MEGABYTE
"""Below it the disk is as good as full: SQLite's log alone may take 4 MB, other programs take the rest."""

ENOUGH_FREE = 500 * MEGABYTE
"""With less than this beside a copy of the database, it is time to look."""


def look(database: Path) -> Iterator[Finding]:
    """Check the database without changing it; a bot may be running."""
    folder = database.parent
    if not folder.is_dir():
        yield problem(
            SUBJECT,
            f"the folder {folder} does not exist, or is not accessible",
            f"mkdir -p {quote(str(folder))}, or see whose it is",
        )
        return
    yield from _folder(folder)
    yield from _disk(database)
    unsafe = list(_unsafe(database))
    if unsafe:  # whoever put them there decides what would be read
        yield from unsafe
        return
    yield from _bot(database)
    try:
        status = database.lstat()
    except FileNotFoundError:
        yield ok(SUBJECT, f"{database} does not exist yet: the bot creates it at its first start")
        return
    except OSError as error:
        yield problem(
            SUBJECT, f"{database}: {error.strerror}", "name another file: database in [conversations]"
        )
        return
    yield from _owner(database, status.st_uid)
    yield from _modes(database)
    yield _schema(database)


def _unsafe(database: Path) -> Iterator[Finding]:
    """What is no file that this program may use; the bot would not start."""
    for file in files.files(database):
        try:
            refuse_unsafe(file)
        except UnsafeFile as error:
            what, _, advice = (error.strerror or "").partition("; ")
            yield problem(SUBJECT, f"{file}: {what}", advice)
        except OSError:
            continue  # said below


def _folder(folder: Path) -> Iterator[Finding]:
    if not _accessible(folder, os.W_OK | os.X_OK):
        yield problem(
            SUBJECT,
            f"{user(os.geteuid())} may not write in {folder}, or its disk is read-only",
            "run this as the user that runs the bot, or give that user the folder (chown)",
        )


def _disk(database: Path) -> Iterator[Finding]:
    subject = "free disk"
    try:
        disk = os.statvfs(database.parent)
    except OSError as error:
        yield problem(subject, f"{database.parent}: {error.strerror}", "check the disk")
        return
    free = disk.f_bavail * disk.f_frsize
    size = database.stat().st_size if os.access(database, os.F_OK) else 0
    found = f"{free // MEGABYTE:,} MB free in {database.parent}, the database has {size // MEGABYTE:,} MB"
    if free < LEAST_FREE:
        yield problem(
            subject, found, "free some space: with a full disk nothing is stored", free=free, size=size
        )
    elif free < ENOUGH_FREE + size:
        yield warning(subject, found, "free some space soon", free=free, size=size)
    else:
        yield ok(subject, found, free=free, size=size)


def _bot(database: Path) -> Iterator[Finding]:
    lock = lock_path(database)
    if lock.exists() and not _accessible(lock, os.R_OK):
        advice = "run this as the user that runs the bot"
        yield warning("bot", f"cannot tell whether one is running: {lock} may not be read", advice)
        return
    running = bot_is_running(database)
    yield ok("bot", f"{'one is' if running else 'none is'} running on the database", running=running)


def _owner(database: Path, owner: int) -> Iterator[Finding]:
    if os.geteuid() not in {owner, 0}:  # root looks at what a service of the machine has
        yield warning(
            SUBJECT,
            f"{database} belongs to {user(owner)}, and this is {user(os.geteuid())}",
            f"run this as {user(owner)}, or give the file to the user that runs the bot (chown)",
        )


def _modes(database: Path) -> Iterator[Finding]:
    """Checks for mode 0600, which the bot sets; a restored copy may have another one."""
    for file, mode in files.open_to_others(database).items():
        yield problem(
            SUBJECT,
            f"{file} is open to others (mode {mode:o}): it contains what people said",
            f"chmod 600 {quote(str(file))}",
            mode=f"{mode:o}",
        )


def _schema(database: Path) -> Finding:
    """Which version wrote it. The head of the file is read, not all of it."""
    try:
        version, newest = schema_of(database)
    except UnreadableDatabase as error:
        found = f"{database} cannot be read: {error}"
        if error.damaged:
            return problem(
                SUBJECT, found, "the bot renames a damaged file and creates a new one; have a backup ready"
            )
        return problem(SUBJECT, found, "run this as the user that runs the bot, and check the disk")
    except StoreError as error:
        return problem(SUBJECT, f"{database}: {error}", "")
    if version < newest:
        found = f"{database} has schema {version}: the next start brings it to {newest}"
        return ok(SUBJECT, found, schema=version, newest=newest)
    return ok(SUBJECT, f"{database} is readable and has schema {version}", schema=version, newest=newest)


def _accessible(path: Path, how: int) -> bool:
    """To whom this acts as, not to who started it."""
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)
