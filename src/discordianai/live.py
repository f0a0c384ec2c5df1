"""Options that may change while the bot runs, and those that follow the changes."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, TypeVar

T = TypeVar("T")
Part = TypeVar("Part")


class Live(Generic[T]):
    """Holds the current options in `now`. Whoever holds a `Live` cannot miss a change.

    The options are frozen and replaced by one assignment, so any thread may read `now`. Read it each time it
    is needed; take several options that belong together from one `now`.
    """

    def __init__(self, now: T) -> None:
        self._now = now
        self._followers: list[Callable[[T], object]] = []

    @property
    def now(self) -> T:
        """The current options."""
        return self._now

    def reconfigure(self, options: T) -> None:
        """Replace the options, and notify the followers in the order in which they registered."""
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
