"""Requests that Discord is known to refuse, by channel and kind: for a while they are not sent again."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from discordianai.discord.messages.port import MessageRefused, MessagesBusy, NotPermitted

REFUSED_FOR = 300.0
"""Seconds for which a 403 is remembered, for a channel and a kind of call; permissions are seldom changed."""

FILTERED = frozenset({200000, 200001, 240000})
"""Error codes of what AutoMod and Discord's filter find in the words of a message."""

ABOUT_ONE_MESSAGE = FILTERED | {50005}
"""Those of refusals that say nothing about other messages: also of one that is somebody else's."""

NOT_PERMITTED = frozenset({50001, 50013})
"""Error codes of a missing permission: to see the channel, or another one."""

MOST_REFUSALS = 1_000

LONGEST_PAUSE = 15.0
"""Seconds. Discord's buckets refill within five; a longer wait is that of a kind of call, and is remembered
for it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of request: `kind` in one channel is refused as a whole. None where no channel is involved.

    It is closed for a while in one channel, or at one interaction.
    """

    kind: str
    channel_id: int | None = None
    as_bot: bool = True
    interaction_id: int | None = None

    @property
    def place(self) -> int | None:
        """Where it is closed as a whole."""
        return self.channel_id or self.interaction_id


class RefusedCalls:
    """`remember`, `close` and `forget` may be called on any thread. `clock` is that of the limits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refusals: dict[tuple[str, int], tuple[float, str, type[MessageRefused]]] = {}
        self._closed: dict[tuple[str, int], float] = {}
        self.spared = 0
        """Requests that were not sent because of a 403."""

    def remember(self, call: Call, reason: str, code: object) -> None:
        """Discord answered 403 with this error code, unless that is about the one message alone."""
        if call.channel_id is None or (isinstance(code, int) and code in ABOUT_ONE_MESSAGE):
            return
        now = self._clock()
        with self._lock:
            if len(self._refusals) >= MOST_REFUSALS:
                self._refusals = {key: kept for key, kept in self._refusals.items() if kept[0] > now}
            while len(self._refusals) >= MOST_REFUSALS:
                self._refusals.pop(next(iter(self._refusals)))
            kind = NotPermitted if isinstance(code, int) and code in NOT_PERMITTED else MessageRefused
            self._refusals[call.kind, call.channel_id] = now + REFUSED_FOR, reason, kind

    def close(self, call: Call, wait: float | None) -> None:
        """Discord accepts none for so many seconds, if that is longer than a bucket takes."""
        if wait is None or wait <= LONGEST_PAUSE or call.place is None:
            return
        now = self._clock()
        with self._lock:
            if len(self._closed) >= MOST_REFUSALS:
                self._closed = {key: until for key, until in self._closed.items() if until > now}
            if len(self._closed) < MOST_REFUSALS:
                self._closed[call.kind, call.place] = now + wait

    def check(self, call: Call) -> None:
        """Raises `MessageRefused` where a request of that kind is known to be refused there.

        And `MessagesBusy` where it is known for how long it will be.
        """
        if call.place is None:
            return
        now, key = self._clock(), (call.kind, call.place)
        until, reason, kind = self._refusals.get(key, (-math.inf, "", MessageRefused))
        if now < until:
            self.spared += 1
            raise kind(f"{reason}, a short while ago")
        if now < (closed_until := self._closed.get(key, -math.inf)):
            raise MessagesBusy("Discord accepts no such request there for now", closed_until - now)

    def forget(self, changed: Callable[[int], bool] = lambda _: True) -> None:
        """Permissions have changed in these channels, or anywhere."""
        with self._lock:
            self._refusals = {key: kept for key, kept in self._refusals.items() if not changed(key[1])}
