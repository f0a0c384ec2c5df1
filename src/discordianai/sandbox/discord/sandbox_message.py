"""Messages of the bot, and what Discord refuses in one."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from discordianai.sandbox.discord.api_objects import BOT, Json

CONTENT_LIMIT = 2000
LOADING = 128
EPHEMERAL = 64

_MENTION = re.compile(r"@everyone|@here|<@[!&]?\d+>")

EndpointResult = tuple[int, Json | list[Json] | None]
"""What an endpoint of REST answers: a status and a body."""


class RestError(Exception):
    """An error response, in Discord's form."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, "code": code}
        if errors:
            self.body["errors"] = errors


@dataclass(eq=False)
class SandboxMessage:
    """A message of the bot, with its history."""

    id: int
    channel_id: int
    flags: int = 0
    content: str = ""
    components: list[Json] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    history: list[tuple[float, str]] = field(default_factory=list)
    """(time.monotonic(), content) of its creation and of every edit."""
    pings: list[str] = field(default_factory=list)
    """The mentions that notified somebody."""
    deleted: bool = False
    reply_to: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    """The attached files, by name."""

    @property
    def loading(self) -> bool:
        """Whether it still shows that the bot is thinking."""
        return bool(self.flags & LOADING)

    @property
    def private(self) -> bool:
        """Whether it is ephemeral."""
        return bool(self.flags & EPHEMERAL)

    def update(self, body: Json, files: dict[str, bytes]) -> None:
        """Create or edit it from a request's body. Raises `RestError`."""
        content = body.get("content")
        embeds = body.get("embeds")
        _check(body)
        if content is not None:
            self.content = content
        if embeds is not None:
            self.embeds = embeds
        self.components = body.get("components", self.components)
        if files:
            self.files = files
            self.attachments = [
                {"id": str(number), "filename": name, "size": len(content), "url": ""}
                for number, (name, content) in enumerate(files.items())
            ]
        reference = body.get("message_reference") or {}
        self.reply_to = int(reference["message_id"]) if reference else self.reply_to
        if not (self.content.strip() or self.embeds or self.attachments or self.components):
            raise RestError(400, 50006, "Cannot send an empty message")
        # An edit cannot change whether a message is ephemeral.
        self.flags = (self.flags & EPHEMERAL) | (int(body.get("flags") or 0) & ~(EPHEMERAL | LOADING))
        self.pings += _pings(self.content, body.get("allowed_mentions"))
        self.history.append((time.monotonic(), self.content))

    def json(self) -> Json:
        """As the API writes it."""
        return {
            "id": str(self.id),
            "type": 0,
            "channel_id": str(self.channel_id),
            "author": BOT.json(),
            "content": self.content,
            "flags": self.flags,
            "embeds": self.embeds,
            "attachments": self.attachments,
            "components": self.components,
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": bool(self.pings),
            "pinned": False,
            "tts": False,
            "timestamp": "2026-11-24T00:00:00.000000+00:00",
            "edited_timestamp": None,
            "webhook_id": str(BOT.id),
            "application_id": str(BOT.id),
        }


def _check(body: Json) -> None:
    """Raise Discord's `RestError` for a malformed message."""
    for row in body.get("components") or []:
        if any(not part.get("label") or len(part["label"]) > 80 for part in row.get("components", [])):
            raise _invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 80 in length.")
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        raise _invalid("content", "STRING_TYPE_CONVERT", "Could not interpret as string.")
    if content is not None and len(content) > CONTENT_LIMIT:
        raise _invalid("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.")
    embeds = body.get("embeds") or []
    if any(
        len(embed.get("title") or "") > 256 or len(embed.get("description") or "") > 4096 for embed in embeds
    ):
        raise _invalid("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 4096 or fewer in length.")
    if len(embeds) > 10 or sum(len(embed.get("description") or "") for embed in embeds) > 6000:
        raise _invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")
    rows = body.get("components") or []
    if len(rows) > 5 or any(len(row.get("components", [])) > 5 for row in rows):
        raise _invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    ids = [part.get("custom_id") or "" for row in rows for part in row.get("components", [])]
    if len(ids) != len(set(ids)):
        raise _invalid("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "A custom id cannot be doubled")
    if any(len(custom_id) > 100 for custom_id in ids):
        raise _invalid("components", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")


def _invalid(name: str, code: str, message: str) -> RestError:
    errors = {name: {"_errors": [{"code": code, "message": message}]}}
    return RestError(400, 50035, "Invalid Form Body", errors)


def _pings(content: str, allowed: Mapping[str, list[str]] | None) -> list[str]:
    """The mentions that notify: all of them, unless `allowed_mentions` restricts them."""
    found = _MENTION.findall(content)
    if allowed is None:
        return found
    kinds = set(allowed.get("parse", ()))
    named = {f"<@{user}>" for user in allowed.get("users", ())}
    return [mention for mention in found if _kind(mention) in kinds or mention in named]


def _kind(mention: str) -> str:
    if mention.startswith("@"):
        return "everyone"
    return "roles" if mention.startswith("<@&") else "users"
