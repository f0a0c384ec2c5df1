"""Text as PostgreSQL can store it: UTF-8 without U+0000.

For every text that goes through a connection, in one place: nobody can forget it. A NUL is stored as DLE and
`@`, a DLE as two of them. Half a surrogate pair becomes U+FFFD, as everywhere in the store.
"""

import re
from typing import Any

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader

from discordianai.surrogates import well_formed

DLE = "\x10"
"""Data link escape: what a sender puts before what would otherwise be taken for a control character."""

_ESCAPED = re.compile(f"{DLE}(.)", re.DOTALL)


def escaped(text: str) -> str:
    """`text` as it is stored."""
    if "\0" in text or DLE in text:
        text = text.replace(DLE, DLE + DLE).replace("\0", f"{DLE}@")
    return well_formed(text)


def restored(text: str) -> str:
    """The reverse."""
    return _ESCAPED.sub(lambda found: "\0" if found[1] == "@" else found[1], text) if DLE in text else text


class _TextDumper(Dumper):
    """Without a type: the server takes the one that the statement asks for."""

    def dump(self, obj: Any) -> Buffer | None:
        return escaped(obj).encode()


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        return restored(bytes(data).decode("utf-8", "replace"))


def register(connection: AdaptContext) -> None:
    """Convert all text of that connection."""
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("text", _TextLoader)
