"""Counts questions, on trio and on the listener's thread."""

import threading
from dataclasses import dataclass, replace
from typing import Annotated

from discordianai.metric import Metric


@dataclass(frozen=True, slots=True)
class QuestionStatistics:
    """One moment of it: `open` ones are in work or wait, the others are totals since the start."""

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
        """This moment, in which so many are open."""
        return replace(self._counted, open=open_)
