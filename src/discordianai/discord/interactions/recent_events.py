"""Tells an event that comes twice: a shard may have two sessions for a while; a RESUME may repeat some."""

from collections import OrderedDict

KEPT = 10_000
"""Events; a bot in thousands of servers hears some hundreds in a minute."""


class RecentEvents:
    """The ids of the latest interactions and messages. On the listener's thread."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._ids: OrderedDict[int, None] = OrderedDict()

    def is_new(self, event_id: int) -> bool:
        """Whether this id has not come lately; it has from now on."""
        if event_id in self._ids:
            return False
        self._ids[event_id] = None
        if len(self._ids) > self._kept:
            self._ids.popitem(last=False)
        return True
