"""How many questions are open, counted on both threads: admitted by the listener, finished by trio."""

import threading
from collections import Counter
from enum import Enum

import trio

from discordianai.dispatch.options import UserRateOptions
from discordianai.live import Live

CROWD = 25
"""Questions that wait to be acknowledged at once. Discord takes 0.1 s for all of them: it is a burst."""

GIVE_WAY = 2.0
"""Seconds that answers let a crowd be acknowledged first. Discord forgets who was not after three."""


class Denial(Enum):
    """Why a question is not admitted."""

    STOPPING = "the bot is stopping"
    FULL = "as many are open as may be"
    OWN_LINE_FULL = "this person has as many open as one may"


class Admissions:
    """Admits at most `capacity` questions at once, of one person what `user` allows, and none after `close`.

    The listener's thread admits before it acknowledges, so that nobody is acknowledged and then forgotten: a
    question is open from then on until trio has finished with it. Knows when the last is done.
    """

    def __init__(self, capacity: int, user: Live[UserRateOptions], token: trio.lowlevel.TrioToken) -> None:
        self._capacity = capacity
        self._user = user
        self._token = token
        self._lock = threading.Lock()
        self._open: Counter[int] = Counter()
        self._total = 0
        self._unacknowledged = 0
        self._closed = False
        self._idle = trio.Event()
        self._calm = trio.Event()

    @property
    def open(self) -> int:
        """Questions admitted and not yet finished."""
        return self._total

    @property
    def closed(self) -> bool:
        """Whether no more are admitted, because the bot is stopping."""
        return self._closed

    def admit(self, person_id: int) -> Denial | None:
        """Open one question of this person, from any thread; or say why not."""
        with self._lock:
            if self._closed:
                return Denial.STOPPING
            if self._open[person_id] >= self._user.now.most_open:
                return Denial.OWN_LINE_FULL
            if self._total >= self._capacity:
                return Denial.FULL
            self._open[person_id] += 1
            self._total += 1
            self._unacknowledged += 1
            return None

    def settle(self) -> None:
        """One that was admitted is acknowledged, or will never be; call on the trio thread."""
        with self._lock:
            self._unacknowledged -= 1
        if self._unacknowledged <= CROWD:
            self._calm.set()

    def take_back(self, person_id: int) -> None:
        """One that was just admitted comes to nothing; from any thread."""
        with self._lock:
            self._unacknowledged -= 1
        self.release(person_id)

    async def give_way(self) -> None:
        """Wait while a crowd is about to be acknowledged: an answer would take the time that this needs.

        Without, of 500 commands in one moment up to 289 are too late for Discord on a busy machine.
        """
        if self._unacknowledged > CROWD:
            if self._calm.is_set():
                self._calm = trio.Event()
            with trio.move_on_after(GIVE_WAY):
                await self._calm.wait()

    def readmit(self, person_id: int) -> None:
        """Open one that a former process had admitted: it counts, and is not refused."""
        with self._lock:
            self._open[person_id] += 1
            self._total += 1

    def release(self, person_id: int) -> None:
        """Finish a question that was admitted, from any thread."""
        with self._lock:
            self._total -= 1
            self._open[person_id] -= 1
            if not self._open[person_id]:
                del self._open[person_id]
            finished = self._closed and not self._total
        if finished:
            self._token.run_sync_soon(self._idle.set)

    def close(self) -> None:
        """Admit no more; call on the trio thread."""
        with self._lock:
            self._closed = True
            finished = not self._total
        if finished:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Return when the bot is stopping and every question is finished. The caller bounds the wait."""
        await self._idle.wait()
