"""Discord lets a bot identify about a thousand times a day.

Using them up ends every session and resets the token, so the last ones are left alone: a bot that restarts
in a loop stops by itself.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from discordianai.discord.rest import DiscordApi

RESERVE = 50
"""Identifies that are never used."""


class ListenerRefused(Exception):
    """Discord will not let this bot in until its operator changes something. The text says what."""


class GatewayUnavailable(Exception):
    """Discord did not say how many identifies are left; a later try may succeed."""


def seconds_to_wait(gateway: Mapping[str, Any]) -> float:
    """How long to wait before identifying, as `GET /gateway/bot` tells; 0 when there is enough left."""
    limit = gateway["session_start_limit"]
    return float(limit["reset_after"]) / 1000 if limit["remaining"] < RESERVE else 0.0


async def ask_discord(api: DiscordApi) -> float:
    """Seconds to wait before identifying. Raises `ListenerRefused` or `GatewayUnavailable`."""
    try:
        headers = {"Authorization": f"Bot {api.token}"}
        response = await api.client.get(f"{api.url}/gateway/bot", headers=headers)
        if response.status_code == 401:
            raise ListenerRefused("Discord rejected the bot's token: set DISCORD_TOKEN to a valid one")
        response.raise_for_status()
        return seconds_to_wait(response.json())
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise GatewayUnavailable(f"GET /gateway/bot failed: {type(error).__name__}") from error
