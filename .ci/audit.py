"""What `make audit` shows: the licences of everything that is installed, and its known vulnerabilities.

pip-audit asks a service. Where that does not answer, it may say of each package that it was skipped, find "No
known vulnerabilities" and end well: that is told apart here. Exit status: 0 all were asked about and none is
known to be vulnerable, 1 some are, 2 not all could be asked about.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROGRAM = "discordianai"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What pip-audit found out: lines for a person, and the exit status."""

    lines: tuple[str, ...]
    status: int


def main() -> int:
    """Print both lists."""
    needed = sorted(_needed(PROGRAM) - {PROGRAM})
    print(f"Licences of the {len(needed)} packages that the program needs:")
    print(_run("piplicenses", "--with-system", "--packages", *needed).stdout)
    with_postgres = sorted(_needed(f"{PROGRAM}[postgres]") - {PROGRAM, *needed})
    print("Licences of what it needs besides with a store on PostgreSQL:")
    print(_run("piplicenses", "--with-system", "--packages", *with_postgres).stdout)
    print("Licences of what tests, sandbox and this audit need besides:")
    others = PROGRAM, *needed, *with_postgres
    print(_run("piplicenses", "--with-system", "--ignore-packages", *others).stdout)
    asked = _run("pip_audit", "--local", "--skip-editable", "--format=json", "--progress-spinner=off")
    verdict = judge(asked.stdout, asked.stderr)
    print("\n".join(verdict.lines))
    return verdict.status


def judge(answer: str, errors: str) -> Verdict:
    """Read pip-audit's JSON, and what it wrote to stderr."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip().splitlines() or ["it said nothing"])[-1]
        return Verdict((f"NOT AUDITED: pip-audit could not ask its service: {last[:200]}",), 2)
    skipped = [package for package in packages if "skip_reason" in package and package["name"] != PROGRAM]
    audited = [package for package in packages if "skip_reason" not in package]
    lines = [
        f"VULNERABLE: {package['name']} {package['version']}: {flaw['id']}, {_remedy(flaw['fix_versions'])}"
        for package in audited
        for flaw in package["vulns"]
    ]
    if skipped:
        reason = skipped[0]["skip_reason"]
        lines.append(
            f"NOT AUDITED: {len(skipped)} of {len(skipped) + len(audited)} packages. The first: {reason}"
        )
    status = 1 if any(package["vulns"] for package in audited) else 2 if skipped else 0
    return Verdict((*lines, f"{len(audited)} packages were asked about."), status)


def _remedy(versions: Sequence[str]) -> str:
    return f"mended in {', '.join(versions)}" if versions else "not mended in any version yet"


def _needed(name: str) -> set[str]:
    """The package and all that it needs to run on this machine."""
    found: set[Requirement] = set()
    waiting = [Requirement(name)]
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            waiting += _requirements(package)
    return {canonicalize_name(package.name) for package in found}


def _requirements(package: Requirement) -> list[Requirement]:
    extras = package.extras or {""}
    named = map(Requirement, metadata.requires(package.name) or [])
    return [
        requirement
        for requirement in named
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
