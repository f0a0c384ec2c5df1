"""The page on security names tests that are there, and each promise has one."""

import re

from tests.docs.pages import ROOT

NAMED = re.compile(r"`((?:tests/(?:\w+/)*)?test_\w+\.py)(?:::(test_\w+))?`")
PAGE = ROOT / "docs" / "security.md"


def section(heading: str) -> str:
    """What stands below that heading, up to the next one."""
    return PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_each_test_that_the_page_names_is_there() -> None:
    """By its file, in `tests/hostile/` unless it says another folder, and by its function."""
    named = NAMED.findall(PAGE.read_text())
    assert len(named) > 80
    for path, function in named:
        file = ROOT / (path if "/" in path else f"tests/hostile/{path}")
        assert file.exists(), path
        assert not function or re.search(rf"^(?:async )?def {function}\(", file.read_text(), re.MULTILINE), (
            path,
            function,
        )


def test_the_page_names_each_hostile_test() -> None:
    """So that the table is whole."""
    page = PAGE.read_text()
    for file in (ROOT / "tests" / "hostile").glob("test_*.py"):
        for function in re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(), re.MULTILINE):
            assert f"`{file.name}::{function}`" in page


def test_each_promise_has_a_test_and_each_security_test_a_promise() -> None:
    """The table and `tests/security/` are equal."""
    table = section("What each promise is checked by")
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 36
    for row in rows:
        assert NAMED.search(row), row
    for file in (ROOT / "tests" / "security").glob("test_*.py"):
        assert f"`tests/security/{file.name}" in table, file.name
