"""How far this machine's clock is off, by what servers say."""

from email.utils import formatdate

import pytest

from discordianai.operations.checks.clock import Sample, judge, sample
from discordianai.operations.checks.findings import CheckStatus

NOW = 1_700_000_000.0


def test_a_date_is_compared_with_the_middle_of_its_request() -> None:
    assert sample(formatdate(NOW + 100, usegmt=True), NOW - 2, NOW + 2) == Sample(100.5, 2.5)


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Nov 2023 00:00:00 GMT"])
def test_a_date_that_is_none_tells_nothing(date: str) -> None:
    assert sample(date, NOW, NOW) is None


@pytest.mark.parametrize(
    ("ahead", "margin", "verdict", "said"),
    [
        (0.5, 0.5, CheckStatus.OK, "within a second or two of discord"),
        (4.0, 3.5, CheckStatus.OK, "within"),  # the answer took so long that nothing is certain
        (4.0, 0.6, CheckStatus.WARNING, "4 s behind discord"),
        (-4.0, 0.6, CheckStatus.WARNING, "4 s ahead of discord"),
        (90.0, 0.6, CheckStatus.PROBLEM, "90 s behind discord"),
    ],
)
def test_only_what_is_certain_counts(ahead: float, margin: float, verdict: CheckStatus, said: str) -> None:
    finding = judge({"discord": Sample(ahead, margin)})
    assert finding.verdict is verdict
    assert finding.found.startswith(said)


def test_one_server_whose_clock_is_wrong_is_outvoted() -> None:
    told = {"discord": Sample(0.2, 0.5), "openai": Sample(500.0, 0.5), "perplexity": Sample(0.4, 0.5)}
    assert judge(told).verdict is CheckStatus.OK


def test_that_nobody_told_the_time_is_said() -> None:
    assert judge({}).verdict is CheckStatus.WARNING
