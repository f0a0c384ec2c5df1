"""Reads what people send along: images and documents for models that take them, text and code for all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx
import trio
from charset_normalizer import from_bytes

from discordianai import addresses
from discordianai.answering.context import ContextRules
from discordianai.discord.options import BotOptions
from discordianai.live import Live
from discordianai.records import Attachment, FileLink, Question
from discordianai.surrogates import well_formed

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

MOST_FILES = 10
"""Discord's own limit for a message."""

BYTES_PER_TOKEN = 8
"""At most, of a text in any script and charset: what is larger cannot fit, and need not be read to know."""

READ_WITHIN = 60.0
"""Seconds for all files of a question."""

EXCERPT, EXCERPTS = 4000, 12_000
"""Characters of a file that are kept in the conversation, and of all files of a question."""

NOT_READ = "{name} could not be read from Discord. Please send it again."
TOO_LARGE = "{name} is too large: it may have {most}."
TOO_MANY = "These are {count} files, and I can take {most} at once. Please send fewer."
TOO_MUCH = (
    "Your files have {size} together, and I can take about {most} of text at once."
    " Please send fewer or shorter ones."
)
BINARY = "{name} is no text that I can read. Images, {documents}text and code are what I take."
NO_DOCUMENTS = "{name} is a document, which none of my models takes. Images, text and code are what I take."


class Unreadable(Exception):
    """A file cannot be taken; the text says why, for the person."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one file, in bytes; `texts` is of all that go along as text together.

    `document` is None where no provider takes any.
    """

    text: int
    image: int
    texts: int
    document: int | None = None

    @classmethod
    def of(cls, bot: BotOptions, rules: ContextRules) -> "Limits":
        """Of texts together, what the largest context may take; documents, where a provider takes any."""
        documents = any(options.record(name).files for name, options in rules.providers.items())
        image = bot.max_image_kilobytes * 1024
        return cls(
            text=bot.max_file_kilobytes * 1024,
            image=image,
            texts=BYTES_PER_TOKEN * rules.most_context_tokens,
            document=image if documents else None,
        )


class AttachmentReader:
    """Reads from Discord's own hosts, and from `api_url`'s, where a Discord is run for trying it."""

    def __init__(self, client: httpx.AsyncClient, api_url: str, limits: Live[Limits]) -> None:
        self._client = client
        self._own = addresses.read(api_url)
        self._limits = limits

    async def read(self, question: Question) -> Question:
        """The question with its files in it. Raises `Unreadable`."""
        files = question.attachments
        self._check(files)
        texts = [file for file in files if _kind(file) not in IMAGES | DOCUMENTS]
        whole, kept = [question.text], [question.text]
        most = min(EXCERPT, EXCERPTS // max(len(texts), 1))
        for file, text in zip(texts, await self._texts(texts), strict=True):
            whole.append(as_code_block(file.name, text))
            kept.append(as_excerpt(file.name, text, most))
        return replace(
            question,
            text="\n\n".join(whole),
            remembered="\n\n".join(kept),
            images=tuple(file.url for file in files if _kind(file) in IMAGES),
            files=tuple(
                FileLink(_named(file), file.url, file.size) for file in files if _kind(file) in DOCUMENTS
            ),
            attachments=(),
        )

    def _check(self, files: Sequence[Attachment]) -> None:
        """What is known before anything is read."""
        if len(files) > MOST_FILES:
            raise Unreadable(TOO_MANY.format(count=len(files), most=MOST_FILES))
        for file in files:
            self._check_size(file, self._most(file))
            if not self._is_at_home(file):
                raise Unreadable(NOT_READ.format(name=_named(file)))
        self._check_sum(sum(file.size for file in files if _kind(file) not in IMAGES | DOCUMENTS))

    def _most(self, file: Attachment) -> int:
        """Bytes that it may have."""
        if _kind(file) in IMAGES:
            return self._limits.now.image
        if _kind(file) not in DOCUMENTS:
            return self._limits.now.text
        if self._limits.now.document is None:
            raise Unreadable(NO_DOCUMENTS.format(name=_named(file)))
        return self._limits.now.document

    def _check_size(self, file: Attachment, most: int) -> None:
        if file.size > most:
            raise Unreadable(TOO_LARGE.format(name=_named(file), most=_kilobytes(most)))

    def _check_sum(self, size: int) -> None:
        if size > self._limits.now.texts:
            raise Unreadable(TOO_MUCH.format(size=_kilobytes(size), most=_kilobytes(self._limits.now.texts)))

    def _is_at_home(self, file: Attachment) -> bool:
        """Whether it is on a host of Discord's; a provider is sent to no other, either."""
        address = addresses.read(file.url)
        if address is None:
            return False
        if self._own is not None and replace(address, url="") == replace(self._own, url=""):
            return True
        known = any(address.host == host or address.host.endswith(f".{host}") for host in DISCORDS)
        return known and address.scheme == "https" and address.port == addresses.DEFAULT_PORTS["https"]

    async def _texts(self, files: Sequence[Attachment]) -> list[str]:
        contents, size = [], 0
        for file in files:
            with trio.move_on_after(READ_WITHIN / len(files)) as patience:
                contents.append(await self._fetch(file))
            if patience.cancelled_caught:
                raise Unreadable(NOT_READ.format(name=_named(file)))
            size += len(contents[-1])
            self._check_sum(size)  # Discord may have told another one
        return [await self._decoded(file, content) for file, content in zip(files, contents, strict=True)]

    async def _decoded(self, file: Attachment, content: bytes) -> str:
        text = await trio.to_thread.run_sync(_decoded, content)
        if text is None:
            documents = "PDF, " if self._limits.now.document is not None else ""
            raise Unreadable(BINARY.format(name=_named(file), documents=documents))
        return text

    async def _fetch(self, file: Attachment) -> bytes:
        """The content, of which no more is taken than may be. Redirects are not followed."""
        content = bytearray()
        try:
            async with self._client.stream("GET", file.url, timeout=READ_TIMEOUT) as response:
                response.raise_for_status()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    self._check_size(replace(file, size=len(content)), self._limits.now.text)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Unreadable(NOT_READ.format(name=_named(file))) from None
        return bytes(content)


def _kind(file: Attachment) -> str:
    return file.content_type.partition(";")[0].strip().lower()


def _kilobytes(size: int) -> str:
    return f"{size // 1024:,} KB"


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
    return well_formed(text) if controls <= MOST_CONTROLS * len(text) else None


def as_excerpt(name: str, text: str, most: int) -> str:
    """The same of a file's beginning, as long as that may be kept, and marked as what it is."""
    if len(text) <= most:
        return as_code_block(name, text)
    title = f"{name} (an excerpt: the first {most:,} of {len(text):,} characters)"
    return as_code_block(name, text[:most], title)


def as_code_block(name: str, text: str, title: str = "") -> str:
    """A file as a part of a question: named, in a fence that nothing in it closes."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(longest + 1, 3)
    _, _, ending = name.rpartition(".")
    language = ending if ending.isalnum() and len(ending) < 10 and ending != name else ""
    return f"{title or name}:\n{fence}{language}\n{text.rstrip()}\n{fence}"
