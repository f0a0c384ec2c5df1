"""What this program opens is a file of its own, whatever lies in the folder."""

import os
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from discordianai import safe_files
from discordianai.safe_files import UnsafeFile
from tests.cli.hostile import FOR_ROOT, KINDS, MARKER

SENTENCES = {
    "symlink": "a symbolic link, which could lead to any file; name the file itself",
    "dangling": "a symbolic link",
    "hard link": r"has 2 names \(hard links\)",
    "fifo": "a FIFO, not a regular file; remove it",
    "folder": "a folder, not a regular file; name a file",
    "socket": "a socket, not a regular file",
    "device": "a device, not a regular file",
    "foreign": "belongs to user 61235, and should to",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "call",
    [
        safe_files.open_existing,
        safe_files.open_or_create,
        safe_files.refuse_unsafe,
        safe_files.create,
        safe_files.tighten,
    ],
)
def test_what_is_no_file_of_ours_is_refused_in_words(
    kind: str, call: Callable[[Path], object], tmp_path: Path
) -> None:
    """At once, and nothing is made, read or changed."""
    if kind in FOR_ROOT and os.geteuid() != 0:
        pytest.skip("only root can make these")
    (tmp_path / "victims").mkdir()
    victim, path = tmp_path / "victims" / "victim", tmp_path / "file"
    victim.write_text(MARKER)
    before = victim.stat()
    KINDS[kind](path, victim)
    began = time.monotonic()
    expected = "File exists" if call is safe_files.create else SENTENCES[kind]
    with pytest.raises(OSError, match=expected) as caught:
        call(path)
    assert time.monotonic() - began < 1
    assert caught.value.filename == str(path)
    now = victim.stat()
    assert (now.st_mode, now.st_uid, now.st_mtime_ns) == (before.st_mode, before.st_uid, before.st_mtime_ns)
    assert [found.name for found in (tmp_path / "victims").iterdir()] == ["victim"]


def test_tightening_leaves_the_owners_access_alone(tmp_path: Path) -> None:
    """What nobody else may read is not touched, and `tighten` says so."""
    path = tmp_path / "file"
    path.touch()
    for before, after in ((0o777, 0o700), (0o444, 0o400), (0o640, 0o600)):
        path.chmod(before)
        assert safe_files.tighten(path) == before
        assert stat.S_IMODE(path.stat().st_mode) == after
        assert safe_files.tighten(path) is None


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        descriptor, is_new = safe_files.open_or_create(tmp_path / "file")
    finally:
        os.umask(former)
    assert is_new
    assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o600
    os.close(descriptor)


def test_what_is_there_keeps_its_content_and_its_mode(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("what was there")
    (tmp_path / "file").chmod(0o644)
    descriptor, is_new = safe_files.open_or_create(tmp_path / "file")
    assert not is_new
    assert os.read(descriptor, 100) == b"what was there"
    assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o644
    os.close(descriptor)


def test_a_file_of_the_folder_s_owner_is_ours_too_but_not_mine(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has files of another's")
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file"):
        os.chown(path, 61234, 61234)
    os.close(safe_files.open_existing(tmp_path / "file"))
    with pytest.raises(UnsafeFile, match="belongs to user 61234, and should to root"):
        safe_files.open_existing(tmp_path / "file", mine=True)


def test_a_file_that_the_operator_names_may_be_behind_a_link_and_has_a_bounded_size(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to("real")
    assert safe_files.read(tmp_path / "link", 10) == b"x" * 10
    with pytest.raises(UnsafeFile, match="too large: at most 9 bytes"):
        safe_files.read(tmp_path / "link", 9)


def test_whoever_opens_the_path_is_seen_to_have_reached_the_file_or_not(tmp_path: Path) -> None:
    ours = safe_files.create(tmp_path / "file")
    (tmp_path / "other").touch()
    with (tmp_path / "other").open():
        assert not safe_files.is_open_twice(ours)
    with (tmp_path / "file").open():
        assert safe_files.is_open_twice(ours)
    os.close(ours)


def test_no_descriptor_is_left_behind(tmp_path: Path) -> None:
    """Of the folder, neither when it goes well nor when it does not."""
    (tmp_path / "link").symlink_to("file")
    with socket.socket() as lowest:
        first = lowest.fileno()
    for name in ("file", "link"):
        for _ in range(10):
            with suppress(UnsafeFile):
                os.close(safe_files.open_or_create(tmp_path / name)[0])
    with socket.socket() as lowest:
        assert lowest.fileno() == first
