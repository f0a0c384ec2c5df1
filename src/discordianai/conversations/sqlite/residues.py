"""Overwrites what SQLite leaves in the unused part of its pages. Synchronous.

`secure_delete` overwrites a row in its place. But where a full page is divided, the rows that move to another
page stay behind as bytes in the unused part of the first one, and when they are deleted, only the rows are
overwritten. A third of the pages has such bytes. VACUUM would leave them out, but it writes the whole file
anew while everybody waits.

So these bytes are overwritten in the file itself. They mean nothing to SQLite, which has no checksum over
them either. That is safe while nobody moves pages into the file, so it is done between two checkpoints, with
an empty log, while the writer pauses. The writer does not bring them back from its cache, which it drops when
another connection has committed something, as the one that empties the log has just done.
"""

import os
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from discordianai import safe_files

STEP = 256
"""Pages read at once. Other threads run between two steps."""

PART = 64
"""Pages overwritten at once, while others wait for a few milliseconds. A file that has never been cleared may
have many."""

PENDING_BYTE = 1 << 30
"""SQLite never uses the page with this byte."""

_HEADER_BYTES = 100
_TREE_PAGES = {2: 12, 5: 12, 10: 8, 13: 8}
"""The length of the header by the kind of a page of a tree, which is its first byte."""

_ROOT, _TREE = 1, 5
"""Kinds of pages in SQLite's own map of them (ptrmap), which a file with `auto_vacuum` has."""

_FRAME_HEADER, _LOG_HEADER = 24, 32

_ZEROS = bytes(1 << 16)


@contextmanager
def opened(database: Path) -> Iterator[int]:
    """A descriptor of the file. Closing it drops SQLite's locks: open it before the connections.

    Raises `OSError`, `UnsafeFile` among them.
    """
    descriptor = safe_files.open_existing(database, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def find(descriptor: int) -> set[int]:
    """The numbers of the pages that have any; some may be of another kind. 200 MB take 0.1 s of CPU time."""
    size, count = _layout(descriptor)
    found = set[int]()
    for first in range(1, count + 1, STEP):
        chunk = os.pread(descriptor, STEP * size, (first - 1) * size)
        for index in range(len(chunk) // size):
            begin, end = _unused(chunk, index * size, size, first + index)
            if chunk[begin:end] != _ZEROS[: end - begin]:
                found.add(first + index)
        time.sleep(0)
    return found


def parts(pages: set[int]) -> list[set[int]]:
    """As many of them as are overwritten at once; one at least."""
    ordered = sorted(pages)
    return [set(ordered[start : start + PART]) for start in range(0, len(ordered), PART)] or [set()]


def changed(log: Path, descriptor: int) -> set[int]:
    """The numbers of the pages that the write-ahead log has."""
    size, _ = _layout(descriptor)
    try:
        content = os.open(log, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return set()
    try:
        end = os.fstat(content).st_size
        frames = range(_LOG_HEADER, end - _FRAME_HEADER + 1, _FRAME_HEADER + size)
        return {int.from_bytes(os.pread(content, 4, frame), "big") for frame in frames}
    finally:
        os.close(content)


def overwrite(descriptor: int, pages: Iterable[int]) -> None:
    """Overwrite the residues of these pages, and flush them to the disk."""
    size, count = _layout(descriptor)
    written = False
    for number in pages:
        if not 0 < number <= count:
            continue
        at = (number - 1) * size
        begin, end = _unused(page := os.pread(descriptor, size, at), 0, size, number)
        if page[begin:end] != _ZEROS[: end - begin] and is_of_a_tree(descriptor, number, size):
            os.pwrite(descriptor, _ZEROS[: end - begin], at + begin)
            written = True
    if written:
        os.fsync(descriptor)


def _layout(descriptor: int) -> tuple[int, int]:
    """Bytes of a page, and how many pages there are."""
    header = os.pread(descriptor, _HEADER_BYTES, 0)
    size = int.from_bytes(header[16:18], "big")
    size = 1 << 16 if size == 1 else size
    return (size, os.fstat(descriptor).st_size // size) if size else (1, 0)


def _unused(pages: bytes, start: int, size: int, number: int) -> tuple[int, int]:
    """Where the unused part of the page at `start` begins and ends; empty if the page belongs to no tree."""
    if len(pages) < start + size:  # cut off: the file has been shortened
        return start, start
    head = start + (_HEADER_BYTES if number == 1 else 0)
    header = _TREE_PAGES.get(pages[head])
    if header is None:
        return start, start
    cells, content = struct.unpack_from(">HH", pages, head + 3)
    begin, end = head + header + 2 * cells, start + (content or 1 << 16)
    return (begin, end) if begin <= end <= start + size else (start, start)


def is_of_a_tree(descriptor: int, number: int, size: int) -> bool:
    """By SQLite's own map: a page of another kind may begin with the same byte."""
    if number == 1:
        return True
    if number == PENDING_BYTE // size + 1:
        return False
    header = os.pread(descriptor, _HEADER_BYTES, 0)
    if not any(header[52:56]):  # without `auto_vacuum` no other page begins with such a byte
        return True
    mapped = (size - header[20]) // 5  # some systems reserve bytes at the end of a page
    where = (number - 2) // (mapped + 1) * (mapped + 1) + 2
    where += where == PENDING_BYTE // size + 1
    if number <= where:
        return False
    entry = os.pread(descriptor, 1, (where - 1) * size + 5 * (number - where - 1))
    return entry[0] in {_ROOT, _TREE}
