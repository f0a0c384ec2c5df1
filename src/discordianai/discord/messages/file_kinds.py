"""Recognises a file by its first bytes. Names and content types are only claims."""

import re
from dataclasses import dataclass

from discordianai.records import FileKind

HEAD = 512
"""Bytes that are examined."""

PICTURE = "{name} is a {format} image, which I can't read. I accept PNG, JPEG, WebP and GIF."
SOUND = "{name} is an audio file, which I can't listen to. Please write what it says."
VIDEO = "{name} is a video, which I can't watch. A screenshot of the relevant moment would help."
ARCHIVE = "{name} is an archive, which I don't unpack. Please send the relevant files from it."
OFFICE = "{name} is an office document, which I can't open. Please send it as a PDF or as text."


@dataclass(frozen=True, slots=True)
class FileType:
    """What a file is; `refusal` says why no model is shown it, with a place for its `{name}`."""

    kind: FileKind
    refusal: str = ""


IMAGE, DOCUMENT, TEXT = FileType(FileKind.IMAGE), FileType(FileKind.DOCUMENT), FileType(FileKind.TEXT)
_SOUND, _VIDEO = FileType(FileKind.UNKNOWN, SOUND), FileType(FileKind.UNKNOWN, VIDEO)
_ARCHIVE, _OFFICE = FileType(FileKind.UNKNOWN, ARCHIVE), FileType(FileKind.UNKNOWN, OFFICE)


def _picture(label: str) -> FileType:
    return FileType(FileKind.UNKNOWN, PICTURE.replace("{format}", label))


_TIFF = _picture("TIFF")

BEGINNINGS: tuple[tuple[bytes, FileType], ...] = (
    (rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a(?! [a-z])|RIFF.{4}WEBP", IMAGE),
    (rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+", _TIFF),
    (rb"BM.{4}\x00{4}.{4}[\x0c\x28\x38\x40\x6c\x7c]\x00{3}", _picture("BMP")),
    (rb"\x00\x00[\x01\x02]\x00[^\x00]\x00", _picture("icon")),
    (rb"8BPS\x00[\x01\x02]", _picture("Photoshop")),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n", _picture("JPEG XL")),
    (rb"\x00\x00\x00\x0cjP  \r\n", _picture("JPEG 2000")),
    (rb".{4}ftyp(?:avif|avis)", _picture("AVIF")),
    (rb".{4}ftyp(?:hei|hev|mif|msf)", _picture("HEIC")),
    (rb".{4}ftypcrx ", _picture("raw")),
    (rb".{4}ftyp(?:M4A|M4B|F4A)", _SOUND),
    (rb"(?:OggS|fLaC)(?! [a-z])|ID3[\x02-\x04]|RIFF.{4}WAVE|FORM.{4}AIF[FC]|#!AMR", _SOUND),
    (rb"MThd\x00\x00\x00\x06|caff\x00", _SOUND),
    (rb"\xff[\xfb\xfa\xf3\xf2\xe3\xf1\xf9][^\x00]", _SOUND),
    (rb"[\x00-\x08\x0e-\x1f].{3}(?:ftyp|moov|mdat|wide)|\x1a\x45\xdf\xa3|RIFF.{4}AVI ", _VIDEO),
    (rb"FLV\x01|\x00\x00\x01[\xba\xb3]|\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO),
    (rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|docProps/|word/|xl/|ppt/|mimetypeapplication/)", _OFFICE),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OFFICE),
    (rb"(?:\xef\xbb\xbf)?\s*%PDF-\d", DOCUMENT),
    (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x1f\x8b\x08|BZh[1-9]1AY", _ARCHIVE),
    (rb"\xfd7zXZ\x00|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|MSCF\x00{4}|.{257}ustar(?:  )?\x00", _ARCHIVE),
)  # fmt: skip
"""How files of a kind begin, as regular expressions; the first that fits counts. A text may begin with the
same letters: "The wide sea", "GIF89a is a format".
"""

_BEGINNINGS = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in BEGINNINGS)


def of_content(head: bytes) -> FileType:
    """The kind of a file with these first `HEAD` bytes. Anything unknown may be text."""
    return next((kind for beginning, kind in _BEGINNINGS if beginning.match(head[:HEAD])), TEXT)
