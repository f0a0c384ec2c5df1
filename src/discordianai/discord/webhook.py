"""Writes the messages of one interaction through Discord's webhook for it, by httpx on the trio thread.

It needs nothing but the stored ids of the interaction, so that an answer goes on while the gateway's library
is reconnecting or being restarted. That library also shares one rate-limit bucket among all interactions,
which Discord does not: here each interaction waits for its own.
"""

import math
from dataclasses import dataclass

import httpx
import structlog
import trio

from discordianai.discord.messages import Body, MessageError, MessagesBusy, MessagesClosed
from discordianai.model import ReplyAddress

ATTEMPTS = 6
"""Tries of a request that has to arrive: with their pauses, about half a minute of an ill Discord."""

LONGEST_PAUSE = 15.0
"""Seconds; Discord's webhook buckets refill within five."""

UNKNOWN_MESSAGE = 10008
UNKNOWN_WEBHOOK = 10015
INVALID_WEBHOOK_TOKEN = 50027


@dataclass(frozen=True, slots=True)
class DiscordApi:
    """Where Discord's REST interface is, and the client that speaks to it."""

    client: httpx.AsyncClient
    url: str


class InteractionWebhook:
    """`Messages` over Discord's webhook."""

    def __init__(self, api: DiscordApi, address: ReplyAddress) -> None:
        self._client = api.client
        self._base = f"{api.url}/webhooks/{address.application_id}/{address.token}"
        self._free_at = -math.inf
        self._log = structlog.get_logger("discordianai.discord.webhook").bind(
            interaction=address.interaction_id
        )

    @property
    def free_at(self) -> float:
        """See `Messages.free_at`."""
        return self._free_at

    async def try_edit(self, message_id: int | None, body: Body) -> None:
        """See `Messages.try_edit`."""
        await self._request("PATCH", f"/messages/{message_id or '@original'}", body)

    async def edit(self, message_id: int | None, body: Body) -> None:
        """See `Messages.edit`."""
        await self._insist("PATCH", f"/messages/{message_id or '@original'}", body)

    async def create(self, body: Body) -> int:
        """See `Messages.create`."""
        message = await self._insist("POST", "?wait=true", body)
        return int(message["id"])

    async def _insist(self, method: str, path: str, body: Body) -> Body:
        for attempt in range(1, ATTEMPTS + 1):
            await trio.sleep_until(self._free_at)
            try:
                return await self._request(method, path, body)
            except MessagesBusy as error:
                if attempt == ATTEMPTS:
                    raise
                self._log.debug("trying again", reason=str(error), attempt=attempt)
                await trio.sleep(max(error.wait, 0.25 * 2**attempt))
        raise AssertionError("the loop returns or raises")

    async def _request(self, method: str, path: str, body: Body) -> Body:
        try:
            response = await self._client.request(method, self._base + path, json=body)
        except httpx.HTTPError as error:
            # The error's text may carry the address, and so the token.
            raise MessagesBusy(f"Discord is not reachable: {type(error).__name__}", 0.5) from None
        self._learn(response)
        if response.is_success:
            return _json(response)
        raise _error(response)

    def _learn(self, response: httpx.Response) -> None:
        """Wait for the bucket before the next request, instead of being refused."""
        if response.headers.get("x-ratelimit-remaining") == "0":
            pause = _seconds(response.headers.get("x-ratelimit-reset-after"))
            self._free_at = max(self._free_at, trio.current_time() + pause)


def _error(response: httpx.Response) -> MessageError:
    body = _json(response)
    code = body.get("code", 0)
    reason = f"Discord answered {response.status_code}, code {code}"
    if response.status_code == 429:
        return MessagesBusy(reason, _seconds(body.get("retry_after")))
    if response.status_code >= 500:
        return MessagesBusy(reason, 0.0)
    if code in {UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, INVALID_WEBHOOK_TOKEN}:
        return MessagesClosed(reason)
    return MessageError(reason)


def _json(response: httpx.Response) -> Body:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(text: object) -> float:
    """A wait that Discord named, within reason."""
    try:
        seconds = float(str(text))
    except ValueError:
        return 1.0
    return min(max(seconds, 0.0), LONGEST_PAUSE) if math.isfinite(seconds) else 1.0
