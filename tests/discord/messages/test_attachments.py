"""What becomes of the files of a question, read from a server on a real socket that stands for the CDN."""

import itertools
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest
import trio

from discordianai.answering.context import ContextRules
from discordianai.app import DISCORD_POOL
from discordianai.discord.messages.attachments import AttachmentReader, Limits, Unreadable
from discordianai.discord.options import BotOptions
from discordianai.dispatch.options import UserRateOptions
from discordianai.option import Live
from discordianai.providers.options import OpenAIOptions, PerplexityOptions
from discordianai.records import Attachment, FileKind, FileLink, Person, Question, Quotation
from discordianai.transport.clients import build_client
from tests.discord.builders import question

LIMITS = Limits(text=20_000, image=50_000, texts=30_000, document=50_000)
PNG, PDF = b"\x89PNG\r\n\x1a\n" + b"\x01" * 3000, b"%PDF-1.7\n" + b"\x02" * 3000
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x03" * 60_000
ZIP, VOICE = b"PK\x03\x04" + b"\x04" * 3000, b"OggS\x00\x02" + b"\x05" * 3000
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00" * 15_000
WORDS = b"Llamas spit. " * 100


@dataclass
class Cdn:
    """Serves files by their path, and counts the bytes that it could send of each."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0.0
    sent: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, content: bytes, content_type: str = "", **more: object) -> Attachment:
        self.files[f"/{name}"] = content
        file = Attachment(name, f"{self.url}/{name}", len(content), content_type)
        made: Attachment = replace(file, **more)  # type: ignore[arg-type]  # by name
        return made

    async def serve(self, stream: trio.SocketStream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await stream.receive_some()
        path = request.split()[1].decode().partition("?")[0]
        content = self.files.get(path)
        status = "404 Not Found" if content is None else "200 OK"
        told = {"Content-Length": str(len(content or b"")), "Connection": "close", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        try:
            await stream.send_all(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode())
            pause = self.pause
            size = 1 if pause else 16_384
            for start in range(0, len(content or b""), size):
                await stream.send_all((content or b"")[start : start + size])
                self.sent[path] = start + size
                await trio.sleep(pause)
        except trio.BrokenResourceError:  # the reader has seen enough
            pass


@asynccontextmanager
async def open_cdn() -> AsyncIterator[Cdn]:
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        cdn = Cdn(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        nursery.start_soon(trio.serve_listeners, cdn.serve, [listener])
        yield cdn
        nursery.cancel_scope.cancel()


async def read(
    cdn: Cdn,
    *files: Attachment,
    limits: Limits = LIMITS,
    seconds: float = 30.0,
    quotation: Quotation | None = None,
    text: str = "why?",
) -> Question:
    asked = replace(question(), text=text, attachments=files, quotation=quotation)
    async with httpx.AsyncClient(timeout=60) as client:
        reader = AttachmentReader(client, f"{cdn.url}/api/v10", Live(limits))
        return await reader.read(asked, trio.current_time() + seconds)


async def test_a_picture_and_a_document_go_along_by_their_addresses_whatever_is_said_of_them() -> None:
    """The provider fetches them; of a large one, the bot reads no more than the beginning."""
    async with open_cdn() as cdn:
        picture, paper = (
            cdn.add("a.txt", PNG, "text/plain"),
            replace(cdn.add("paper.bin", PDF), name="a paper.bin"),
        )
        large = cdn.add("large", PNG[:8] + b"\x00" * 20_000_000)
        limits = replace(LIMITS, image=30_000_000)
        asked = await read(cdn, picture, paper, large, limits=limits)
        assert asked.images == (picture.url, large.url)
        assert asked.files == (FileLink("a paper.bin", paper.url, paper.size),)
        assert (asked.text, asked.file_text, asked.attachments) == ("why?", "", ())
        assert [file.kind for file in asked.readable_again] == [
            FileKind.IMAGE,
            FileKind.DOCUMENT,
            FileKind.IMAGE,
        ]
        assert cdn.sent["/large"] < 10_000_000


async def test_a_text_is_read_whole_whatever_is_said_of_it() -> None:
    async with open_cdn() as cdn:
        asked = await read(cdn, cdn.add("spit.png", WORDS, "image/png"))
        assert "Llamas spit. Llamas spit." in asked.file_text
        assert (asked.images, asked.readable_again) == ((), ())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HEIC, "a.bin is a HEIC image, which I can't read"),
        (VOICE, "a.bin is an audio file"),
        (ZIP, "a.bin is an archive, which I don't unpack"),
        (bytes(range(256)) * 4, "a.bin isn't a file I can read"),
        (bytes(range(256)) * 200, "a.bin isn't a file I can read"),
        (PROGRAM, "a.bin isn't a file I can read"),
        (random.Random(1).randbytes(60_000), "a.bin isn't a file I can read"),
        (PNG + bytes(60_000), "a.bin is too large: the limit is 48 KB"),
        (WORDS * 20, "a.bin is too large: the limit is 19 KB"),
        ("ラマは唾を吐く。".encode("shift-jis") * 2000, "a.bin is too large: the limit is 19 KB"),
        (b"-" + "ラマは唾を吐く。".encode("shift-jis") * 2000, "a.bin is too large: the limit is 19 KB"),
        (b"-" + "ラマは唾を吐く。".encode() * 2000, "a.bin is too large: the limit is 19 KB"),
        ("Llamas spit. ".encode("utf-16") * 2000, "a.bin is too large: the limit is 19 KB"),
    ],
    ids=itertools.count(),
)
async def test_what_cannot_be_taken_is_told_by_what_it_is_and_by_its_size_after_that(
    content: bytes, told: str
) -> None:
    """A picture of 60 KB that nobody can read is not told that it may have 48 KB; nor is a program."""
    async with open_cdn() as cdn:
        for content_type in ("", "text/plain", "image/png", "application/pdf"):
            with pytest.raises(Unreadable, match=told):
                await read(cdn, cdn.add("a.bin", content, content_type))


async def test_what_is_longer_than_it_was_said_to_be_is_not_read_to_its_end() -> None:
    async with open_cdn() as cdn:
        cdn.headers = {"Content-Length": "5000000"}
        with pytest.raises(Unreadable, match="liar is too large"):
            await read(cdn, cdn.add("liar", b"x" * 5_000_000, size=10))
        assert cdn.sent.get("/liar", 0) < 3_000_000


async def test_a_cdn_that_drips_ends_in_words_at_the_questions_deadline() -> None:
    async with open_cdn() as cdn:
        cdn.pause = 0.01
        start = trio.current_time()
        with pytest.raises(Unreadable, match="b.txt took too long to download from Discord"):
            await read(cdn, cdn.add("b.txt", WORDS), seconds=1.0)
        assert 0.9 < trio.current_time() - start < 5.0


async def test_files_that_drip_leave_connections_for_others_files_and_for_messages() -> None:
    """Those of one person's questions, as many as may be open; all go to one pool."""
    async with open_cdn() as cdn, build_client("discord", DISCORD_POOL, 15.0, http2=True).http as client:
        reader = AttachmentReader(client, f"{cdn.url}/api/v10", Live(LIMITS))
        cdn.pause = 0.1
        dripping = tuple(cdn.add(f"{n}.txt", WORDS) for n in range(10))
        async with trio.open_nursery() as nursery:
            for _ in range(UserRateOptions().most_open):
                nursery.start_soon(reader.read, replace(question(), attachments=dripping))
            await trio.sleep(0.5)
            cdn.pause = 0.0
            soon = cdn.add("soon.txt", WORDS)
            with trio.fail_after(3):
                await reader.read(replace(question(), person=Person(11, "Ben"), attachments=(soon,)))
            with trio.fail_after(3):
                await client.get(soon.url)
            nursery.cancel_scope.cancel()


async def test_what_is_compressed_is_not_unpacked() -> None:
    """A megabyte can be a gigabyte then."""
    async with open_cdn() as cdn:
        cdn.headers = {"Content-Encoding": "gzip"}
        with pytest.raises(Unreadable, match="couldn't be downloaded from Discord"):
            await read(cdn, cdn.add("b.txt", WORDS))


async def test_what_has_expired_or_is_elsewhere_is_not_asked_for() -> None:
    async with open_cdn() as cdn:
        with pytest.raises(Unreadable, match="b.txt has expired on Discord. Please send it again."):
            await read(cdn, cdn.add("b.txt", WORDS, expires_at=1.0))
        for url in ("http://169.254.169.254/b.txt", "https://cdn.discordapp.com:8443/b.txt", ""):
            with pytest.raises(Unreadable, match="b.txt couldn't be downloaded from Discord"):
                await read(cdn, cdn.add("b.txt", WORDS, url=url))
        assert cdn.sent == {}


BESIDE_WORDS = Quotation("Ann:\n> see there", "> see there")
ALONE = replace(BESIDE_WORDS, files_only=True)


async def test_a_quoted_file_that_cannot_be_read_is_named_where_there_is_more_to_read() -> None:
    """Where there is nothing else, the person is told at once; and so they are of a file of their own."""
    async with open_cdn() as cdn:
        video = cdn.add("clip.mp4", b"\x00\x00\x00\x18ftypisom" + bytes(900), quoted=True)
        notes = cdn.add("notes.txt", b"hum", quoted=True)
        asked = await read(cdn, video, notes, quotation=BESIDE_WORDS)
        assert "clip.mp4 is a video, which I can't watch" in asked.file_text
        assert "notes.txt (of the quoted message):\n```txt\nhum\n```" in asked.file_text
        assert asked.file_excerpt == asked.file_text
        beside = await read(cdn, video, notes, quotation=ALONE)
        assert beside.file_text == asked.file_text
        for quotation, file in ((ALONE, video), (BESIDE_WORDS, replace(video, quoted=False))):
            with pytest.raises(Unreadable, match="clip.mp4 is a video"):
                await read(cdn, file, quotation=quotation)


async def test_what_a_quoted_message_shows_from_elsewhere_is_left_out() -> None:
    """Neither the bot nor a provider goes there."""
    async with open_cdn() as cdn:
        shown = Attachment("a.png", "https://elsewhere.example/a.png", 0, quoted=True)
        asked = await read(cdn, shown, quotation=BESIDE_WORDS)
        assert (asked.images, asked.file_text, asked.readable_again) == ((), "", ())
        with pytest.raises(Unreadable, match="a.png couldn't be downloaded from Discord"):
            await read(cdn, shown, quotation=ALONE)


@pytest.mark.parametrize("quotation", [BESIDE_WORDS, ALONE], ids=["beside words", "alone"])
async def test_of_a_quoted_message_with_more_files_than_can_be_taken_the_first_go_along(
    quotation: Quotation,
) -> None:
    """It may have ten attached, and galleries; who points at it cannot send fewer."""
    async with open_cdn() as cdn:
        attached = [cdn.add(f"{n}.png", PNG, quoted=True) for n in range(10)]
        theirs = attached + [cdn.add(f"shown{n}.png", PNG, quoted=True, size=0) for n in range(4)]
        own = cdn.add("own.png", PNG)
        asked = await read(cdn, *theirs, own, quotation=quotation)
        assert asked.images == (own.url, *(file.url for file in theirs[:9]))
        assert "the quoted message has 5 more files" in asked.file_text


async def test_of_a_long_text_an_excerpt_is_kept_and_asked_again_it_is_read_whole_once() -> None:
    async with open_cdn() as cdn:
        lines = "".join(f"line {n}\n" for n in range(1000)).encode()
        file = cdn.add("lines.txt", lines)
        asked = await read(cdn, file)
        assert "lines.txt (an excerpt: the first 4,000 of 8,890 characters)" in asked.file_excerpt
        assert "line 999" in asked.file_text
        assert [again.name for again in asked.readable_again] == ["lines.txt"]
        remembered = f"{asked.text}\n\n{asked.file_excerpt}"
        again = await read(cdn, *asked.readable_again, text=remembered)
        assert (again.text, again.file_text, again.file_excerpt) == (
            "why?",
            asked.file_text,
            asked.file_excerpt,
        )


async def test_files_are_too_many_or_too_much_together() -> None:
    async with open_cdn() as cdn:
        files = [cdn.add(f"{n}.txt", b"word " * 800) for n in range(11)]
        with pytest.raises(Unreadable, match="That.s 11 files, and I can take 10"):
            await read(cdn, *files)
        assert cdn.sent == {}
        with pytest.raises(Unreadable, match="39 KB in total, and I can take about 29 KB"):
            await read(cdn, *files[:10])


async def test_a_document_is_refused_in_words_where_nobody_takes_any() -> None:
    """An answer that had not seen it would be wrong."""
    async with open_cdn() as cdn:
        with pytest.raises(Unreadable, match="is a document, and none of my models"):
            await read(cdn, cdn.add("a.pdf", PDF), limits=replace(LIMITS, document=None))


async def test_documents_are_taken_where_any_provider_takes_them() -> None:
    """By what is set up, not by names."""
    both = {"perplexity": PerplexityOptions(), "openai": OpenAIOptions()}
    taken = Limits.of(BotOptions(), ContextRules(providers=both))
    assert taken.document == taken.image
    without = {**both, "openai": OpenAIOptions(files=False)}
    assert Limits.of(BotOptions(), ContextRules(providers=without)).document is None
