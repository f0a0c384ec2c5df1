"""Reads the files of a question: images and documents for models that take them, text and code for all.

The content determines the type of a file: names, content types and sizes are the sender's claims.
"""

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import httpx
import trio
from charset_normalizer import from_bytes

from discordianai import addresses
from discordianai.answering.context import ContextRules
from discordianai.discord.events.discord_addresses import is_on_cdn
from discordianai.discord.messages import file_kinds
from discordianai.discord.messages.file_kinds import HEAD
from discordianai.discord.options import BotOptions
from discordianai.dispatch.keyed_fifo_limiter import KeyedFifoLimiter
from discordianai.option import Live
from discordianai.records import Attachment, FileKind, FileLink, Question
from discordianai.text import well_formed

READ_TIMEOUT = 20.0
"""Seconds that Discord may be silent."""

PLAIN = {"Accept-Encoding": "identity"}
"""What is compressed can be any size."""

MOST_CONTROLS = 0.01
"""The share of control characters that a text may contain; with more it is not text."""

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")

WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
"""How texts begin, in UTF-16 and UTF-32, in which any byte may stand."""

MAX_FILES = 10
"""Discord's own limit for a message."""

BYTES_PER_TOKEN = 8
"""The largest text file, in any script and charset: a larger one cannot fit, so it is not read."""

READ_WITHIN = 60.0
"""Seconds for all files of a question."""

AT_ONCE, AT_ONCE_EACH = 12, 4
"""Files that are read at the same time: of all people together, and of one. Over HTTP/1.1 each takes one of
the connections over which messages are written, too."""

EXCERPT, EXCERPTS = 4000, 12_000
"""Characters of a file that are kept in the conversation, and of all files of a question."""

NOT_IN_TIME = "{name} took too long to download from Discord. Please try again."
EXPIRED = "{name} has expired on Discord. Please send it again."
NOT_SHOWN = "[A file of the quoted message is missing here: {problem}]"
MORE_FILES = "[Missing here: the quoted message has {count} more files, and I can take {most} at once.]"
NOT_READ = "{name} couldn't be downloaded from Discord. Please send it again."
TOO_LARGE = "{name} is too large: the limit is {most}."
TOO_MANY = "That's {count} files, and I can take {most} at once. Please send fewer."
TOO_MUCH = (
    "Your files come to {size} in total, and I can take about {most} of text at once."
    " Please send fewer or shorter ones."
)
BINARY = "{name} isn't a file I can read. I accept images, {documents}text and code."
NO_DOCUMENTS = "{name} is a document, and none of my models can read those. I accept images, text and code."


class Unreadable(Exception):
    """A file cannot be accepted; the text says why, for the person."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one file, in bytes; `texts` is the limit of all text files together.

    `document` is None if no provider accepts any.
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


@dataclass(frozen=True, slots=True)
class _ReadFile:
    """A file whose kind is known: with its `text`, where it is one, or with the `problem` in words."""

    file: Attachment
    text: str = ""
    size: int = 0
    problem: str = ""


class AttachmentReader:
    """Reads from Discord's CDN, and from `api_url`'s origin where that is not the real Discord.

    `clock` tells the time of day.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        api_url: str,
        limits: Live[Limits],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._api = addresses.read(api_url)
        self._limits = limits
        self._clock = clock
        self._people = KeyedFifoLimiter(AT_ONCE_EACH)
        self._at_once = trio.CapacityLimiter(AT_ONCE)

    async def read(self, question: Question, deadline: float = math.inf) -> Question:
        """The question with its files in it, by `deadline` on trio's clock. Raises `Unreadable`.

        A file of a quoted message that cannot be read is only named, if the rest of that message can be read;
        those that are too many are counted.
        """
        found = self._those_at_discord(question.attachments)
        files = _as_many_as_fit(found)
        end = min(deadline, trio.current_time() + READ_WITHIN)
        read = await self._read_all(files, question.person.id, end)
        self._check_problems(question, read)
        self._check_sum(sum(each.size for each in read if each.file.kind is FileKind.TEXT))
        left_out = _left_out(read, len(found) - len(files))
        return _with_files(question, [each for each in read if not each.problem], left_out)

    def _check_problems(self, question: Question, read: Sequence[_ReadFile]) -> None:
        quotation = question.quotation
        if quotation is not None and quotation.files_only:
            readable = any(each.file.quoted and not each.problem for each in read)
            if not read and question.attachments:  # all of it is elsewhere
                raise Unreadable(NOT_READ.format(name=_named(question.attachments[0])))
        else:
            readable = quotation is not None
        for each in read:
            if each.problem and not (each.file.quoted and readable):
                raise Unreadable(each.problem)

    def _those_at_discord(self, files: Sequence[Attachment]) -> list[Attachment]:
        """All files except those that a quoted message shows from other hosts: these are never fetched.

        Raises `Unreadable` where one that was sent along is elsewhere.
        """
        for file in files:
            if not file.quoted and not is_on_cdn(file.url, self._api):
                raise Unreadable(NOT_READ.format(name=_named(file)))
        return [file for file in files if is_on_cdn(file.url, self._api)]

    async def _read_all(
        self, files: Sequence[Attachment], person_id: int, deadline: float
    ) -> list[_ReadFile]:
        """All of them, in their order; as many at once as may be."""
        read = {
            number: _ReadFile(file, problem=NOT_IN_TIME.format(name=_named(file)))
            for number, file in enumerate(files)
        }

        async def read_one(number: int, file: Attachment) -> None:
            with self._people.enqueue(person_id) as place:
                await place.admitted.wait()
                async with self._at_once:
                    try:
                        read[number] = await self._read(file)
                    except Unreadable as error:
                        read[number] = _ReadFile(file, problem=str(error))

        with trio.move_on_at(deadline):
            async with trio.open_nursery() as nursery:
                for number, file in enumerate(files):
                    nursery.start_soon(read_one, number, file)
        return [read[number] for number in range(len(files))]

    async def _read(self, file: Attachment) -> _ReadFile:
        """Determine the type first, and read only text files to the end. Raises `Unreadable`."""
        if file.expired(self._clock()):
            raise Unreadable(EXPIRED.format(name=_named(file)))
        try:
            async with self._client.stream("GET", file.url, timeout=READ_TIMEOUT, headers=PLAIN) as response:
                response.raise_for_status()
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise Unreadable(NOT_READ.format(name=_named(file)))
                length = response.headers.get("content-length", "")
                told = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0
                return await self._read_stream(replace(file, size=max(file.size, told)), response)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Unreadable(NOT_READ.format(name=_named(file))) from None

    async def _read_stream(self, file: Attachment, response: httpx.Response) -> _ReadFile:
        content, kind = bytearray(), FileKind.UNKNOWN
        async for chunk in response.aiter_bytes():
            content += chunk
            if kind is FileKind.UNKNOWN and len(content) >= HEAD:
                kind = self._checked(file, bytes(content[:HEAD]))
            if kind in {FileKind.IMAGE, FileKind.DOCUMENT}:
                break
            if kind is FileKind.TEXT:
                self._check_size(file, len(content), self._limits.now.text, bytes(content[:HEAD]))
        kind = kind or self._checked(file, bytes(content))
        file = replace(file, kind=kind)
        if kind is not FileKind.TEXT:
            return _ReadFile(file)
        text = await trio.to_thread.run_sync(_decoded, bytes(content), abandon_on_cancel=True)
        if text is None:
            raise self._no_text(file)
        return _ReadFile(file, text, len(content))

    def _no_text(self, file: Attachment) -> Unreadable:
        documents = "PDF, " if self._limits.now.document is not None else ""
        return Unreadable(BINARY.format(name=_named(file), documents=documents))

    def _checked(self, file: Attachment, head: bytes) -> FileKind:
        """The type of an acceptable file. Raises `Unreadable`."""
        found = file_kinds.of_content(head)
        if found.refusal:
            raise Unreadable(found.refusal.format(name=_named(file)))
        limit = self._limit(found.kind)
        if limit is None:
            raise Unreadable(NO_DOCUMENTS.format(name=_named(file)))
        self._check_size(file, file.size, limit, head if found.kind is FileKind.TEXT else b"")
        return found.kind

    def _limit(self, kind: FileKind) -> int | None:
        """Bytes that a file of that type may have; None if no provider accepts it."""
        if kind is FileKind.IMAGE:
            return self._limits.now.image
        return self._limits.now.document if kind is FileKind.DOCUMENT else self._limits.now.text

    def _check_size(self, file: Attachment, size: int, limit: int, head: bytes) -> None:
        """What begins as no text does is not told how large a text may be."""
        if size > limit:
            if _is_binary(head):
                raise self._no_text(file)
            raise Unreadable(TOO_LARGE.format(name=_named(file), most=_kilobytes(limit)))

    def _check_sum(self, size: int) -> None:
        if size > self._limits.now.texts:
            raise Unreadable(TOO_MUCH.format(size=_kilobytes(size), most=_kilobytes(self._limits.now.texts)))


def _as_many_as_fit(files: Sequence[Attachment]) -> list[Attachment]:
    """The person's own files, and of a quoted message as many as there is room for.

    What that shows besides its attachments, in galleries and embeds, has no size. Raises `Unreadable`.
    """
    for attached in ([not file.quoted for file in files], [file.quoted and file.size > 0 for file in files]):
        if (count := sum(attached)) > MAX_FILES:
            raise Unreadable(TOO_MANY.format(count=count, most=MAX_FILES))
    return sorted(files, key=lambda file: file.quoted)[:MAX_FILES]


def _with_files(question: Question, read: Sequence[_ReadFile], left_out: Sequence[str]) -> Question:
    texts = [each for each in read if each.file.kind is FileKind.TEXT]
    limit = min(EXCERPT, EXCERPTS // max(len(texts), 1))
    whole = [as_code_block(each.file.name, each.text, _title(each.file)) for each in texts]
    kept = [as_excerpt(each.file, each.text, limit) for each in texts]
    cut = {each.file.url for each in texts if len(each.text) > limit}
    again = [each.file for each in read if each.file.kind is not FileKind.TEXT or each.file.url in cut]
    return replace(
        question,
        text=_without(kept, question.text),
        file_text="\n\n".join((*whole, *left_out)),
        file_excerpt="\n\n".join((*kept, *left_out)),
        images=tuple(each.file.url for each in read if each.file.kind is FileKind.IMAGE),
        files=tuple(
            FileLink(_named(each.file), each.file.url, each.file.size)
            for each in read
            if each.file.kind is FileKind.DOCUMENT
        ),
        attachments=(),
        readable_again=tuple(again),
    )


def _without(excerpts: Sequence[str], text: str) -> str:
    """A question that is asked again has in it what was kept of its files, which are read anew."""
    for excerpt in excerpts:
        text = text.replace(f"\n\n{excerpt}", "")
    return text


def _left_out(read: Sequence[_ReadFile], more: int) -> list[str]:
    """What is said of the files of a quoted message that do not go along; of `more`, nothing but that."""
    said = [NOT_SHOWN.format(problem=each.problem) for each in read if each.problem]
    return [*said, MORE_FILES.format(count=more, most=MAX_FILES)] if more else said


def _kilobytes(size: int) -> str:
    return f"{size // 1024:,} KB"


def _named(file: Attachment) -> str:
    """A name that has no effect in a message."""
    return "".join(c if c.isalnum() or c in "._- " else "_" for c in file.name)[:60] or "The file"


def _decoded(content: bytes) -> str | None:
    """The text, in whatever charset; None if it is not text. Takes some milliseconds for a large file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(content).best()
        if best is None:
            return None
        text = str(best)
    controls = len(_CONTROLS.findall(text))
    return well_formed(text) if controls <= MOST_CONTROLS * len(text) else None


def _is_binary(head: bytes) -> bool:
    """Whether it is the beginning of nothing that may be a text, in whatever charset."""
    return not head.startswith(WIDE) and len(_CONTROL_BYTES.findall(head)) > MOST_CONTROLS * len(head)


def _title(file: Attachment) -> str:
    return f"{file.name} (of the quoted message)" if file.quoted else file.name


def as_excerpt(file: Attachment, text: str, limit: int) -> str:
    """The same of a file's beginning, as long as that may be kept, and marked as what it is."""
    if len(text) <= limit:
        return as_code_block(file.name, text, _title(file))
    title = f"{file.name} (an excerpt: the first {limit:,} of {len(text):,} characters)"
    return as_code_block(file.name, text[:limit], title)


def as_code_block(name: str, text: str, title: str = "") -> str:
    """A file as a part of a question: named, in a fence that nothing in it closes."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(longest + 1, 3)
    _, _, ending = name.rpartition(".")
    language = ending if ending.isalnum() and len(ending) < 10 and ending != name else ""
    return f"{title or name}:\n{fence}{language}\n{text.rstrip()}\n{fence}"
