"""The targets of make that measure something."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"python -m (benchmarks\.\S+)(.*)", (ROOT / "Makefile").read_text())

DEFAULTS = dict(re.findall(r"^(\w+) \?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
"""Of make's variables, for those that a command line cannot do without."""


def run(module: str, *arguments: str) -> int:
    """The exit status of a command line that measures nothing."""
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(("module", "arguments"), COMMANDS, ids=lambda part: part.strip() or "-")
def test_a_benchmark_says_what_it_measures(
    module: str, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` names the baseline and what is required; the target's own options are known."""
    assert run(module, "--help") == 0
    shown = capsys.readouterr().out
    assert "--quick" in shown
    assert "Compared to: " in shown
    assert "Required" in shown
    options = shlex.split(re.sub(r"\$\((\w+)\)", lambda name: DEFAULTS.get(name[1], ""), arguments))
    assert run(module, *options, "--of-no-benchmark") == 2
    assert capsys.readouterr().err.endswith("unrecognized arguments: --of-no-benchmark\n")


def test_every_benchmark_is_a_target() -> None:
    """Those with a command line; the others are parts of them."""
    programs = {
        f"benchmarks.{path.stem}"
        for path in (ROOT / "benchmarks").glob("*.py")
        if "def main(arguments" in path.read_text()
    }
    assert programs == {module for module, _ in COMMANDS}
