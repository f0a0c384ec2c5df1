"""Compares this machine's clock with the `Date` headers of servers.

Limits for a day, what is kept for how many days, and the age of a question are reckoned by this clock; how
late an acknowledgement is, by the difference to Discord's. Certificates are valid by it, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from statistics import median

from discordianai.operations.checks.findings import Finding, ok, problem, warning

SUBJECT = "clock"
ADVICE = "turn on time synchronisation: timedatectl set-ntp true"

RESOLUTION = 0.5
"""Seconds: `Date` has whole ones, so that the middle of one is half a second from its ends."""

UNUSUAL = 1.0
"""Seconds that no synchronised clock is off; and a third of what Discord waits for an acknowledgement."""

HARMFUL = 60.0
"""Seconds after which questions are wrongly taken for expired, or not."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A server's clock is `ahead` of this one by so many seconds, give or take `margin`."""

    ahead: float
    margin: float


def sample(date: str, sent: float, received: float) -> Sample | None:
    """From a `Date` header, and when its request was sent and its answer came, in seconds since the epoch."""
    try:
        at = parsedate_to_datetime(date)
        told = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return Sample(told + RESOLUTION - (sent + received) / 2, RESOLUTION + max(received - sent, 0.0) / 2)


def judge(samples: Mapping[str, Sample]) -> Finding:
    """Judge this machine's clock by those of the servers, by name. Two outvote one that is wrong."""
    if not samples:
        return warning(SUBJECT, "no server sent the time", "see the other findings")
    ahead = median(told.ahead for told in samples.values())
    certain = max(abs(ahead) - max(told.margin for told in samples.values()), 0.0)
    servers = ", ".join(sorted(samples))
    figures = {f"ahead_{name}": round(told.ahead, 3) for name, told in samples.items()}
    if certain <= UNUSUAL:
        return ok(SUBJECT, f"within a second or two of {servers}", **figures)
    found = f"{abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} {servers}"
    if certain <= HARMFUL:
        return warning(SUBJECT, found, ADVICE, **figures)
    return problem(SUBJECT, found, ADVICE, **figures)
