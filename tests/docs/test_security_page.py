"""The page on security names tests that are there."""

import re

from tests.docs.pages import ROOT

NAMED = re.compile(r"`((?:tests/\w+/)?test_\w+\.py)(?:::(test_\w+))?`")


def test_each_test_that_the_page_names_is_there() -> None:
    """By its file, in `tests/hostile/` unless it says another folder, and by its function."""
    named = NAMED.findall((ROOT / "docs" / "security.md").read_text())
    assert len(named) > 15
    for path, function in named:
        file = ROOT / (path if "/" in path else f"tests/hostile/{path}")
        assert file.exists(), path
        assert not function or re.search(rf"^(?:async )?def {function}\(", file.read_text(), re.MULTILINE)


def test_the_page_names_each_hostile_test() -> None:
    """So that the table is whole."""
    page = (ROOT / "docs" / "security.md").read_text()
    for file in (ROOT / "tests" / "hostile").glob("test_*.py"):
        for function in re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(), re.MULTILINE):
            assert f"`{file.name}::{function}`" in page
