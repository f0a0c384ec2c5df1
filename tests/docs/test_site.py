"""The site is built without a warning, and loads nothing from elsewhere.

Skipped where mkdocs is not installed: `make docs` installs it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

pytest.importorskip("mkdocs")
pytest.importorskip("material")

LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?((?:https?:)?//[^\"'> ]+)")


def test_it_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(  # noqa: S603  # our own
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) > 10
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert LOADED.findall(html) == []
        assert 'class="mermaid"' not in html  # the theme would load its script from elsewhere
    assert not list(tmp_path.rglob("*.py"))
    assert 'href="SECURITY.html"' in (tmp_path / "security.html").read_text()
