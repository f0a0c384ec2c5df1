"""How long a server asks to wait, in whatever form it writes that.

Headers and bodies of providers, of Discord and of what stands before them name a wait as seconds, as a
duration such as 6m0s, or as a time: an HTTP date, one of ISO 8601, or seconds or milliseconds since the
epoch. Whatever is there becomes a bounded number of seconds here; what makes no sense counts as not said.
"""

import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from discordianai.system_clock import EARLIEST

LONGEST_WAIT = 24 * 3600.0
"""Seconds of a wait that can be meant."""

LONGEST_VALUE = 64
"""Characters of a number of seconds or a date; what is longer is neither."""

LONGEST_FIELD = 1024
"""Characters of a field that are looked at."""

LONGEST_DURATION = 40
"""Characters; what is longer is none, and would be an infinite number."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII)
"""As OpenAI writes it: 1s, 6m0s, 120ms."""

_DECIMAL = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_MOST = 10**18
"""More than any number that can be meant, in any unit."""

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]", re.ASCII)

_BETWEEN = re.compile(r",(?!\s*\d{1,2}[ -][A-Za-z]{3})")
"""A comma between two values; behind the day of the week of a date there is one, too."""


def duration(written: str) -> float | None:
    """Seconds of a duration, if it is one."""
    match = _DURATION.fullmatch(written.strip()) if len(written) <= LONGEST_DURATION else None
    if match is None or not any(match.groups()):
        return None
    hours, minutes, whole, thousandths = (float(group or 0) for group in match.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def timestamp(written: str) -> float | None:
    """A date in seconds since the epoch: one of HTTP in any of its three forms, or of ISO 8601.

    It is in GMT where it does not say otherwise.
    """
    written = written.strip()
    if len(written) > LONGEST_VALUE or not (_ISO.match(written) or any(map(str.isalpha, written))):
        return None
    try:
        at = datetime.fromisoformat(written) if _ISO.match(written) else parsedate_to_datetime(written)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def now_of(headers: Mapping[str, str]) -> float:
    """The time by the clock that wrote the headers, in seconds since the epoch, or by ours."""
    told = timestamp(headers.get("date", ""))
    return time.time() if told is None or told < EARLIEST else told


def named_wait(value: object, now: float, unit: float = 1.0) -> float | None:
    """Seconds that a field of a header, or a value of JSON, asks to wait, up to `LONGEST_WAIT`.

    `unit` is what a number counts in seconds; `now` is the time from which one is counted. Of several values,
    as a proxy joins them by commas, the longest counts. None where it makes no sense, as a negative number.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        sensible = 0 <= value < math.inf  # NaN is not
        return _bounded(_counted(min(value, _MOST) * unit, now)) if sensible else None
    return max(_waits(value, now, unit), default=None) if isinstance(value, str) else None


def longer(exact: float | None, rounded: float | None) -> float | None:
    """Of a wait that is told twice: the exact one, unless the other is longer than that rounded up.

    Then another one has written it.
    """
    if exact is None or rounded is None:
        return rounded if exact is None else exact
    return exact if rounded <= exact + 1.0 else rounded


def _waits(field: str, now: float, unit: float) -> Iterator[float]:
    for value in _BETWEEN.split(field[:LONGEST_FIELD]):
        if (wait := _wait(value.strip(), now, unit)) is not None:
            yield _bounded(wait)


def _wait(value: str, now: float, unit: float) -> float | None:
    if value.isascii() and value.isdigit() and len(value) > LONGEST_VALUE:
        return LONGEST_WAIT
    if len(value) > LONGEST_VALUE:
        return None
    if _DECIMAL.fullmatch(value):
        return _counted(float(value) * unit, now)
    if (seconds := duration(value)) is not None:
        return seconds
    return None if (at := timestamp(value)) is None else at - now


def _counted(seconds: float, now: float) -> float:
    """Nobody asks for a wait of decades: such a number is a time, if it is one of these days."""
    for at in (seconds, seconds / 1000):
        if abs(at - now) <= LONGEST_WAIT:
            return at - now
    return seconds


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT)
