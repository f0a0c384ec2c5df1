"""Makes the request that the bot would send, by its code: instructions, person, tools, a picture."""

import base64
import struct
import zlib
from dataclasses import replace

from discordianai.answering.context import ContextRules, Identifiers, QuestionContext
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.store import ChannelSettings
from discordianai.dispatch.routing import Choice, Inquiry, Router
from discordianai.dispatch.token_estimator import TokenEstimator
from discordianai.option import Live
from discordianai.records import ChatRequest, Person, Place, Provider, Question, ReplyAddress
from discordianai.settings.tables import Settings

QUESTION = "Say: ok"
"""No strategy takes it for a question about the live web."""

SIDE = 32
"""Pixels of the picture."""


def bot_request(settings: Settings, provider: Provider, model: str) -> ChatRequest:
    """What `provider` would be asked by a person who says `QUESTION`, with a picture where it takes one.

    Raises `TooLong` where the instructions leave no room for a question.
    """
    person, place = Person(1, "check"), Place(1)
    address = ReplyAddress(1, 1, "", 1, private=True, acknowledged_at=0.0)
    question = Question(0, QUESTION, person, place, address, images=(_picture(),))
    context = QuestionContext(
        question=question,
        key=ConversationKey.of(person, place),
        history=(),
        channel=ChannelSettings(),
        rules=ContextRules(
            settings.assistant,
            settings.conversations,
            settings.models,
            {one.name: settings.provider(one.name) for one in settings.configured},
        ),
        estimator=TokenEstimator(),
        identifiers=Identifiers(b"check"),
    )
    choice = _choice(settings, provider, model)
    return replace(context.fitting_request(provider, model), tools=choice.tools, search=choice.search)


def _choice(settings: Settings, provider: Provider, model: str) -> Choice:
    """As the bot comes to this provider: for most questions, for those about the web, or by name."""
    router = Router(settings.configured, Live(settings.routing))
    usual = router.choose(Inquiry(QUESTION, (), None))
    if usual.provider == provider and model == settings.provider(provider.name).usual_model:
        return usual
    search = router.search()
    if search is not None and search.provider == provider:
        return search
    return router.choose(Inquiry(QUESTION, (), None, wanted=provider.name))


def _picture() -> str:
    """A grey square, as a PNG in a data URI: nothing has to be fetched for it."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * SIDE) * SIDE)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
