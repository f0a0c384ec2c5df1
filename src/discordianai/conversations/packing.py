"""A conversation as one `bytes` object.

Fifty turns of 400 characters take 43 KB as records and 21 KB packed; more importantly, they are one object
instead of two hundred. A turn is its role, its time and two lengths, then its text and its attachments in
UTF-8.
"""

import struct
from collections.abc import Iterable

from discordianai.conversations import attachment_json
from discordianai.records import Role, Turn

_HEADER = struct.Struct("<BdII")
_ROLES = (Role.USER, Role.ASSISTANT, Role.SYSTEM)
_CODES = {role: code for code, role in enumerate(_ROLES)}


def pack(turns: Iterable[Turn]) -> bytes:
    """The turns as bytes; packed conversations can be added."""
    pieces = []
    for turn in turns:
        text = turn.text.encode("utf-8", "replace")
        files = attachment_json.dump(turn.attachments).encode()
        pieces.append(_HEADER.pack(_CODES[turn.role], turn.at, len(text), len(files)))
        pieces += (text, files)
    return b"".join(pieces)


def unpack(packed: bytes, limit: int) -> list[Turn]:
    """The newest `limit` turns, oldest first."""
    headers = _headers(packed)[-limit:] if limit else []
    return [
        Turn(
            _ROLES[code],
            packed[start : start + length].decode("utf-8"),
            at,
            attachments=attachment_json.load(packed[start + length : start + length + files]),
        )
        for start, code, at, length, files in headers
    ]


def newest(packed: bytes, limit: int) -> bytes:
    """The newest `limit` turns, still packed."""
    headers = _headers(packed)
    if len(headers) <= limit:
        return packed
    return packed[headers[-limit][0] - _HEADER.size :] if limit else b""


def _headers(packed: bytes) -> list[tuple[int, int, float, int, int]]:
    """Of each turn: where its text starts, role, time, length of the text and of the attachments."""
    headers = []
    position, end = 0, len(packed)
    while position < end:
        code, at, length, files = _HEADER.unpack_from(packed, position)
        position += _HEADER.size
        headers.append((position, code, at, length, files))
        position += length + files
    return headers
