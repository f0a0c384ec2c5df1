"""What becomes of a file by its kind. What is fetched from Discord is played in the end-to-end tests."""

from dataclasses import replace

import httpx
import pytest

from discordianai.answering.context import ContextRules
from discordianai.discord.messages.attachments import AttachmentReader, Limits, Unreadable
from discordianai.discord.options import BotOptions
from discordianai.live import Live
from discordianai.providers.options import OpenAIOptions, PerplexityOptions
from discordianai.records import Attachment, FileLink, Question
from tests.discord.builders import question

PDF = Attachment("a paper.pdf", "https://cdn.discordapp.com/a.pdf?ex=1", 4_000, "application/pdf")
PICTURE = Attachment("a.png", "https://cdn.discordapp.com/a.png", 4_000, "image/png")


async def read(limits: Limits, *files: Attachment) -> Question:
    """With a client that may ask nobody."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500))) as client:
        reader = AttachmentReader(client, "https://discord.com/api/v10", Live(limits))
        return await reader.read(replace(question(), attachments=files))


async def test_a_picture_and_a_document_go_along_by_their_addresses() -> None:
    """The provider fetches them; neither is read here."""
    asked = await read(Limits(text=1000, image=5000, texts=1000, document=5000), PICTURE, PDF)
    assert asked.images == (PICTURE.url,)
    assert asked.files == (FileLink("a paper.pdf", PDF.url, PDF.size),)
    assert (asked.text, asked.attachments) == ("why?", ())


async def test_a_document_is_refused_in_words_where_nobody_takes_any() -> None:
    """An answer that had not seen it would be wrong."""
    with pytest.raises(Unreadable, match="is a document, which none of my models takes"):
        await read(Limits(text=10_000, image=10_000, texts=10_000), PDF)


async def test_a_document_has_a_limit() -> None:
    """It is that of the pictures."""
    with pytest.raises(Unreadable, match=r"a paper\.pdf is too large: it may have 3 KB"):
        await read(Limits(text=10_000, image=10_000, texts=10_000, document=3 * 1024), PDF)


async def test_documents_are_taken_where_any_provider_takes_them() -> None:
    """By what is set up, not by names."""
    both = {"perplexity": PerplexityOptions(), "openai": OpenAIOptions()}
    taken = Limits.of(BotOptions(), ContextRules(providers=both))
    assert taken.document == taken.image
    without = {**both, "openai": OpenAIOptions(files=False)}
    assert Limits.of(BotOptions(), ContextRules(providers=without)).document is None
