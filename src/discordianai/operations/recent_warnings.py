"""The newest warnings and errors of the log, for the status page."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

KEPT = 20
LONGEST = 300
"""Characters of a text that are kept."""


@dataclass(frozen=True, slots=True)
class LoggedWarning:
    """`time` is in seconds since the epoch; `text` is the event alone, without values or a traceback."""

    time: float
    level: str
    logger: str
    text: str


class RecentWarnings(logging.Handler):
    """Keeps the newest ones of the bot's own; what libraries say may have addresses in it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._latest: deque[LoggedWarning] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`; called in whichever thread logs."""
        if record.name.partition(".")[0] != "discordianai":
            return
        event = record.msg.get("event", "") if isinstance(record.msg, dict) else record.getMessage()
        level = record.levelname.lower()
        self._latest.append(LoggedWarning(record.created, level, record.name, str(event)[:LONGEST]))

    @property
    def latest(self) -> Sequence[LoggedWarning]:
        """The newest first."""
        return tuple(self._latest)[::-1]


@contextmanager
def recent_warnings() -> Iterator[RecentWarnings]:
    """Keep them while the block runs; `logs.configure` leaves this handler in its place."""
    handler = RecentWarnings()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
