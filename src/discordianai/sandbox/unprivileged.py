"""Runs servers that refuse root as another user, in folders that this user can reach."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ACCOUNTS = ("postgres", "nobody")
"""Whom root's servers run as: the first of these that the machine has."""

EVERYBODYS = Path("/tmp")  # noqa: S108  # each folder in it has a random name and an owner
"""Where folders are made if the account cannot enter the usual place for temporary files."""


class NoAccount(Exception):
    """Root runs this, and there is no user that a server could run as."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user for servers; None where they run as whoever runs this."""

    entry: pwd.struct_passwd | None = None

    def start(
        self, command: Sequence[str | Path], output: IO[bytes], environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a server in a session of its own, so that Ctrl-C at the terminal does not reach it."""
        return subprocess.Popen(  # noqa: S603  # a server of this machine's, with our own configuration
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            cwd="/",
            user=self.entry and self.entry.pw_uid,
            group=self.entry and self.entry.pw_gid,
            extra_groups=[] if self.entry else None,
        )

    def run(self, command: Sequence[str | Path], timeout: float) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; its output is in `stdout`. Raises `subprocess.TimeoutExpired`."""
        return subprocess.run(  # noqa: S603  # as above
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            cwd="/",
            user=self.entry and self.entry.pw_uid,
            group=self.entry and self.entry.pw_gid,
            extra_groups=[] if self.entry else None,
        )

    @contextmanager
    def folder(self, prefix: str) -> Iterator[Path]:
        """A folder that belongs to the account, and that nobody else can read; it is removed in the end."""
        usual = Path(tempfile.gettempdir())
        place = usual if self.entry is None or _everybody_enters(usual) else EVERYBODYS
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        try:
            self.give(folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def give(self, path: Path) -> None:
        """Make the account the owner of a file or a folder."""
        if self.entry is not None:
            os.chown(path, self.entry.pw_uid, self.entry.pw_gid)


def unprivileged() -> Account:
    """Whoever runs this, or, for root, one of `ACCOUNTS`. Raises `NoAccount`."""
    if os.geteuid() != 0:
        return Account()
    for name in ACCOUNTS:
        try:
            return Account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise NoAccount(
        f"this server refuses to run as root, and there is no user {' or '.join(ACCOUNTS)}: "
        "run this as another user"
    )


def _everybody_enters(folder: Path) -> bool:
    resolved = folder.resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (resolved, *resolved.parents))
