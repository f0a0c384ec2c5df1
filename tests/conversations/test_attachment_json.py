"""Attachments as they are stored."""

import json

import pytest

from discordianai.conversations import attachment_json
from discordianai.records import Attachment, FileKind


def test_what_is_stored_is_read_again() -> None:
    files = (
        Attachment("a.png", "https://cdn/a?ex=1", 9, "image/png", True, 1.5, FileKind.IMAGE),
        Attachment("b.txt", "https://cdn/b", 0),
    )
    assert attachment_json.load(attachment_json.dump(files)) == files
    assert attachment_json.dump(()) == ""
    assert attachment_json.load("") == ()


def test_what_an_older_version_stored_is_read() -> None:
    stored = [["a.png", "https://cdn/a", 9, "image/png"]]
    assert attachment_json.from_rows(stored) == (Attachment("a.png", "https://cdn/a", 9, "image/png"),)


@pytest.mark.parametrize("garbled", ["{", "[1]", "[[]]", '[["a", "b", 1, "", false, 0, "no kind"]]', "5"])
def test_what_nobody_wrote_is_an_error(garbled: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        attachment_json.load(garbled)


def test_a_row_is_plain_json() -> None:
    file = Attachment("a.png", "https://cdn/a", 9, kind=FileKind.IMAGE)
    assert json.loads(json.dumps(attachment_json.rows([file])))[0][-1] == "image"
