"""What users do in the local Discord besides slash commands and buttons."""

import re
from collections.abc import Sequence
from typing import Any

from discordianai.sandbox.discord.api_objects import (
    BOT,
    CHANNELS,
    GUILD,
    Channel,
    Json,
    User,
    member_json,
    person,
)
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.message_parts import written
from discordianai.sandbox.discord.sandbox_interaction import Interaction
from discordianai.sandbox.discord.sandbox_message import SandboxMessage

MESSAGE_CONTENT = 1 << 15
GUILD_MESSAGES, DIRECT_MESSAGES = 1 << 9, 1 << 12
"""Gateway intents."""


def upload(discord: LocalDiscord, name: str, content: bytes, content_type: str = "text/plain") -> Json:
    """Upload a file; return its attachment object, for an option's value or for `say`."""
    number = discord.ids.next()
    path = f"/attachments/{number}/{name}"
    discord.uploads[path] = (content_type, content)
    return {
        "id": str(number),
        "filename": name,
        "size": len(content),
        "url": f"{discord.url}{path}",
        "content_type": content_type,
    }


def use_menu(
    discord: LocalDiscord,
    command: str,
    text: str,
    *,
    user: User | None = None,
    channel: Channel = CHANNELS[0],
    locale: str = "en-US",
    files: Sequence[Json] = (),
    message: Json | None = None,
) -> Interaction:
    """A user runs a message command on a message with this text, or on that `message`."""
    declared = discord.commands[command]
    message = message or written(discord, text, channel=channel, attachments=list(files))
    target = message["id"]
    data = {
        "id": declared["id"],
        "name": command,
        "type": 3,
        "target_id": target,
        "resolved": {"messages": {target: message}},
    }
    return discord.interact(2, data, user or person(), channel, locale=locale)


def type_into(
    discord: LocalDiscord, command: str, option: str, text: str, *, user: User | None = None
) -> Interaction:
    """A user types into an option with autocomplete."""
    focused = {"name": option, "type": 3, "value": text, "focused": True}
    data = {"id": discord.commands[command]["id"], "name": command, "type": 1, "options": [focused]}
    return discord.interact(4, data, user or person(), CHANNELS[0])


def submit(discord: LocalDiscord, interaction: Interaction, text: str) -> Interaction:
    """A user fills in and submits the modal that the bot has shown."""
    field = interaction.form["components"][0]["components"][0]
    filled = {"type": 4, "custom_id": field["custom_id"], "value": text}
    rows = [{"type": 1, "components": [filled]}]
    data = {"custom_id": interaction.form["custom_id"], "components": rows}
    return discord.interact(5, data, interaction.user, interaction.channel)


def say(
    discord: LocalDiscord,
    text: str,
    *,
    user: User | None = None,
    channel: Channel = CHANNELS[0],
    reply_to: SandboxMessage | Json | None = None,
    files: Sequence[Json] = (),
    **more: Any,
) -> int:
    """A user writes in a channel; return the message's id. The bot learns of it as its intents allow.

    `reply_to` is what it replies to, `more` what it has besides its text, as `message_parts` makes it.
    """
    user = user or person()
    message_id = discord.ids.next()
    wanted = GUILD_MESSAGES if channel.guild_id else DIRECT_MESSAGES
    if channel.guild_id is None and channel not in discord.direct_channels:
        discord.direct_channels.append(channel)
    if not discord.counters.intents & wanted:
        return message_id
    mentioned = f"<@{BOT.id}>" in text
    readable = mentioned or channel.guild_id is None or discord.counters.intents & MESSAGE_CONTENT
    payload: Json = {
        "id": str(message_id),
        "type": 19 if reply_to else 0,
        "channel_id": str(channel.id),
        "author": user.json(),
        "content": text if readable else "",
        "attachments": list(files) if readable else [],
        "mentions": [BOT.json()] if mentioned else [],
        "mention_roles": re.findall(r"<@&(\d+)>", text),
        "timestamp": "2026-11-24T00:00:00.000000+00:00",
    }
    payload |= more if readable else {}
    if channel.guild_id is not None:
        payload |= {"guild_id": str(channel.guild_id), "member": member_json(user)}
    if reply_to is not None:
        replied_to = reply_to if isinstance(reply_to, dict) else reply_to.json()
        payload["referenced_message"] = replied_to
        payload["message_reference"] = {
            "type": 0,
            "message_id": replied_to["id"],
            "channel_id": replied_to["channel_id"],
        }
    discord.dispatch("MESSAGE_CREATE", payload)
    return message_id


def remove_bot(discord: LocalDiscord) -> None:
    """A moderator removes the bot from the guild."""
    discord.dispatch("GUILD_DELETE", {"id": str(GUILD.id)})
