"""A channel and what is above it: a list that names a category covers its channels, and their threads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lineage:
    """Ids from the channel upwards: a thread's channel, a category.

    Where it is not `complete`, there may be more above that is not known.
    """

    ids: tuple[int, ...] = ()
    complete: bool = False


UNKNOWN = Lineage()
"""Nothing is known."""
