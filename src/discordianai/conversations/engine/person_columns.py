"""What is exported of a person beside turns: the same lines from every engine, in this order."""

from collections.abc import Mapping
from types import MappingProxyType

BESIDE_TURNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "setting": ("channel_id", "guild_id", "person_id", "persona", "model"),
        "open question": (
            "interaction_id", "state", "person_id", "person_name", "guild_id", "channel_id", "application_id",
            "private", "acknowledged_at", "provider", "prompt", "text", "message_ids", "finished_at", "more",
            "starts",
        ),
        "participation": ("person_id", "guild_id", "shared", "channel_id", "private"),
        "usage": (
            "day", "person_id", "guild_id", "provider", "model", "answers", "input_tokens", "output_tokens",
            "cost", "unpriced", "cached_tokens", "searches",
        ),
        "forgotten": ("person_id", "day"),
    }
)  # fmt: skip
"""The kinds of the lines, and the columns of each. The token of an open question is left out: it lets its
holder write as the bot, and says nothing about the person."""
