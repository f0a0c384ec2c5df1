"""Messages as Discord's API writes them, for `say` and `use_menu`, and as requests bring them."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from discordianai.sandbox.discord.api_objects import CHANNELS, Channel, Json, User, person
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.sandbox_message import RestError

COMPONENTS_V2 = 1 << 15
"""The flag of a message that is made of components."""

FORWARD = 1
"""The type of a message reference that forwards."""


def written(
    discord: LocalDiscord,
    text: str,
    *,
    user: User | None = None,
    channel: Channel = CHANNELS[0],
    **more: Any,
) -> Json:
    """Somebody's message, for a reply to it or for its menu."""
    return {
        "id": str(discord.ids.next()),
        "type": 0,
        "channel_id": str(channel.id),
        "author": (user or person(99)).json(),
        "content": text,
        "attachments": [],
        "embeds": [],
        "mentions": [],
        "mention_roles": [],
        "components": [],
        "flags": 0,
        "timestamp": "2026-11-24T00:00:00.000000+00:00",
        "edited_timestamp": None,
        **more,
    }


def embed(title: str, description: str, **more: Any) -> Json:
    """A message's `embeds`: one."""
    return {"embeds": [{"type": "rich", "title": title, "description": description, **more}]}


def poll(question: str, votes: Mapping[str, int]) -> Json:
    """A message's `poll`, with the votes for each answer."""
    answers = list(enumerate(votes, 1))
    counts = [
        {"id": number, "count": votes[answer], "me_voted": False}
        for number, answer in answers
        if votes[answer]
    ]
    return {
        "poll": {
            "question": {"text": question},
            "answers": [{"answer_id": number, "poll_media": {"text": answer}} for number, answer in answers],
            "expiry": "2026-11-25T00:00:00.000000+00:00",
            "allow_multiselect": False,
            "layout_type": 1,
            "results": {"is_finalized": False, "answer_counts": counts},
        }
    }


def sticker(name: str) -> Json:
    """A message's `sticker_items`: one."""
    return {"sticker_items": [{"id": "749054660769218631", "name": name, "format_type": 1}]}


def text_components(*texts: str) -> Json:
    """A message that is made of components which show these texts."""
    shown = [{"type": 10, "id": number, "content": text} for number, text in enumerate(texts, 2)]
    return {"flags": COMPONENTS_V2, "components": [{"type": 17, "id": 1, "components": shown}]}


def forwarding(message: Json) -> Json:
    """A forward of that message: what Discord shows of it has no author."""
    hidden = {"id", "channel_id", "author"}
    reference = {"type": FORWARD, "message_id": message["id"], "channel_id": message["channel_id"]}
    snapshot = {key: value for key, value in message.items() if key not in hidden}
    return {"message_reference": reference, "message_snapshots": [{"message": snapshot}]}


async def message_body(
    discord: LocalDiscord, request: Request, channel_id: int
) -> tuple[Json, dict[str, bytes]]:
    """See `read_message`; what a server's permissions and filters refuse goes no further."""
    body, files = await read_message(request)
    message = body.get("data") or body  # the initial response to an interaction wraps it
    if any(word in str(message.get("content", "")) for word in discord.blocked_words):
        raise RestError(400, 240000, "Message blocked by harmful links filter")
    text = json.dumps(message, ensure_ascii=False)
    for refused, (status, code) in discord.refused_texts.items():
        if refused in text:
            raise RestError(status, code, "refused by a test")
    if files and channel_id in discord.channels_without_files:
        raise RestError(403, 50013, "Missing Permissions")
    if sum(map(len, files.values())) > discord.file_limit:
        raise RestError(413, 40005, "Request entity too large")
    if message.get("message_reference") and channel_id in discord.channels_without_replies:
        raise RestError(403, 160002, "Cannot reply without permission to read message history")
    return body, files


async def read_message(request: Request) -> tuple[Json, dict[str, bytes]]:
    """The JSON of a message, and the attached files."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        try:
            return json.loads(await request.body()), {}
        except ValueError:
            raise RestError(400, 50109, "The request body contains invalid JSON.") from None
    async with request.form() as form:
        files = {str(part.filename): await part.read() for part in form.values() if not isinstance(part, str)}
        return json.loads(str(form["payload_json"])), files
