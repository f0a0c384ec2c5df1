"""Limits the effect of a bug to the piece of work that it occurs in."""

from contextlib import suppress
from types import TracebackType
from typing import Self

from structlog.typing import FilteringBoundLogger


class Guard:
    """Suppresses an `Exception` of its block, and logs `event` with the traceback.

    Cancellation, and everything else that is not an `Exception`, passes through, even out of an exception
    group. A guard can be reused, for example for each iteration of a loop: it logs the same bug once, until a
    block succeeds.
    """

    def __init__(self, log: FilteringBoundLogger, event: str, **fields: object) -> None:
        self._log = log
        self._event = event
        self._fields = fields
        self._last: tuple[object, ...] | None = None

    @property
    def failed(self) -> bool:
        """Whether the last block raised."""
        return self._last is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        bug, rest = _split(error)
        if bug is None:
            self._last = None
            return False
        last, self._last = self._last, _place(bug)
        if self._last != last:
            self._tell(bug)
        if rest is not None:
            raise rest
        return True

    def _tell(self, bug: Exception) -> None:
        try:
            self._log.error(self._event, exc_info=bug, **self._fields)
        except Exception:  # its text cannot be made, for instance
            with suppress(Exception):
                self._log.error(self._event, kind=type(bug).__name__)


def _split(error: BaseException | None) -> tuple[Exception | None, BaseException | None]:
    """The bugs in it, and what is none; either may be missing."""
    if isinstance(error, Exception):
        return error, None
    if isinstance(error, BaseExceptionGroup):
        return error.split(Exception)
    return None, error


def _place(bug: Exception) -> tuple[object, ...]:
    """What tells a bug from another one, without keeping what it holds."""
    traceback = bug.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return type(bug), traceback.tb_frame.f_code if traceback else None, traceback and traceback.tb_lineno
