"""Files are told by how those of their kind begin, as the programs write them that make them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.messages.file_kinds import of_content
from discordianai.records import FileKind

OFFICE, ARCHIVE = "office document", "archive"
SOUND, VIDEO = "audio file", "video"

KNOWN: list[tuple[bytes, str]] = [
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "image"),
    (b"\xff\xd8\xff\xe1\x1c\x00Exif\x00", "image"),
    (b"GIF89a\x01\x00", "image"),
    (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image"),
    (b"%PDF-1.4\n%\xe2\xe3", "document"),
    (b"\r\n%PDF-2.0\n", "document"),
    (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1", "HEIC image"),
    (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heic", "HEIC image"),
    (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1", "AVIF image"),
    (b"II*\x00\x08\x00\x00\x00", "TIFF image"),
    (b"BM\x36\x00\x0c\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00", "BMP image"),
    (b"\x00\x00\x01\x00\x01\x00\x10\x10", "icon image"),
    (b"8BPS\x00\x01", "Photoshop image"),
    (b"\xff\x0a\xfa\x7f", "JPEG XL image"),
    (b"OggS\x00\x02\x00\x00", SOUND),
    (b"ID3\x04\x00\x00", SOUND),
    (b"\xff\xfb\x90\x64", SOUND),
    (b"RIFF\x24\x00\x00\x00WAVEfmt ", SOUND),
    (b"fLaC\x00\x00\x00\x22", SOUND),
    (b"\x00\x00\x00\x1cftypM4A \x00\x00", SOUND),
    (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", VIDEO),
    (b"\x00\x00\x00\x14ftypqt  \x00\x00", VIDEO),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x86", VIDEO),
    (b"RIFF\x24\x00\x00\x00AVI LIST", VIDEO),
    (b"PK\x03\x04\x14\x00\x08\x08\x08\x00" + bytes(20) + b"[Content_Types].xml", OFFICE),
    (b"PK\x03\x04\x14\x00\x00\x00\x00\x00" + bytes(20) + b"mimetypeapplication/vnd.oasis", OFFICE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", OFFICE),
    (b"PK\x03\x04\x14\x00\x00\x00\x00\x00" + bytes(20) + b"readme.txt", ARCHIVE),
    (b"PK\x05\x06" + bytes(18), ARCHIVE),
    (b"Rar!\x1a\x07\x01\x00", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c\x00\x04", ARCHIVE),
    (b"\x1f\x8b\x08\x00", ARCHIVE),
    (b"\xfd7zXZ\x00\x00", ARCHIVE),
    (b"notes.txt" + bytes(248) + b"ustar\x0000", ARCHIVE),
    (b"", "text"),
    (b"BMW makes cars, and bikes as well, of course.", "text"),
    (b"ID3 is a way to tag music.", "text"),
    (b"RIFF raff", "text"),
    (b"The header of a PDF is %PDF-1.7", "text"),
    (b"The wide sea", "text"),
    (b"GIF89a is a format", "text"),
    (b"OggS begins each page", "text"),
    (b"m" * 257 + b"ustard", "text"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text"),
    ("\ufeffhello".encode("utf-16-le"), "text"),
    ("\ufeffhello".encode("utf-16-be"), "text"),
    ("ÿüöä".encode("latin-1"), "text"),
]


@pytest.mark.parametrize(("head", "told"), KNOWN, ids=[repr(head[:12]) for head, _ in KNOWN])
def test_each_kind_is_told_by_how_it_begins(head: bytes, told: str) -> None:
    found = of_content(head + b"\x00\x01rest")
    assert told in (found.refusal or found.kind)
    assert bool(found.refusal) == (found.kind is FileKind.UNKNOWN)


@given(st.text(min_size=1))
def test_no_text_of_people_is_taken_for_anything_else(text: str) -> None:
    """In UTF-8, which all that is sent today is in; what has control characters in it is no text."""
    if text.isprintable():
        assert of_content(text.encode()).kind is FileKind.TEXT


@given(st.binary(max_size=600))
def test_any_bytes_are_of_one_kind(head: bytes) -> None:
    found = of_content(head)
    assert "{format}" not in found.refusal
    assert not found.refusal or "{name}" in found.refusal
