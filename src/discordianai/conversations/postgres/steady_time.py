"""Whether the server's clock has gone on steadily, so that it tells which leases have ended.

All leases end at once while the server stands still or is away for some seconds, or when its clock is put
forward. Those who hold them live, and renew them in a moment; whoever is the first to be back must not take
their questions before that. So a process judges leases only as long as it could renew its own in time, and
after a gap not before the others have had the time of a lease to renew theirs.
"""

import math

from discordianai.conversations.postgres import processes_table

GAP = 2 / 3
"""Of a lease: after a shorter gap all leases that were renewed in time are still valid."""


class SteadyTime:
    """On the trio thread. All times are the server's, in seconds since the epoch."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._last: float | None = None

    def note(self, at: float) -> None:
        """This process renewed its own lease at that time. A process that begins has no gap behind it."""
        if self._last is not None and not 0 <= at - self._last <= GAP * processes_table.LEASE:
            self._since = at
        self._last = at

    def interrupt(self) -> None:
        """The server was away: what was before says nothing about the time that comes."""
        self._last = -math.inf

    @property
    def trusted_until(self) -> float:
        """Until when leases may be judged; a time long ago where they may not be yet."""
        if self._last is None or not self._last - self._since >= processes_table.LEASE:
            return 0.0
        return self._last + GAP * processes_table.LEASE
