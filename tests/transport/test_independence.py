"""The transport stands on its own."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import discordianai.transport

FOLDER = Path(discordianai.transport.__file__).parent
OURS = "discordianai"


def imported(module: Path) -> set[str]:
    """What it imports of ours, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name} imports relatively"
            names.add(node.module or "")
    return {name for name in names if name.partition(".")[0] == OURS}


@pytest.mark.parametrize("module", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_it_imports_nothing_of_ours_but_itself(module: Path) -> None:
    """So that it can be used, and tried, without the bot."""
    assert {
        name for name in imported(module) if not f"{name}.".startswith("discordianai.transport.")
    } == set()


ALONE = """
import sys, discordianai.transport
print([name for name in sys.modules if name.startswith("discordianai")])
print([name for name in ("trio", "structlog", "pydantic") if name in sys.modules])
"""


def test_importing_it_brings_no_other_package_of_ours_and_no_trio() -> None:
    """Who uses asyncio has nothing of trio loaded, and nothing that only the bot needs."""
    command = [sys.executable, "-c", ALONE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # fixed text
    ours, others = map(ast.literal_eval, done.stdout.splitlines())
    assert [name for name in ours if not f"{name}.".startswith("discordianai.transport.")] == [OURS]
    assert others == []
