"""`make wheel` notices a wheel that is not what stands in src/."""

import importlib.util
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
DATA = (
    "py.typed",
    "operations/units/discordianai.service.in",
    "operations/status/page.html",
    "sandbox/page/page.js",
)
"""What is no module, and easily forgotten."""

Compare = Callable[[Path, Path], list[str]]


@pytest.fixture(scope="module")
def differences() -> Compare:
    spec = importlib.util.spec_from_file_location("wheel", ROOT / ".ci" / "wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compare: Compare = module.differences
    return compare


def pack(wheel: Path, *, without: str = "", beyond: str = "") -> None:
    """A wheel of this source tree, but for one file."""
    with ZipFile(wheel, "w") as archive:
        for path in (ROOT / "src" / "discordianai").rglob("*"):
            if path.is_file() and path.suffix != ".pyc" and not path.as_posix().endswith(f"/{without}"):
                archive.write(path, path.relative_to(ROOT / "src"))
        archive.writestr("discordianai-0.1.0.dist-info/METADATA", "")
        if beyond:
            archive.writestr(beyond, "")


def test_a_wheel_with_everything_passes(differences: Compare, tmp_path: Path) -> None:
    """The metadata, and what Python has compiled here, are no difference."""
    pack(wheel := tmp_path / "made.whl")
    assert differences(wheel, ROOT / "src") == []


@pytest.mark.parametrize("name", DATA)
def test_a_data_file_that_was_not_packed_is_named(differences: Compare, tmp_path: Path, name: str) -> None:
    """The bot would lack it only where it is installed."""
    pack(wheel := tmp_path / "made.whl", without=name)
    assert differences(wheel, ROOT / "src") == [f"the wheel lacks discordianai/{name}"]


def test_a_module_that_is_gone_from_the_source_is_named(differences: Compare, tmp_path: Path) -> None:
    """An older build's folder may still have it."""
    pack(wheel := tmp_path / "made.whl", beyond="discordianai/old.py")
    assert differences(wheel, ROOT / "src") == ["the wheel has discordianai/old.py, which src/ has not"]


def test_what_builds_the_wheel_is_of_one_version() -> None:
    """It is code that runs here, and no constraints hold for it."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    assert build["requires"]
    for requirement in build["requires"]:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", requirement), requirement
