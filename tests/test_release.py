"""`make release` notices files that are not one release, and prints what has changed in it."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import ROOT, module

CHANGELOG = """# Changelog

## [Unreleased]

- Later.

## [1.2.0] - 2026-11-01

- This.

### Fixed

- That.

## [1.1.0]

- Before.
"""


@pytest.fixture(scope="module")
def release() -> ModuleType:
    return module(ROOT / ".ci" / "release.py")


def test_the_section_is_that_of_the_version_or_of_what_has_none_yet(release: ModuleType) -> None:
    """Up to the next version's heading."""
    told = release.section(CHANGELOG, "1.2.0")
    assert told.startswith("## [1.2.0] - 2026-11-01")
    assert told.endswith("- That.")
    assert release.section(CHANGELOG, "1.3.0") == "## [Unreleased]\n\n- Later."


def test_a_file_of_another_version_and_a_missing_one_are_named(release: ModuleType, tmp_path: Path) -> None:
    """They would be uploaded together."""
    (tmp_path / "discordianai-1.2.0-py3-none-any.whl").touch()
    (tmp_path / "discordianai-1.1.0.tar.gz").touch()
    assert release.built(tmp_path, "1.2.0") == [
        f"discordianai-1.2.0.tar.gz is missing in {tmp_path}/",
        f"{tmp_path}/discordianai-1.1.0.tar.gz is not of version 1.2.0",
    ]


def test_the_page_of_the_package_has_no_link_that_leads_nowhere(release: ModuleType) -> None:
    """An index shows it without the repository around it."""
    page = (ROOT / "PACKAGE.md").read_text(encoding="utf-8")
    assert "](" not in page.replace("](https://", "")
