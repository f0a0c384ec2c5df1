"""The installed bot beside services that misbehave; the scenes are those of the end-to-end tests."""

from tests.end_to_end.conftest import logs_are_discreet, stage

__all__ = ["logs_are_discreet", "stage"]
