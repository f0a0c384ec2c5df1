"""How long to wait between tries: longer after each failure, and short again after a success that lasted."""

import random
import time
from collections.abc import Callable

HEALTHY_AFTER = 120.0
"""Seconds that a connection must have lasted for its loss to count as the first failure again."""

JITTER = 0.25
"""The largest fraction added to a gap at random, so that many bots do not return at the same moment."""


class Backoff:
    """Tries are `least` seconds apart after a success; after failures `step`, twice that, up to `longest`.

    Gaps are measured from the beginning of one try to that of the next. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        least: float,
        step: float,
        longest: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._least, self._step, self._longest = least, step, longest
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, protects nothing
        self._begun = self._earliest = -float("inf")
        self._established: float | None = None
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many tries in a row have failed, or succeeded only briefly."""
        return self._failures

    def delay(self) -> float:
        """Seconds until the next try may begin."""
        return max(self._earliest - self._clock(), 0.0)

    def begin(self) -> None:
        """A try begins."""
        self._begun = self._clock()
        self._earliest = self._begun + self._least

    def establish(self) -> None:
        """The try has succeeded. `lose` judges by how long that has lasted."""
        self._established = self._clock()

    def lose(self, extra: float = 0.0) -> None:
        """The try has failed, or its connection is lost. The next one waits `extra` seconds longer."""
        now = self._clock()
        lasted = now - self._established if self._established is not None else 0.0
        self._established = None
        self._failures = 0 if lasted >= HEALTHY_AFTER else self._failures + 1
        self._earliest = max(self._begun + self._gap(), now) + extra

    def hold(self, seconds: float) -> None:
        """Do not begin the next try within so many seconds."""
        self._earliest = max(self._earliest, self._clock() + seconds)

    def _gap(self) -> float:
        if not self._failures:
            return self._least
        gap = min(self._step * 2.0 ** min(self._failures - 1, 16), self._longest)
        return gap * (1.0 + self._chance.uniform(0.0, JITTER))
