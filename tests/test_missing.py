"""`make test PYTHON=...` with an interpreter that has nothing says what it lacks."""

import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_an_interpreter_without_the_packages_is_told_in_one_line(tmp_path: Path) -> None:
    """Which it lacks and what helps, and nothing of pytest's or a traceback."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    done = subprocess.run(  # noqa: S603  # our own
        ["make", "--no-print-directory", "test", f"PYTHON={python}"],  # noqa: S607  # as it is typed
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    told, make = done.stderr.splitlines()
    assert told.startswith(f"{python} cannot run the tests: it lacks trio, anyio, httpx, ")
    assert ", pytest-xdist, " in told
    assert "`make install PYTHON=...`" in told
    assert make.startswith("make: ***")
