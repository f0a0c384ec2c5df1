"""Reads the message that a request brings, and refuses what a server's permissions and filters do."""

import json

from starlette.requests import Request

from discordianai.sandbox.discord.api_objects import Json
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.sandbox_message import RestError


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
