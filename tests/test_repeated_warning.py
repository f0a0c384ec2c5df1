"""What may come very often is one line at WARNING for each subject."""

import structlog
from structlog.testing import capture_logs

from discordianai.repeated_warning import RepeatedWarning


def test_each_subject_is_a_warning_once_and_its_repetitions_are_not_lost() -> None:
    structlog.reset_defaults()  # the suite's own logging leaves out DEBUG
    warning = RepeatedWarning(structlog.get_logger(), "it happened")
    with capture_logs() as logs:
        for subject in ("a", "a", "b", "a"):
            warning.note(subject, to=subject)
    levels = [(log["log_level"], log["to"]) for log in logs]
    assert levels == [("warning", "a"), ("debug", "a"), ("warning", "b"), ("debug", "a")]
    assert {log["event"] for log in logs} == {"it happened"}
