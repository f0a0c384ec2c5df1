"""How the long runs judge what they have seen."""

import pytest

from benchmarks.discord_streams import behind
from benchmarks.harness import Report
from benchmarks.soak import Result, early_and_late, show


def test_a_screen_is_as_far_behind_as_its_oldest_unseen_token_is_old() -> None:
    """Looked at just before each edit; a screen that shows all that was sent is not behind."""
    sent = [10.0, 11.0, 12.0]
    late = behind(sent, [(10.5, 1), (14.0, 3), (20.0, 3)])
    assert max(late) == pytest.approx(3.0)
    assert late[-1] == 0.0


def test_early_figures_are_taken_when_all_is_warm() -> None:
    """The second sixth, not the first, beside the last."""
    samples = [1.0] * 30 + [100.0] * 30 + [500.0] * 90 + [110.0] * 30
    assert early_and_late(samples) == (100.0, 110.0)
    assert early_and_late([7.0]) == (7.0, 7.0)


@pytest.mark.parametrize(
    ("late", "files", "status", "missed"),
    [(104.0, 44.0, 0, 0), (106.0, 44.0, 0, 1), (104.0, 50.0, 0, 1), (104.0, 44.0, -9, 1)],
)
def test_a_run_fails_by_growth_and_by_its_end(late: float, files: float, status: int, missed: int) -> None:
    """Memory by a twentieth, descriptors by so much and a few more, or an exit status."""
    result = Result(memory=[100.0, 100.0, late], files=[38.0, 38.0, files], status=status)
    report = Report()
    show(report, result, flat=True)
    assert len(report.missed) == missed


def test_what_was_lost_and_what_nobody_explains_fail_a_run() -> None:
    """Each with its line."""
    result = Result(memory=[1.0], files=[1.0], status=0, lost=["lost: a"], unexplained=["not explained: b"])
    report = Report()
    show(report, result, flat=False)
    assert report.finish() == 1
    assert report.missed == ["lost: a", "not explained: b"]
