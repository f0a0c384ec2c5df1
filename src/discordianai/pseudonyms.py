"""Names people, servers, channels and conversations in the log and in figures, without telling who they are.

A name is an HMAC of Discord's id with the key of the database (`Store.identifier_key`): it stays the same
over restarts, and means nothing to whoever has not got that key. `discordianai conversations who` finds the
id again. Ids are hidden here and nowhere else: the log takes each of its lines through `hide`.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence

PREFIX = "id-"
LENGTH = 12
"""Hexadecimal digits: of a million ids, two have the same name with a chance of 1 in 500."""

ID_FIELDS = frozenset({"person", "server", "channel", "conversation", "scope", "interaction", "message"})
"""Of a log line: what stands there is an id, however short it is."""

_SNOWFLAKE = re.compile(r"(?<![0-9A-Za-z.])[0-9]{15,20}(?![0-9A-Za-z])")
"""Discord's ids have 17 digits and more, the oldest 15. Nothing else that is logged has so many."""

_LEAST = 10**14


class Pseudonyms:
    """Until `use`, the key is one of this process alone."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def use(self, key: bytes) -> None:
        """Name everybody by this key from now on; from any thread."""
        self._key = key

    def of(self, discord_id: int) -> str:
        """The name of whatever has this id."""
        told = hmac.new(self._key, f"log:{discord_id}".encode(), hashlib.sha256)
        return f"{PREFIX}{told.hexdigest()[:LENGTH]}"

    def hide(self, field: str, value: object) -> object:
        """The value of a field of a log line, with each id in it replaced."""
        match value:
            case bool():
                return value
            case int() if value >= _LEAST or (value and field in ID_FIELDS):
                return self.of(value)
            case str():
                return _SNOWFLAKE.sub(lambda found: self.of(int(found[0])), value)
            case Mapping():
                return {self.hide("", key): self.hide(str(key), inner) for key, inner in value.items()}
            case Sequence() | frozenset() | set():
                return [self.hide(field, inner) for inner in value]
        return value


def is_pseudonym(text: str) -> bool:
    """Whether it has the form of one."""
    return re.fullmatch(rf"{PREFIX}[0-9a-f]{{{LENGTH}}}", text) is not None
