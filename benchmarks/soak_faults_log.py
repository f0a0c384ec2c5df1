"""Why each warning of `make soak` is expected. One that is not in this table fails the run."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

EXPECTED: dict[str, str] = {
    "the provider failed": "an answer ended with a fault that no other try or provider could help",
    "asking the other provider": "one provider failed before it had said anything: the other one answers",
    "circuit breaker opened": "an outage, or so many faults at once that half of the answers failed",
    r"POST /interactions/\S+/callback Received 5\d\d\.\.\. retrying in \d+ seconds": (
        "Discord 5xx for an acknowledgement: the library sends it again, within Discord's three seconds"
    ),
    r"Shard ID \d+ \| Gateway invalidated session\. Reconnecting\.\.\.": (
        "the gateway was dropped and its session forgotten: the library begins another one"
    ),
}
"""Why each event is expected, by its pattern, which fits all of it."""

GRAVE = {"warning", "error", "critical"}


@dataclass
class Warnings:
    """Counts by level and event; `strange` are the lines that nothing explains."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)


def read(log: Path) -> Warnings:
    """All that is graver than INFO, and every line that is no event at all."""
    warnings = Warnings()
    with log.open(errors="replace") as lines:
        for line in lines:
            _read_line(line, warnings)
    return warnings


def _read_line(line: str, warnings: Warnings) -> None:
    try:
        entry = json.loads(line)
        level, event = entry["level"], str(entry["event"])
    except (ValueError, KeyError, TypeError):
        warnings.strange.append(line.rstrip())
        return
    if level not in GRAVE:
        return
    pattern = next((known for known in EXPECTED if re.fullmatch(known, event)), None)
    name = pattern or event.splitlines()[0]
    warnings.counts[level, name] += 1
    if "reason" in entry:
        warnings.reasons[name, re.sub(r"\d+", "N", str(entry["reason"]))] += 1
    if pattern is None:
        warnings.strange.append(line.rstrip()[:2000])
