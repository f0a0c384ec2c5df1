"""Reads what a message holds: text, files, embeds, a poll, components, stickers, forwarded messages.

The text must be as Discord documents it. Other malformed parts are ignored: a question is not lost because of
a broken embed in the message that it replies to. A file is never ignored, whatever is wrong with it: one
without an address cannot be read, which the person is told.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import chain, islice
from typing import TypeVar

from discordianai.discord.events.discord_addresses import expires_at
from discordianai.discord.events.payload import (
    Malformed,
    Payload,
    name,
    number,
    optional_snowflake,
    record,
    sound_record,
    sound_records,
    text,
)
from discordianai.records import Attachment

EPHEMERAL = 64
"""The flag of a message that one person sees."""

LOADING = 128
"""That of one that shows that the bot is thinking."""

MAX_PARTS = 100
"""Of each kind in a message, and nodes of its components. Discord allows 10 embeds and 40 components."""


@dataclass(frozen=True, slots=True)
class MessageContent:
    """What a message says. `author` is a display name, empty where Discord does not tell it.

    `parts` are the texts of embeds, a poll, components and stickers, each with its kind in front.
    `forwarded` are the messages that it forwards. One that is `private` is shown to one person alone.
    """

    text: str = field(default="", repr=False)
    attachments: tuple[Attachment, ...] = ()
    parts: tuple[str, ...] = field(default=(), repr=False)
    forwarded: tuple["MessageContent", ...] = ()
    author: str = field(default="", repr=False)
    author_id: int | None = None
    private: bool = False

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Its own and those that are forwarded."""
        return (*self.attachments, *(file for message in self.forwarded for file in message.files))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read, and no file."""
        said = self.text.strip() or self.parts or self.files
        return not said and all(message.empty for message in self.forwarded)


NOTHING = MessageContent()

Read = TypeVar("Read")


class ComponentType(IntEnum):
    """Discord's numbers for the components of a message that say or show something."""

    TEXT_DISPLAY = 10
    THUMBNAIL = 11
    MEDIA_GALLERY = 12
    FILE = 13


def content_of(message: Payload, *, with_forwarded: bool = True) -> MessageContent:
    """What this message says. Raises `Malformed`."""
    author_name, author_id = _author(message)
    forwarded: list[MessageContent] = []
    if with_forwarded:  # what is forwarded forwards nothing itself
        forwarded = _each(message, "message_snapshots", _snapshot)
    shown = chain.from_iterable((*_each(message, "embeds", _embed_images), *_component_media(message)))
    return MessageContent(
        text=text(message, "content", ""),
        attachments=_without_doubles((*attachments_of(message), *shown)),
        parts=tuple(part for part in _parts(message) if part),
        forwarded=tuple(forwarded),
        author=author_name,
        author_id=author_id,
        private=_is_private(message),
    )


def _is_private(message: Payload) -> bool:
    """Whether one person alone sees it; also where nobody can tell."""
    try:
        return bool(number(message, "flags", 0) & EPHEMERAL)
    except Malformed:
        return True


def attachments_of(message: Payload) -> tuple[Attachment, ...]:
    """The files of a message; anything in the place of one is a file of which nothing is told."""
    listed = message.get("attachments") or ()
    files = listed if isinstance(listed, list | tuple) else (listed,)
    return tuple(attachment_of(file if isinstance(file, Mapping) else {}) for file in files)


def attachment_of(file: Payload) -> Attachment:
    """A file; what is wrong with it is as if it were not told."""
    url = _told(text, file, "url", "")
    return Attachment(
        _file_name(_told(name, file, "filename", "")),
        url,
        _told(number, file, "size", 0),
        _told(name, file, "content_type", ""),
        expires_at=expires_at(url),
    )


def _told(read: Callable[[Payload, str, Read], Read], payload: Payload, key: str, default: Read) -> Read:
    try:
        return read(payload, key, default)
    except Malformed:
        return default


def display_name(user: Payload) -> str:
    """The name by which people see a user. Raises `Malformed`."""
    return name(user, "global_name", "") or name(user, "username")


def _file_name(told: str) -> str:
    """On one line, with nothing in it that is invisible, ends a fence, or changes the writing direction."""
    return "".join(c if c.isprintable() and c != "`" else "_" for c in told).strip()[:100] or "file"


def _author(message: Payload) -> tuple[str, int | None]:
    """Their display name and id; empty and None where that is not told, as in what is forwarded."""
    shown, author_id = "", None
    with suppress(Malformed):
        author = record(message, "author", optional=True)
        author_id = optional_snowflake(author, "id")
        shown = display_name(author) if author else ""
    return shown, author_id


def _parts(message: Payload) -> Iterator[str]:
    yield from _each(message, "embeds", _embed)
    with suppress(Malformed):
        if poll := record(message, "poll", optional=True):
            yield _poll(poll)
    for component in _components(message):
        with suppress(Malformed):
            yield _component(component)
    yield from _each(message, "sticker_items", _sticker)


def _each(payload: Payload, key: str, read: Callable[[Payload], Read]) -> list[Read]:
    """What can be read of the objects under that key."""
    found: list[Read] = []
    for item in islice(sound_records(payload, key), MAX_PARTS):
        with suppress(Malformed):
            found.append(read(item))
    return found


def _snapshot(snapshot: Payload) -> MessageContent:
    """Its files are kept where the rest of it cannot be read."""
    message = record(snapshot, "message")
    try:
        return content_of(message, with_forwarded=False)
    except Malformed:
        return MessageContent(attachments=attachments_of(message))


def _embed(embed: Payload) -> str:
    """What of it can be read."""
    author, footer = sound_record(embed, "author"), sound_record(embed, "footer")
    title = " · ".join(filter(None, (_told(text, author, "name", ""), _told(text, embed, "title", ""))))
    fields = _each(embed, "fields", _field)
    lines = (title, _told(text, embed, "description", ""), *fields, _told(text, footer, "text", ""))
    return _labelled("Embed", "\n".join(filter(None, lines)) or _told(text, embed, "url", ""))


def _field(field: Payload) -> str:
    return ": ".join(filter(None, (text(field, "name", ""), text(field, "value", ""))))


def _embed_images(embed: Payload) -> tuple[Attachment, ...]:
    """Its image, if it is Discord's own; for a link to an image, that is its thumbnail."""
    keys = ("image", "thumbnail") if embed.get("type") == "image" else ("image",)
    return tuple(_media(shown) for key in keys if (shown := record(embed, key, optional=True)))


def _poll(poll: Payload) -> str:
    results = record(poll, "results", optional=True)
    pairs = _each(results, "answer_counts", lambda each: (number(each, "id"), number(each, "count")))
    votes = dict(pairs) if results else None  # where there are results, nobody is not listed
    answers = _each(poll, "answers", lambda answer: _poll_answer(answer, votes))
    return _labelled("Poll", "\n".join((text(record(poll, "question"), "text", ""), *answers)))


def _poll_answer(answer: Payload, votes: dict[int, int] | None) -> str:
    media = record(answer, "poll_media")
    said = text(media, "text", "") or name(record(media, "emoji", optional=True), "name", "")
    if votes is None:
        return f"- {said}"
    count = votes.get(number(answer, "answer_id", 0), 0)
    return f"- {said} ({count} vote{'s' * (count != 1)})"


def _sticker(sticker: Payload) -> str:
    return _labelled("Sticker", name(sticker, "name", ""))


def _labelled(kind: str, said: str) -> str:
    return f"[{kind}] {said}" if said.strip() else ""


def _components(message: Payload) -> Iterator[Payload]:
    """All of them, in the order in which they are shown; those that hold others come first."""
    left = _each(message, "components", lambda each: each)[::-1]
    for _ in range(MAX_PARTS):
        if not left:
            return
        component = left.pop()
        yield component
        below = _each(component, "components", lambda each: each)
        with suppress(Malformed):
            below += [record(component, "accessory")] if component.get("accessory") else []
        left += below[::-1]


def _component(component: Payload) -> str:
    """Its text, or the descriptions of its images. Buttons and menus have no text of their own."""
    match number(component, "type"):
        case ComponentType.TEXT_DISPLAY:
            return text(component, "content", "")
        case ComponentType.THUMBNAIL | ComponentType.FILE:
            return _labelled("Picture", text(component, "description", ""))
        case ComponentType.MEDIA_GALLERY:
            said = _each(component, "items", lambda item: text(item, "description", ""))
            return "\n".join(filter(None, (_labelled("Picture", each) for each in said)))
    return ""


def _component_media(message: Payload) -> Iterator[tuple[Attachment, ...]]:
    for component in _components(message):
        with suppress(Malformed):
            match number(component, "type"):
                case ComponentType.THUMBNAIL:
                    yield (_media(record(component, "media")),)
                case ComponentType.MEDIA_GALLERY:
                    yield tuple(_each(component, "items", lambda item: _media(record(item, "media"))))
                case ComponentType.FILE:
                    size = _told(number, component, "size", 0)
                    yield (replace(_media(record(component, "file")), size=size),)


def _media(media: Payload) -> Attachment:
    """Something that an embed or a component shows; Discord does not tell its size."""
    url = text(media, "url")
    told = url.partition("?")[0].rpartition("/")[2]
    return Attachment(
        _file_name(told), url, 0, name(media, "content_type", ""), quoted=True, expires_at=expires_at(url)
    )


def _without_doubles(files: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """A component may show attached files, too."""
    return tuple({file.url.partition("?")[0]: file for file in reversed(files)}.values())[::-1]
