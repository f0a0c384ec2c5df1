"""The options of a pool, with their bounds."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

MAX_STREAMS = 8191
"""Stream windows, of 256 KiB each, that fit into the largest window of a connection."""

Connections = Annotated[int, Ge(1), Le(1000), ("open connections, and requests in flight", True)]
KeptConnections = Annotated[int, Ge(0), Le(1000), ("idle connections to keep; at most max_connections", True)]


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """See `MultiplexedTransport`. Raises `ValueError`.

    Beside the bounds of each stands what it means, and where it is True, that `reconfigure` changes it: plain
    metadata, for whoever makes settings of them.
    """

    max_connections: Connections = 50
    max_keepalive: KeptConnections = 10
    keepalive_expiry: Annotated[
        float | None, Ge(0), Lt(math.inf), ("seconds that an idle connection is kept open",)
    ] = 60.0
    streams_per_connection: Annotated[
        int,
        Ge(1),
        Le(MAX_STREAMS),
        ("requests that share a connection before another is opened",),
    ] = 10
    ping_interval: Annotated[
        float,
        Gt(0),
        Lt(math.inf),
        ("seconds without data on a busy connection before a PING is sent",),
    ] = 15.0
    ping_timeout: Annotated[
        float, Gt(0), Lt(math.inf), ("seconds to wait for its answer before the connection ends",)
    ] = 5.0

    def __post_init__(self) -> None:
        for name, kind, bounds in _bounds():
            _check(name, getattr(self, name), kind, bounds)


Bound = Ge | Gt | Le | Lt


@cache
def _bounds() -> tuple[tuple[str, object, tuple[Bound, ...]], ...]:
    """Of each option."""
    hints = get_type_hints(PoolOptions, include_extras=True)
    return tuple(
        (name, hint.__origin__, tuple(mark for mark in hint.__metadata__ if isinstance(mark, Bound)))
        for name, hint in hints.items()
    )


def _check(name: str, value: object, kind: object, bounds: tuple[Bound, ...]) -> None:
    if value is None and kind is not int and kind is not float:
        return
    if not isinstance(value, int if kind is int else int | float):
        raise ValueError(f"{name} should be a {'whole ' if kind is int else ''}number")
    for bound in bounds:
        match bound:
            case Ge(int() as least) if not value >= least:
                words = f"at least {least}"
            case Gt(int() as least) if not value > least:
                words = f"more than {least}"
            case Le(int() as most) if not value <= most:
                words = f"at most {most}"
            case Lt(float() as most) if not value < most:
                words = f"less than {most}"
            case _:
                continue
        raise ValueError(f"{name} should be {words}")
