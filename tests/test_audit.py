"""`make audit` never says that all is well when it could not ask."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    path = Path(__file__).parent.parent / ".ci" / "audit.py"
    spec = importlib.util.spec_from_file_location("audit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WELL = {"name": "trio", "version": "0.35.0", "vulns": []}
ILL = {"name": "h2", "version": "4.0", "vulns": [{"id": "CVE-1", "fix_versions": ["4.3"]}]}
SKIPPED = {"name": "anyio", "skip_reason": "not found"}
OURS = {"name": "discordianai", "skip_reason": "marked as editable"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([WELL, OURS], 0, "1 packages were asked about."),
        ([WELL, ILL], 1, "VULNERABLE: h2 4.0: CVE-1, mended in 4.3"),
        ([WELL, SKIPPED], 2, "NOT AUDITED: 1 of 2 packages. The first: not found"),
        ([ILL, SKIPPED], 1, "NOT AUDITED: 1 of 2"),
    ],
)
def test_the_status_tells_the_three_outcomes_apart(
    audit: ModuleType, packages: list[object], status: int, said: str
) -> None:
    verdict = audit.judge(json.dumps({"dependencies": packages}), "")
    assert verdict.status == status
    assert said in "\n".join(verdict.lines)


@pytest.mark.parametrize("answer", ["", "Traceback", "[]", "{}", "null"])
def test_a_service_that_could_not_be_asked_is_said(audit: ModuleType, answer: str) -> None:
    verdict = audit.judge(answer, "Traceback\nConnectionError: no such host\n")
    assert verdict.status == 2
    assert verdict.lines == (
        "NOT AUDITED: pip-audit could not ask its service: ConnectionError: no such host",
    )
