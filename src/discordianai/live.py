"""Options that may change while the bot runs, and whoever has to know of it."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, TypeVar

T = TypeVar("T")
Part = TypeVar("Part")


class Live(Generic[T]):
    """Holds options: `now` has those of the moment. Whoever is given this cannot miss a change.

    What is held is frozen, and is exchanged by one assignment: any thread may read `now`. Read it where it is
    needed, each time; what follows from several options is read from one `now`.
    """

    def __init__(self, now: T) -> None:
        self._now = now
        self._followers: list[Callable[[T], object]] = []

    @property
    def now(self) -> T:
        """The options of this moment."""
        return self._now

    def reconfigure(self, options: T) -> None:
        """Have these from now on, and tell all that follow, in the order in which they came."""
        if options == self._now:
            return
        self._now = options
        with ExitStack() as told:  # all are, whatever one of them raises
            for follower in reversed(self._followers):
                told.callback(follower, options)

    def part(self, select: Callable[[T], Part]) -> "Live[Part]":
        """What `select` makes of the options, of these and of all that come later."""
        part = Live(select(self._now))
        self._followers.append(lambda options: part.reconfigure(select(options)))
        return part

    def follow(self, reconfigure: Callable[[T], object]) -> None:
        """Call this with the options whenever they have changed: for what was made by them, as a pool is.

        It is called where `reconfigure` is: on the trio thread. It returns at once, and raises nothing.
        """
        self._followers.append(reconfigure)
