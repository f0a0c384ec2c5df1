"""How a key of settings.toml is declared, and who is told when it changes while the bot runs.

    @dataclass(frozen=True, slots=True)
    class DispatchOptions:
        queue_size: Annotated[int, Ge(1), Le(10_000), Key("questions that may wait for one provider")] = 200

Its name, kind, bounds, default and meaning, and whether it changes live, stand there and nowhere else. The
package `settings` embeds these classes as the tables of the file; it checks what is written against them, and
settings.toml and the reference page are checked against them by tests. `transport/`, which imports nothing of
ours, writes a tuple in place of `Key`.

The types of values that several packages use, with their checks, are here, too.
"""

import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Key:
    """The meaning of a key in settings.toml; with `live`, SIGHUP changes it while the bot runs."""

    meaning: str
    live: bool = False


Id = Annotated[int, Ge(1), Lt(2**64)]
"""A Discord snowflake."""

Ids = tuple[Id, ...]
Seconds = Annotated[float, Gt(0), Lt(math.inf)]
ModelName = Annotated[str, MinLen(1), MaxLen(100)]
"""A hundred characters are the most that Discord takes as a choice."""


def _http_url(url: str) -> str:
    """Paths are added to its end. Errors and `check` repeat it, so that no password may be in it."""
    if not _is_http_url(url):
        raise PydanticCustomError("url", "should be an address like https://host/path")
    if "@" in urlsplit(url).netloc:
        raise PydanticCustomError("url", "should have no name and password before the host")
    if "?" in url:
        raise PydanticCustomError("url", "should have no query: remove the ? and what follows")
    if "#" in url:
        raise PydanticCustomError("url", "should have no fragment: remove the # and what follows")
    return url.rstrip("/")


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url  # urlsplit drops line breaks
        return plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or half an IPv6 address
        return False


Url = Annotated[str, AfterValidator(_http_url)]


_ASSIGNED = re.compile(r"(export\s+)?\w*(TOKEN|KEY)\s*=\s*[^\s=]", re.IGNORECASE | re.ASCII)
"""A line of a shell or of a file with variables, such as DISCORD_TOKEN=..., in place of its value."""


def _plain(secret: SecretStr) -> SecretStr:
    """A header cannot carry anything else, and no service gives out a key with a space in it."""
    value = secret.get_secret_value()
    if value.partition(" ")[0] in {"Bot", "Bearer"}:
        raise PydanticCustomError("secret", "should be the secret alone: remove the word before it")
    if _ASSIGNED.match(value):
        raise PydanticCustomError("secret", "should be the secret alone: remove the name and the = before it")
    if not (value.isascii() and value.isprintable()) or " " in value or value[:1] in {"'", '"'}:
        raise PydanticCustomError(
            "secret",
            "should be letters, digits and signs alone, without spaces, quotes or line breaks: copy it again",
        )
    return secret


Credential = Annotated[SecretStr, AfterValidator(_plain)]
"""A secret, as it goes into a header."""


Tokens = Annotated[int, Ge(1_000), Le(10_000_000)]
Money = Annotated[float, Ge(0), Le(1_000_000)]
"""A price in dollars. Sums of it, in billionths of a dollar, must stay within SQLite's integers."""


T = TypeVar("T")
Part = TypeVar("Part")


class Live(Generic[T]):
    """Holds the current options in `now`. Whoever holds a `Live` cannot miss a change.

    The options are frozen and replaced by one assignment, so any thread may read `now`. Read it each time it
    is needed; take several options that belong together from one `now`.
    """

    def __init__(self, now: T) -> None:
        self._now = now
        self._followers: list[Callable[[T], object]] = []

    @property
    def now(self) -> T:
        """The current options."""
        return self._now

    def reconfigure(self, options: T) -> None:
        """Replace the options, and notify the followers in the order in which they registered."""
        if options == self._now:
            return
        self._now = options
        with ExitStack() as told:  # all are, whatever one of them raises
            for follower in reversed(self._followers):
                told.callback(follower, options)

    def part(self, select: Callable[[T], Part]) -> "Live[Part]":
        """What `select` makes of the options, of these and of all that come later."""
        part = Live(select(self._now))
        self._followers.append(lambda options: part.reconfigure(select(options)))
        return part

    def follow(self, reconfigure: Callable[[T], object]) -> None:
        """Call this with the options whenever they have changed: for what was made by them, as a pool is.

        It is called where `reconfigure` is: on the trio thread. It returns at once, and raises nothing.
        """
        self._followers.append(reconfigure)
