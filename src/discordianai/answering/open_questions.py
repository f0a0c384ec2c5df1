"""How many questions are open, and how the others ended.

Counted on both threads: the listener's admits a question, trio's finishes it.
"""

import threading
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated

import trio

from discordianai.dispatch.options import UserRateOptions
from discordianai.metric import Metric
from discordianai.option import Live

CROWD = 25
"""More questions than this waiting to be acknowledged are a burst. Discord takes 0.1 s for all of them."""

GIVE_WAY = 2.0
"""Seconds that answers wait for a burst to be acknowledged. Discord drops a command after three."""


class AdmissionDenied(Enum):
    """Why a question is not admitted."""

    STOPPING = "the bot is stopping"
    FULL = "too many questions are open"
    PERSON_FULL = "this person has too many questions open"


class OpenQuestions:
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

    def admit(self, person_id: int) -> AdmissionDenied | None:
        """Open one question of this person, from any thread; or say why not."""
        with self._lock:
            if self._closed:
                return AdmissionDenied.STOPPING
            if self._open[person_id] >= self._user.now.most_open:
                return AdmissionDenied.PERSON_FULL
            if self._total >= self._capacity:
                return AdmissionDenied.FULL
            self._open[person_id] += 1
            self._total += 1
            self._unacknowledged += 1
            return None

    def settle(self) -> None:
        """An admitted question is acknowledged, or never will be; call on the trio thread."""
        with self._lock:
            self._unacknowledged -= 1
        if self._unacknowledged <= CROWD:
            self._calm.set()

    def take_back(self, person_id: int) -> None:
        """A question that was just admitted is abandoned; call from any thread."""
        with self._lock:
            self._unacknowledged -= 1
        self.release(person_id)

    async def give_way(self) -> None:
        """Wait while a burst is about to be acknowledged: answers would take the time that this needs.

        Without, of 500 commands in one moment up to 289 are too late for Discord on a busy machine.
        """
        if self._unacknowledged > CROWD:
            if self._calm.is_set():
                self._calm = trio.Event()
            with trio.move_on_after(GIVE_WAY):
                await self._calm.wait()

    def readmit(self, person_id: int) -> None:
        """Open a question that an earlier process admitted: it is counted, but never refused."""
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


@dataclass(frozen=True, slots=True)
class QuestionStatistics:
    """A snapshot: `open` questions are being answered or waiting, the others are totals since the start."""

    open: Annotated[int, Metric("questions_open", "Questions accepted and not yet finished")] = 0
    answered: Annotated[int, Metric("questions_answered_total", "Questions finished")] = 0
    unprotected: Annotated[
        int,
        Metric(
            "questions_unprotected_total", "Questions not stored, which a crash would have lost", notable=True
        ),
    ] = 0
    replayed: Annotated[
        int, Metric("questions_replayed_total", "Questions delivered twice and dropped the second time")
    ] = 0


class QuestionCounter:
    """May be called on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = QuestionStatistics()

    def answered(self) -> None:
        """One is finished."""
        with self._lock:
            self._counted = replace(self._counted, answered=self._counted.answered + 1)

    def unprotected(self) -> None:
        """One is acknowledged, although it is not stored."""
        with self._lock:
            self._counted = replace(self._counted, unprotected=self._counted.unprotected + 1)

    def replayed(self) -> None:
        """One came a second time."""
        with self._lock:
            self._counted = replace(self._counted, replayed=self._counted.replayed + 1)

    def now(self, open_: int) -> QuestionStatistics:
        """A snapshot, with so many questions open."""
        return replace(self._counted, open=open_)
