"""What the tests of the checks share."""

from collections.abc import Iterable

from discordianai.operations.checks.findings import CheckStatus, Finding


def about(findings: Iterable[Finding], subject: str) -> Finding:
    """The one finding about that."""
    found = [finding for finding in findings if finding.subject == subject]
    assert len(found) == 1, f"{subject}: {findings}"
    return found[0]


def subjects(findings: Iterable[Finding], *verdicts: CheckStatus) -> set[str]:
    """What was found to be like that."""
    return {finding.subject for finding in findings if finding.verdict in verdicts}


def everything(findings: Iterable[Finding]) -> str:
    """All that is told, for looking whether a secret is in it."""
    return repr(list(findings))
