"""The files, folders and sections that the pages name are there."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Shown, spans

NAMED = re.compile(r"(?:[\w.-]+/)*[\w-]+\.(?:py|json)|(?:[a-z_]\w*/)+(?=$)")
"""A module, perhaps with its folders, or a folder. Both may begin anywhere in the tree."""

WRITTEN = {"snapshot.json", "site/"}
"""What the commands on the pages write, so that it is in no checkout."""


def paths_named(piece: Shown) -> list[str]:
    text = piece.text.partition("::")[0]
    return [text] if NAMED.fullmatch(text) and text not in WRITTEN else []


@cache
def there() -> frozenset[str]:
    """The end of each path in the tree, of any length: `c.py`, `b/c.py` and `a/b/c.py`."""
    tops = ("src", "tests", "docs", "benchmarks", ".ci")
    found = [path for top in tops for path in (ROOT / top).rglob("*") if "__pycache__" not in path.parts]
    ends: set[str] = {"dist/", *(f"{top}/" for top in tops)}
    for path in found:
        parts = path.relative_to(ROOT).parts
        folder = "/" if path.is_dir() else ""
        ends.update("/".join(parts[start:]) + folder for start in range(len(parts)))
    return frozenset(ends)


NAMING = (*PAGES, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md")


@pytest.mark.parametrize("page", NAMING, ids=lambda page: page.name)
def test_a_path_that_is_named_is_there(page: Path) -> None:
    """A module that moved is named by its new path on every page."""
    named = [(piece, name) for piece in spans(page) for name in paths_named(piece)]
    assert [str(piece) for piece, name in named if name not in there()] == []


def test_paths_are_found_where_they_are_named() -> None:
    """The rule sees modules, folders and tests on the pages."""
    names = {name for page in NAMING for piece in spans(page) for name in paths_named(piece)}
    assert {"discord/bridge.py", "transport/", "router.py", "tests/security/test_bytes_gone.py"} <= names


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("discord/gateway/listener.py", True),
        ("gateway/listener.py", True),
        ("tests/end_to_end/test_access.py::test_a", True),
        ("discord/rendering/", True),
        ("discord/listener.py", False),
        ("stener.py", False),
        ("discord/no_folder/", False),
    ],
)
def test_a_wrong_path_would_be_noticed(text: str, right: bool) -> None:
    """A path that is not the end of one in the tree is a wrong one."""
    names = paths_named(Shown("page.md", 1, text))
    assert names
    assert all(name in there() for name in names) is right


# Sections

GENERATED = {"settings.md"}
"""Pages whose headings are made when the site is built."""


@cache
def sections(page: Path) -> frozenset[str]:
    """The anchors of a page, as GitHub and the site make them of its headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)


def links_to_sections(page: Path) -> list[tuple[Path, str]]:
    """The page and the anchor of each link to a section of a page that is here."""
    found = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [((page.parent / target).resolve() if target else page, anchor) for target, anchor in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_section_leads_to_one(page: Path) -> None:
    """A heading that is reworded takes the links to it along."""
    links = [link for link in links_to_sections(page) if link[0].name not in GENERATED]
    assert [anchor for target, anchor in links if anchor not in sections(target)] == []


def test_links_to_sections_are_found() -> None:
    """The rule sees links within a page and to another one."""
    found = [link for page in PAGES for link in links_to_sections(page)]
    assert (ROOT / "docs" / "security.md", "cost") in found
    assert (ROOT / "docs" / "security.md", "mention-abuse") in found
