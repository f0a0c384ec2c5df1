"""The targets of make that measure something."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"python -m (benchmarks\.\S+)(.*)", (ROOT / "Makefile").read_text())


@pytest.mark.parametrize(("module", "arguments"), COMMANDS, ids=lambda part: part.strip() or "-")
def test_a_benchmark_says_what_it_measures(
    module: str, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its module is there and takes these options; `--help` names the baseline and what is required."""
    options = shlex.split(re.sub(r"\$\(\w+\)", "", arguments))
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main([*options, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--quick" in shown
    assert "Compared to: " in shown
    assert "Required" in shown


def test_every_benchmark_is_a_target() -> None:
    """Those with a command line; the others are parts of them."""
    programs = {
        f"benchmarks.{path.stem}"
        for path in (ROOT / "benchmarks").glob("*.py")
        if "def main(arguments" in path.read_text()
    }
    assert programs == {module for module, _ in COMMANDS}
