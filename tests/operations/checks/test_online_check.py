"""A question has an end, and its failure is a finding."""

import trio
import trio.testing

from discordianai.operations.checks.findings import CheckStatus, Finding, ok
from discordianai.operations.checks.online_check import Tell, bounded


async def test_what_hangs_is_told_after_its_time_and_what_was_told_before_stays(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(tell: Tell) -> None:
        tell(ok("it", "began"))
        await trio.sleep_forever()

    findings: list[Finding] = []
    await bounded("it", 7.0, hang, findings.append)
    assert trio.current_time() == 7.0
    assert [finding.verdict for finding in findings] == [CheckStatus.OK, CheckStatus.PROBLEM]
    assert findings[1].found == "no answer within 7 s"


async def test_what_raises_is_told_by_the_kind_of_its_error_alone() -> None:
    async def fail(_tell: Tell) -> None:
        raise KeyError("a secret word of an answer")

    findings: list[Finding] = []
    await bounded("it", 7.0, fail, findings.append)
    assert [finding.found for finding in findings] == ["the response was not understood: KeyError"]
