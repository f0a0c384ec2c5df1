"""A warning that may come again and again."""

from structlog.typing import FilteringBoundLogger


class RepeatedWarning:
    """Logs `event` as a warning the first time for each subject, and at DEBUG from then on.

    Every subject is remembered: it is one of a few, such as the name of an event or a reason of our own.
    """

    def __init__(self, log: FilteringBoundLogger, event: str) -> None:
        self._log = log
        self._event = event
        self._logged: set[str] = set()

    def note(self, subject: str, **fields: object) -> None:
        """It has happened once more."""
        log = self._log.debug if subject in self._logged else self._log.warning
        self._logged.add(subject)
        log(self._event, **fields)
