"""A conversation as one `bytes` object.

Fifty turns of 400 characters take 43 KB as records and 21 KB packed; what counts more, they are one object
instead of two hundred. A turn is its role, its time and its length, then its text in UTF-8.
"""

import struct
from collections.abc import Iterable

from discordianai.records import Role, Turn

_HEADER = struct.Struct("<BdI")
_ROLES = (Role.USER, Role.ASSISTANT, Role.SYSTEM)
_CODES = {role: code for code, role in enumerate(_ROLES)}


def pack(turns: Iterable[Turn]) -> bytes:
    """The turns as bytes; packed conversations can be added."""
    pieces = []
    for turn in turns:
        text = turn.text.encode("utf-8", "replace")
        pieces.append(_HEADER.pack(_CODES[turn.role], turn.at, len(text)))
        pieces.append(text)
    return b"".join(pieces)


def unpack(packed: bytes, limit: int) -> list[Turn]:
    """The newest `limit` turns, oldest first."""
    headers = _headers(packed)[-limit:] if limit else []
    return [
        Turn(_ROLES[code], packed[start : start + length].decode("utf-8"), at)
        for start, code, at, length in headers
    ]


def newest(packed: bytes, limit: int) -> bytes:
    """The newest `limit` turns, still packed."""
    headers = _headers(packed)
    if len(headers) <= limit:
        return packed
    return packed[headers[-limit][0] - _HEADER.size :] if limit else b""


def _headers(packed: bytes) -> list[tuple[int, int, float, int]]:
    """Of each turn: where its text starts, role, time, length of the text."""
    headers = []
    position, end = 0, len(packed)
    while position < end:
        code, at, length = _HEADER.unpack_from(packed, position)
        position += _HEADER.size
        headers.append((position, code, at, length))
        position += length
    return headers
