"""What root's commands do in a folder of another user, they do as that user."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discordianai.conversations.sqlite.connections import open_connections
from discordianai.conversations.sqlite.files import DatabaseLock
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.store import StoreError
from discordianai.privileges import acting_as_owner
from tests.cli.hostile import MARKER, SERVICE, STRANGER
from tests.conversations.builders import DATABASE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")

READ_AND_SEARCH = 1 << 2

EXCHANGER = """
import os, sys
folder, victim, names = sys.argv[1], sys.argv[2], sys.argv[3:]
print("ready", flush=True)
while True:
    for name in names:
        path = os.path.join(folder, name)
        for make in (os.link, os.symlink):
            for path_is_free in range(2):
                try:
                    make(victim, path)
                    break
                except FileExistsError:
                    try: os.unlink(path)
                    except OSError: pass
                except OSError: break
            try: os.unlink(path)
            except OSError: pass
"""
"""Puts links to the victim where files of the database are, and takes them away, all the time."""


def give(path: Path, user: int) -> None:
    os.chown(path, user, user)


def effective_capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("CapEff:")[1].split()[0], 16)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A database in a folder of the service's, below one that nobody but root may enter."""
    folder = tmp_path / "private" / "state"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    open_connections(folder / DATABASE).close()
    for path in (folder, folder / DATABASE):
        give(path, SERVICE)
    return folder


def test_root_has_its_owner_s_rights_and_no_more_and_then_its_own_again(state: Path) -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    mine = state / "root's"
    mine.touch(0o600)
    with acting_as_owner(state / DATABASE):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (SERVICE, SERVICE, [])
        assert os.getresuid()[0] == os.getresuid()[2] == 0  # so that SERVICE may not trace it
        with pytest.raises(PermissionError):
            mine.open("a")
        with pytest.raises(PermissionError):
            os.chown(mine, SERVICE, SERVICE)
        if sys.platform == "linux":
            assert not effective_capabilities() & ~READ_AND_SEARCH
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
    mine.write_text("root again")


def test_root_is_root_again_after_an_error(state: Path) -> None:
    with pytest.raises(ValueError, match="^$"), acting_as_owner(state / DATABASE):
        raise ValueError
    assert os.geteuid() == 0


def test_in_a_folder_of_root_s_the_database_s_owner_counts(tmp_path: Path) -> None:
    database = tmp_path / DATABASE
    with acting_as_owner(database):  # there is none yet
        assert os.geteuid() == 0
    database.touch()
    with acting_as_owner(database):
        assert os.geteuid() == 0
    give(database, STRANGER)
    with acting_as_owner(database):
        assert os.geteuid() == STRANGER


def test_who_may_not_act_as_the_owner_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root in a container without CAP_SETUID."""

    def refuse(_user: int) -> None:
        if _user:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "seteuid", refuse)
    with (
        pytest.raises(PermissionError, match=f"may not act as user {SERVICE}.*run it as that user"),
        acting_as_owner(state / DATABASE),
    ):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere root's folders are closed to the owner")
def test_links_that_come_and_go_while_root_works_give_nothing_away(state: Path, tmp_path: Path) -> None:
    """Also as on a system that lets everybody make hard links to everybody's files."""
    victim = tmp_path / "victim"
    victim.write_text(MARKER)
    victim.chmod(0o640)
    before = victim.stat()
    names = [f"{DATABASE}{suffix}" for suffix in ("-wal", "-shm", "-journal", ".lock")]
    exchanger = subprocess.Popen(  # noqa: S603  # the program above
        [sys.executable, "-c", EXCHANGER, str(state), str(victim), *names], stdout=subprocess.PIPE
    )
    try:
        assert exchanger.stdout is not None
        exchanger.stdout.readline()
        rounds, refused, began = 0, 0, time.monotonic()
        while time.monotonic() < began + 1 or (
            (rounds < 21 or not refused) and time.monotonic() < began + 60
        ):
            rounds += 1
            try:
                with acting_as_owner(state / DATABASE):
                    DatabaseLock(state / DATABASE).release()
                    with operator_connection(state / DATABASE, write=True) as connection:
                        connection.execute("UPDATE bookkeeping SET probes = probes + 1")
            except (StoreError, OSError):
                refused += 1
            now = victim.stat()
            assert (now.st_uid, now.st_gid, now.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
            assert victim.read_text() == MARKER
    finally:
        exchanger.kill()
        exchanger.communicate()
    assert rounds > 20
    assert refused
