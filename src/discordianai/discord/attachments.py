"""Reads what people send along: images and documents for models that take them, text and code for all."""

import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx
import trio
from charset_normalizer import from_bytes

from discordianai.model import Attachment, FileLink, Question

DISCORDS = ("discordapp.com", "discordapp.net", "discord.com")
"""Hosts that Discord keeps files on; no other is asked, whatever an attachment says."""

IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
"""What models see."""

DOCUMENTS = {"application/pdf"}
"""What providers read by themselves."""

READ_TIMEOUT = 20.0

MOST_CONTROLS = 0.01
"""The part of a text that may be control characters: what has more is something else."""

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")

NOT_READ = "{name} could not be read from Discord. Please send it again."
TOO_LARGE = "{name} is too large: it may have {most}."
BINARY = "{name} is no text that I can read. Images, {documents}text and code are what I take."
NO_DOCUMENTS = "{name} is a document, which none of my models takes. Images, text and code are what I take."


class Unreadable(Exception):
    """A file cannot be taken; the text says why, for the person."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one file, in bytes. `document` is None where no provider takes any."""

    text: int
    image: int
    document: int | None = None


class AttachmentReader:
    """Reads from Discord's own hosts, and from `api_url`'s, where a Discord is run for trying it."""

    def __init__(self, client: httpx.AsyncClient, api_url: str, limits: Limits) -> None:
        self._client = client
        self._own = urlsplit(api_url).netloc
        self._limits = limits

    async def read(self, question: Question) -> Question:
        """The question with its files in it. Raises `Unreadable`."""
        texts, images, documents = [question.text], [], []
        for file in question.attachments:
            if _kind(file) in IMAGES:
                self._check_size(file, self._limits.image)
                images.append(file.url)
            elif _kind(file) in DOCUMENTS:
                documents.append(self._document(file))
            else:
                texts.append(await self._text(file))
        return replace(
            question,
            text="\n\n".join(texts),
            images=tuple(images),
            files=tuple(documents),
            attachments=(),
        )

    def _document(self, file: Attachment) -> FileLink:
        if self._limits.document is None:
            raise Unreadable(NO_DOCUMENTS.format(name=_named(file)))
        self._check_size(file, self._limits.document)
        return FileLink(_named(file), file.url)

    def _check_size(self, file: Attachment, most: int) -> None:
        if file.size > most:
            raise Unreadable(TOO_LARGE.format(name=_named(file), most=f"{most // 1024} KB"))

    async def _text(self, file: Attachment) -> str:
        self._check_size(file, self._limits.text)
        content = await self._fetch(file)
        text = await trio.to_thread.run_sync(_decoded, content)
        if text is None:
            documents = "PDF, " if self._limits.document is not None else ""
            raise Unreadable(BINARY.format(name=_named(file), documents=documents))
        return as_code_block(file.name, text)

    async def _fetch(self, file: Attachment) -> bytes:
        """The content, of which no more is taken than may be. Redirects are not followed."""
        url = urlsplit(file.url)
        known = any(url.hostname == host or str(url.hostname).endswith(f".{host}") for host in DISCORDS)
        content = bytearray()
        try:
            if not (url.scheme == "https" and known) and url.netloc != self._own:
                raise Unreadable(NOT_READ.format(name=_named(file)))
            async with self._client.stream("GET", file.url, timeout=READ_TIMEOUT) as response:
                response.raise_for_status()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    self._check_size(replace(file, size=len(content)), self._limits.text)
        except httpx.HTTPError:
            raise Unreadable(NOT_READ.format(name=_named(file))) from None
        return bytes(content)


def _kind(file: Attachment) -> str:
    return file.content_type.partition(";")[0].strip().lower()


def _named(file: Attachment) -> str:
    """A name that cannot do anything in a message."""
    return "".join(c if c.isalnum() or c in "._- " else "_" for c in file.name)[:60] or "The file"


def _decoded(content: bytes) -> str | None:
    """The text, in whatever charset; None where it is none. Some milliseconds for a large file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(content).best()
        if best is None:
            return None
        text = str(best)
    controls = len(_CONTROLS.findall(text))
    return text if controls <= MOST_CONTROLS * len(text) else None


def as_code_block(name: str, text: str) -> str:
    """A file as a part of a question: named, in a fence that nothing in it closes."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(longest + 1, 3)
    _, _, ending = name.rpartition(".")
    language = ending if ending.isalnum() and len(ending) < 10 and ending != name else ""
    return f"{name}:\n{fence}{language}\n{text.rstrip()}\n{fence}"
