"""What becomes of a bug in the bookkeeping of a pool: requests fail, none is left to wait for ever.

Whoever calls (a connection's task, a deadline, the owner of another request) cannot know whom it concerns.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import httpx

from discordianai.transport.exchange import Exchange

log = logging.getLogger(__name__)

WHY = "a bug in the connection pool"


class RequestHolder(Protocol):
    """Keeps requests that wait."""

    def fail_waiting(self, why: str) -> None:
        """Fail all of them."""


K = TypeVar("K", bound=RequestHolder)
P = ParamSpec("P")


def contained(method: Callable[Concatenate[K, P], None]) -> Callable[Concatenate[K, P], None]:
    """For a method that others call: what it raises ends the requests that wait, and the one it was given."""

    @wraps(method)
    def call(self: K, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:
            log.exception(WHY)
            for argument in args:
                if isinstance(argument, Exchange):
                    argument.fail(httpx.ConnectError, WHY)
            self.fail_waiting(WHY)

    return call
