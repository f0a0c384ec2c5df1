"""`python -m discordianai` where it cannot run at all."""

import subprocess
import sys
from pathlib import Path

OLDER = """
import runpy, sys
sys.version_info = (3, 9, 2, "final", 0)
sys.version = "3.9.2 (default)"
runpy.run_module("discordianai", run_name="__main__")
"""


def run(program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_older_python_is_told_which_one_is_needed(tmp_path: Path) -> None:
    """Before anything is imported that it cannot read."""
    done = run(OLDER, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "DiscordianAI needs Python 3.11 or newer, and this is 3.9.2: install a newer"
    )
    assert len(done.stderr.splitlines()) == 1
