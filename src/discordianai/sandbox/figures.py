"""The bot's figures, as its status page has them."""

import json
from typing import Any

import httpx

from discordianai import bounded_http

TIMEOUT = 2.0
"""Seconds for the body of an answer."""


class BotFigures:
    """Reads them from `status_url`."""

    def __init__(self, client: httpx.AsyncClient, status_url: str) -> None:
        self._client = client
        self._url = f"{status_url}/api/snapshot"

    async def text(self) -> str:
        """The snapshot as JSON; `null` while the bot does not serve one."""
        try:
            request = self._client.build_request("GET", self._url)
            answer = await bounded_http.send(self._client, request, seconds=TIMEOUT)
        except httpx.HTTPError:
            return "null"
        return answer.text if answer.status_code == 200 else "null"

    async def line(self) -> str:
        """The most telling ones in one line; "" without any."""
        snapshot = json.loads(await self.text())
        return _line(snapshot) if snapshot else ""


def _line(snapshot: dict[str, Any]) -> str:
    parts = [f"{snapshot['questions']['open']} open", f"{snapshot['questions']['answered']} answered"]
    for provider in snapshot["providers"].values():
        dispatch, pool = provider["dispatch"], provider["pool"] or {}
        streams, connections = pool.get("streams_in_use", 0), pool.get("open_connections", 0)
        waiting = f", {dispatch['waiting']} waiting" if dispatch["waiting"] else ""
        held = f", breaker {dispatch['breaker']}" if dispatch["breaker"] != "closed" else ""
        parts.append(f"{provider['label']} {streams} on {connections} conn.{waiting}{held}")
    return " · ".join(parts)
