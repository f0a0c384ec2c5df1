"""Discord's REST interface, by httpx on the trio thread: addresses, each with its rate-limit bucket.

Requests to a bucket go one at a time: so it is always known what is left, and none is refused. Interactions
have a bucket each; all that the bot writes in a channel shares one, however many answers that are.
"""

import json
import math
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import httpx
import structlog
import trio

from discordianai.discord.events.payload import Malformed, snowflake
from discordianai.discord.messages.application_limits import (
    LONGEST_WAIT,
    ApplicationHeld,
    ApplicationLimits,
    Call,
    seconds,
)
from discordianai.discord.messages.port import (
    Body,
    File,
    MessageError,
    MessageRefused,
    MessagesBusy,
    MessagesClosed,
    MessagesExpired,
)

MOST_BUCKETS = 1000
"""Of channels that are remembered though nobody writes there; those that have room go first."""


class Bucket:
    """What Discord allows at one address, as it tells with each answer."""

    def __init__(self) -> None:
        self._turn = trio.Lock()
        self.free_at = -math.inf
        """When, on trio's clock, there is room again."""

    @property
    def is_free(self) -> bool:
        """Whether a request can be sent at this moment."""
        return not self._turn.locked() and trio.current_time() >= self.free_at

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for room, in the order in which it was asked for; the block is the request."""
        async with self._turn:
            await trio.sleep_until(self.free_at)
            yield

    def close_for(self, seconds: float) -> None:
        """Discord has said that it takes nothing for so long."""
        self.free_at = max(self.free_at, trio.current_time() + seconds)


class ChannelBuckets:
    """The bucket of each channel, by its id."""

    def __init__(self) -> None:
        self._in_use: WeakValueDictionary[int, Bucket] = WeakValueDictionary()
        self._kept: dict[int, Bucket] = {}  # what Discord has said holds beyond the answer

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._in_use)

    def of(self, channel_id: int) -> Bucket:
        """All who write there get the same."""
        bucket = self._in_use.setdefault(channel_id, Bucket())
        if channel_id not in self._kept and len(self._kept) >= MOST_BUCKETS:
            self._kept = {key: kept for key, kept in self._kept.items() if not kept.is_free}
        self._kept[channel_id] = bucket
        return bucket


ATTEMPTS = 6
"""Tries of a request that has to arrive: with their pauses, about half a minute of trouble at Discord."""

LONGEST_PAUSE = 15.0
"""Seconds; Discord's buckets refill within five."""

UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
UNKNOWN_WEBHOOK = 10015
INVALID_WEBHOOK_TOKEN = 50027

CAUSES = {
    UNKNOWN_CHANNEL: "the channel was deleted",
    UNKNOWN_MESSAGE: "the message was deleted",
    UNKNOWN_WEBHOOK: "the interaction is over",
    INVALID_WEBHOOK_TOKEN: "the interaction is over",
    40005: "the file is too large",
    50001: "the bot cannot see the channel",
    50007: "this person takes no direct messages from the bot",
    50013: "the bot lacks a permission there",
    50035: "Discord calls the message malformed",
    50083: "the thread is archived",
    160002: "the bot may not reply to messages there",
    160005: "the thread is locked",
    200000: "AutoMod blocked it",
    200001: "AutoMod blocked a title in it",
    240000: "Discord calls a link in it harmful",
}
"""What Discord's error codes say, for the log."""

_ID = re.compile(r"\d{5,}|@original")


@dataclass(frozen=True, slots=True)
class DiscordApi:
    """Where Discord's REST interface is, the client that speaks to it, the bot's token, and the limits."""

    client: httpx.AsyncClient
    url: str
    token: str = field(default="", repr=False)
    channels: ChannelBuckets = field(default_factory=ChannelBuckets, repr=False)
    limits: ApplicationLimits = field(default_factory=ApplicationLimits, repr=False)


class Endpoint:
    """What lies under one address, and shares `bucket`. `as_bot` sends the bot's token along."""

    def __init__(self, api: DiscordApi, path: str, bucket: Bucket, *, as_bot: bool, **names: int) -> None:
        self._client = api.client
        self._limits = api.limits
        self._as_bot = as_bot
        self._channel_id = names.get("channel")
        self._base = f"{api.url}{path}"
        self._headers = {"Authorization": f"Bot {api.token}"} if as_bot else {}
        self._log = structlog.get_logger("discordianai.discord.messages.rest").bind(**names)
        self._bucket = bucket

    @property
    def free_at(self) -> float:
        """When, on trio's clock, the bucket has room again."""
        return self._bucket.free_at

    async def insist(
        self, method: str, path: str, body: Body | None = None, files: Sequence[File] = ()
    ) -> Body:
        """Send a request, again and again while that may help. Raises `MessageError`.

        What holds back the whole application is waited for, and is none of the tries.
        """
        call = self._call(method, path, body, files)
        attempt, end = 0, trio.current_time() + LONGEST_WAIT
        while True:
            try:
                async with self._bucket.turn():
                    # Only now: what waits for its bucket is not sent in this second.
                    await self._limits.enter(call, end - trio.current_time())
                    return await self._send(call, method, path, body, files)
            except ApplicationHeld as error:
                if trio.current_time() + error.wait >= end:
                    raise
            except MessagesBusy as error:
                attempt += 1
                if attempt == ATTEMPTS:
                    raise
                self._log.debug("trying again", reason=str(error), attempt=attempt)
                await trio.sleep(max(error.wait, 0.25 * 2**attempt))

    async def request(self, method: str, path: str, body: Body | None = None) -> Body:
        """Send a request once, now or not at all. Raises `MessagesBusy` when a later try may do, else
        `MessageError`."""
        if not self._bucket.is_free:
            raise MessagesBusy("its bucket is empty, or others are writing there", 0.0)
        call = self._call(method, path, body, ())
        async with self._bucket.turn():
            await self._limits.enter(call)
            return await self._send(call, method, path, body, ())

    def _call(self, method: str, path: str, body: Body | None, files: Sequence[File]) -> Call:
        """What this request needs permissions for: not for its words, nor for the one message of many."""
        needs = [method, _ID.sub("ID", path)]
        if files:
            needs.append("files")
        if body and "message_reference" in body:
            needs.append("reference")
        return Call(" ".join(needs), self._channel_id, as_bot=self._as_bot)

    async def _send(
        self, call: Call, method: str, path: str, body: Body | None, files: Sequence[File]
    ) -> Body:
        content = _multipart(body or {}, files) if files else {"json": body}
        try:
            response = await self._client.request(method, self._base + path, headers=self._headers, **content)
        except httpx.HTTPError as error:
            # The error's text may carry the address, and so a token.
            raise MessagesBusy(f"Discord is not reachable: {type(error).__name__}", 0.5) from None
        self._learn(response)
        answer = json_of(response)
        self._limits.note(response.status_code, response.headers, answer, call)
        if response.is_success:
            return answer or {}
        if response.status_code == 429 and (wait := self._limits.held_for):
            raise ApplicationHeld("Discord answered 429, for the whole application", wait)
        raise _error(response, answer or {})

    def _learn(self, response: httpx.Response) -> None:
        """Let the next request wait for the bucket, instead of being refused."""
        if response.headers.get("x-ratelimit-remaining") == "0":
            self._bucket.close_for(_pause(response.headers.get("x-ratelimit-reset-after")))


def _multipart(body: Body, files: Sequence[File]) -> dict[str, Any]:
    """The same with files, as httpx is to send it."""
    attachments = [{"id": number, "filename": file.name} for number, file in enumerate(files)]
    return {
        "data": {"payload_json": json.dumps({**body, "attachments": attachments})},
        "files": {f"files[{number}]": (file.name, file.content) for number, file in enumerate(files)},
    }


def _error(response: httpx.Response, body: Body) -> MessageError:
    code = body.get("code", 0)
    if not isinstance(code, int):
        code = 0
    cause = f" ({CAUSES[code]})" if code in CAUSES else ""
    reason = f"Discord answered {response.status_code}, code {code}{cause}"
    if response.status_code == 429:
        return MessagesBusy(reason, _pause(body.get("retry_after")))
    if response.status_code >= 500:
        return MessagesBusy(reason, 0.0)
    if code in {UNKNOWN_WEBHOOK, INVALID_WEBHOOK_TOKEN}:
        return MessagesExpired(reason)
    if code in {UNKNOWN_CHANNEL, UNKNOWN_MESSAGE}:
        return MessagesClosed(reason)
    return MessageRefused(reason)


def json_of(response: httpx.Response) -> Body | None:
    """The JSON object in it; None where there is none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def id_of(message: Body) -> int:
    """The id of what Discord says it has made. Raises `MessageError`."""
    try:
        return snowflake(message, "id")
    except Malformed as error:
        raise MessageError(f"Discord's answer is malformed: {error}") from None


def _pause(text: object) -> float:
    """A wait for one bucket that Discord named, within reason."""
    return min(seconds(text, 1.0), LONGEST_PAUSE)
