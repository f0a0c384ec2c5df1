"""When to try again: never soon after the last try, and ever later while the tries fail."""

import random
import time
from collections.abc import Callable

HEALTHY_AFTER = 120.0
"""Seconds for which what a try brought must have lasted, for the next failure to count as the first one."""

JITTER = 0.25
"""A gap is longer by up to this part of it: many bots do not return as one."""


class Backoff:
    """Two tries are `least` seconds apart after a success; after failures `step`, twice that, to `longest`.

    The gaps are counted from the beginning of a try. `clock` tells monotonic seconds.
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
        """How many tries in a row have failed, or brought what did not last."""
        return self._failures

    def wait(self) -> float:
        """Seconds until the next try may begin."""
        return max(self._earliest - self._clock(), 0.0)

    def begin(self) -> None:
        """A try begins."""
        self._begun = self._clock()
        self._earliest = self._begun + self._least

    def establish(self) -> None:
        """The try has succeeded; how long that lasts tells when it is lost."""
        self._established = self._clock()

    def lose(self, extra: float = 0.0) -> None:
        """The try has failed, or what it brought is lost. The next one waits for `extra` seconds more."""
        now = self._clock()
        lasted = now - self._established if self._established is not None else 0.0
        self._established = None
        self._failures = 0 if lasted >= HEALTHY_AFTER else self._failures + 1
        self._earliest = max(self._begun + self._gap(), now) + extra

    def hold(self, seconds: float) -> None:
        """The next try does not begin within these."""
        self._earliest = max(self._earliest, self._clock() + seconds)

    def _gap(self) -> float:
        if not self._failures:
            return self._least
        gap = min(self._step * 2.0 ** min(self._failures - 1, 16), self._longest)
        return gap * (1.0 + self._chance.uniform(0.0, JITTER))
