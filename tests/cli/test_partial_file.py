"""A file is there whole, or not at all."""

from pathlib import Path

import pytest

from discordianai.cli.partial_file import NotWritten, partial_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_under_its_name_when_it_is_whole_for_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with partial_file(target, overwrite=False) as partial:
        partial.write_text("all of it")
        assert not target.exists()
        assert partial.stat().st_mode & 0o777 == 0o600
    assert target.read_text() == "all of it"
    assert target.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["copy"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_one_that_was_not_finished(tmp_path: Path, stop: type[BaseException]) -> None:
    def begin() -> None:
        with partial_file(tmp_path / "copy", overwrite=False) as partial:
            partial.write_text("half of")
            raise stop

    with pytest.raises(stop):
        begin()
    assert names(tmp_path) == []


def test_what_is_there_is_kept_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_text("old")
    with pytest.raises(NotWritten, match="already exists.*--force"), partial_file(target, overwrite=False):
        pass
    with pytest.raises(ValueError, match="^$"), partial_file(target, overwrite=True):
        raise ValueError
    assert target.read_text() == "old"
    with partial_file(target, overwrite=True) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"
    assert names(tmp_path) == ["copy"]


def test_one_that_came_meanwhile_is_kept_too(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with pytest.raises(NotWritten, match="already exists"), partial_file(target, overwrite=False):
        target.write_text("somebody else's")
    assert target.read_text() == "somebody else's"
    assert names(tmp_path) == ["copy"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write in the folder can have put it there, to any file of the operator's."""
    (tmp_path / "real").write_text("old")
    for link, to in (("link", "real"), ("dangling", "new")):
        (tmp_path / link).symlink_to(to)
        refused = pytest.raises(NotWritten, match="is a symbolic link.*name the file itself")
        with refused, partial_file(tmp_path / link, overwrite=True):
            pass
    assert (tmp_path / "real").read_text() == "old"
    assert names(tmp_path) == ["dangling", "link", "real"]


def test_a_folder_may_be_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with partial_file(tmp_path / "link" / "copy", overwrite=False) as partial:
        partial.write_text("all of it")
    assert (tmp_path / "real" / "copy").read_text() == "all of it"


def test_what_somebody_put_in_its_place_meanwhile_does_not_become_the_file(tmp_path: Path) -> None:
    def be_exchanged() -> None:
        with partial_file(tmp_path / "copy", overwrite=False) as partial:
            partial.unlink()
            partial.write_text("of somebody else")

    with pytest.raises(NotWritten, match="was replaced while being written"):
        be_exchanged()
    assert not (tmp_path / "copy").exists()


def test_a_folder_that_is_exchanged_meanwhile_gets_nothing(tmp_path: Path) -> None:
    """As by somebody who wants a file of this name elsewhere."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    with partial_file(folder / "copy", overwrite=False) as partial:
        partial.write_text("all of it")
        folder.rename(tmp_path / "moved")
        folder.symlink_to(elsewhere)
    assert names(elsewhere) == []
    assert (tmp_path / "moved" / "copy").read_text() == "all of it"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    for target in (tmp_path, Path("/dev/null")):
        with pytest.raises(NotWritten, match="is not a regular file"), partial_file(target, overwrite=True):
            pass


def test_a_place_that_takes_no_file_is_told(tmp_path: Path) -> None:
    sentence = "missing/copy cannot be written: No such file or directory"
    target = tmp_path / "missing" / "copy"
    with pytest.raises(NotWritten, match=sentence), partial_file(target, overwrite=False):
        pass
