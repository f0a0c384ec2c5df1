"""The diagrams are made of their sources."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SOURCES = sorted((ROOT / "docs" / "diagrams").glob("*.dot"))


def words(svg: str) -> list[str]:
    """Every text in a picture."""
    return [html.unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_diagram_says_what_its_source_says(source: Path) -> None:
    """Whoever changes one runs `make diagrams`; nothing is loaded from elsewhere."""
    svg = (ROOT / "docs" / f"{source.stem}.svg").read_text(encoding="utf-8")
    labels = re.findall(r'label="([^"]*)"', source.read_text(encoding="utf-8"))
    lines = [line.strip() for label in labels for line in label.split("\\n")]
    assert sorted(words(svg)) == sorted(lines)
    assert "<image" not in svg
    assert "<script" not in svg


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_the_sources_can_be_drawn(source: Path) -> None:
    """Without a warning."""
    command = [shutil.which("dot") or "", "-Tsvg", str(source)]
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603  # graphviz
    assert drawn.stderr == ""
