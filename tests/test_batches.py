"""See `batches`: what failed in a worker is found again by `make test-failed`."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.xdist_group("of one bot")
def test_in_a_group():
    {}

@pytest.mark.parametrize("name", ["someone@example.org"])
def test_with_an_odd_id(name):
    {}

def test_that_passes():
    pass
"""


DISTRIBUTED = ("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder")
AGAIN = ("--last-failed", "--last-failed-no-failures=none")


def pytest_in(folder: Path, *arguments: str) -> str:
    """What a pytest of its own tells that runs the tests of a folder."""
    plugins = ("-p", "tests.batches", "-p", "no:hypothesispytest", "-p", "no:trio")
    done = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-m", "pytest", *plugins, "-q", "--rootdir", str(folder), *arguments, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_what_failed_in_a_group_is_run_again_by_itself(tmp_path: Path) -> None:
    """Alone, or beside one of no group."""
    tests = tmp_path / "test_some.py"
    tests.write_text(TESTS.format("assert 0", "assert 0"))
    assert "2 failed, 1 passed" in pytest_in(tmp_path, *DISTRIBUTED)
    told = pytest_in(tmp_path, *AGAIN)
    assert "2 failed" in told
    assert "passed" not in told
    tests.write_text(TESTS.format("assert 0", "pass"))
    assert "1 failed, 2 passed" in pytest_in(tmp_path, *DISTRIBUTED)
    told = pytest_in(tmp_path, *AGAIN)
    assert "1 failed" in told
    assert "passed" not in told
