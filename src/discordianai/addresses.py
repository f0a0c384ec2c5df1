"""Tells usable addresses from text that only looks like one."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST = 2000
"""Characters; what is longer is no address for people, and no link that Discord takes."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_AUTHORITY = re.compile(r"[^/?#]*")


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the web as it was written; `host` in lower case, IPv6 without brackets."""

    url: str
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom a request to it asks: scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def without_user_info(self) -> str:
        """The address without the name and the password that may stand before its host."""
        scheme, _, rest = self.url.partition("//")
        authority = _AUTHORITY.match(rest)
        assert authority  # noqa: S101  # for mypy: the pattern matches any text
        return f"{scheme}//{authority[0].rpartition('@')[2]}{rest[authority.end() :]}"


def read(text: str) -> Address | None:
    """The address, whatever the text; None where it is none.

    Nothing in an address breaks a line, ends a link, or cannot be seen. One with a backslash is none:
    browsers read it as a slash, and would ask another host.
    """
    if len(text) > LONGEST or not text.isprintable() or any(character in "<> \\" for character in text):
        return None
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:  # brackets that are no IPv6, full-width slashes, a port that is no number
        return None
    if scheme not in DEFAULT_PORTS or not host or not _is_host(host):
        return None
    return Address(text, scheme, host, DEFAULT_PORTS[scheme] if port is None else port)


def _is_host(host: str) -> bool:
    """A name in any script, or a number."""
    return all(character.isalnum() or character in "-._:" for character in host)
