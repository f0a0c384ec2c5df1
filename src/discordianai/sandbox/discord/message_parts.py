"""What messages have beside their text, as Discord's API writes it; for `say` and `use_menu`."""

from collections.abc import Mapping
from typing import Any

from discordianai.sandbox.discord.api_objects import CHANNELS, Channel, Json, User, person
from discordianai.sandbox.discord.local_discord import LocalDiscord

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
