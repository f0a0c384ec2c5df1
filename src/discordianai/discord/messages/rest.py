"""Discord's REST API, with httpx on the trio thread: routes, each with its rate-limit bucket."""

import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import httpx
import structlog
import trio

from discordianai import bounded_http
from discordianai.discord.events.payload import Malformed, number, snowflake
from discordianai.discord.messages.application_limits import (
    BLOCKED_BEFORE,
    LONGEST_WAIT,
    ApplicationHeld,
    ApplicationLimits,
    is_discords,
    wait_of,
)
from discordianai.discord.messages.buckets import Bucket, ChannelBuckets, Share
from discordianai.discord.messages.port import (
    Body,
    ChannelGone,
    ContentRefused,
    File,
    MessageError,
    MessageGone,
    MessageRefused,
    MessagesBusy,
    MessagesExpired,
    NotPermitted,
    ThreadArchived,
)
from discordianai.discord.messages.refused_calls import FILTERED, LONGEST_PAUSE, NOT_PERMITTED, Call
from discordianai.waits import named_wait

ATTEMPTS = 6
"""Attempts of a request that must arrive, at least."""

LONGEST_BETWEEN = 15.0
"""Seconds between two of them, where Discord names none."""

LONGEST_ASKED = 120.0
"""Seconds that a message waits at most where Discord asks for it: a longer wait is told at once."""

LONGEST_TROUBLE = 120.0
"""Seconds for which it is sent again while Discord cannot take it."""

LONGEST_COUNT = 9
"""Digits that a believable number of requests may have."""

UNKNOWN_CHANNEL = 10003
THREAD_ARCHIVED = 50083
UNKNOWN_MESSAGE = 10008
UNKNOWN_WEBHOOK = 10015
UNKNOWN_INTERACTION = 10062
INVALID_WEBHOOK_TOKEN = 50027

CAUSES = {
    UNKNOWN_CHANNEL: "the channel was deleted",
    UNKNOWN_MESSAGE: "the message was deleted",
    UNKNOWN_WEBHOOK: "the interaction is over",
    UNKNOWN_INTERACTION: "the interaction is over",
    INVALID_WEBHOOK_TOKEN: "the interaction is over",
    40005: "the file is too large",
    50001: "the bot cannot see the channel: allow its role View Channel there",
    50007: "this person does not accept direct messages from the bot",
    50013: "the bot lacks a permission there: open the link of `discordianai invite` again",
    50035: "Discord calls the message malformed",
    THREAD_ARCHIVED: "the thread is archived",
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
    """The routes below one address, which share `bucket`, of which a person has a share.

    `as_bot` sends the bot's token along.
    """

    def __init__(
        self,
        api: DiscordApi,
        path: str,
        bucket: Bucket,
        *,
        as_bot: bool,
        person_id: int | None = None,
        **names: int,
    ) -> None:
        self._client = api.client
        self._limits = api.limits
        self._as_bot = as_bot
        self._channel_id, self._interaction_id = names.get("channel"), names.get("interaction")
        self._base = f"{api.url}{path}"
        self._headers = {"Authorization": f"Bot {api.token}"} if as_bot else {}
        self._log = structlog.get_logger("discordianai.discord.messages.rest").bind(**names)
        self._bucket = bucket
        self._share = None if person_id is None else Share(person_id, id(self))

    @property
    def free_at(self) -> float:
        """When, on trio's clock, the bucket has room again."""
        return self._bucket.free_at

    @property
    def spare_at(self) -> float:
        """When, on trio's clock, the bucket has room again for what may be left out."""
        return max(self._bucket.spare_at, self._bucket.share_at(self._share))

    @property
    def is_crowded(self) -> bool:
        """Whether so many wait for the bucket that only what has to arrive should join them."""
        return self._bucket.is_crowded

    async def insist(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        files: Sequence[File] = (),
        within: float = LONGEST_ASKED,
    ) -> Body:
        """Send a request, again and again while that may help. Raises `MessageError`.

        Waiting for a limit of the whole application does not count as an attempt. What Discord asks to wait
        for this one alone is waited for up to `within` seconds each time; and for no longer than that, and
        `LONGEST_TROUBLE`, it is sent again while Discord cannot take it.
        """
        call = self._call(method, path, body, files)
        attempt, troubled_until, end = 0, math.inf, trio.current_time() + LONGEST_WAIT
        while True:
            try:
                return await self._once(call, method, path, body, files, end)
            except ApplicationHeld as error:
                if trio.current_time() + error.wait >= end:
                    raise
            except MessagesBusy as error:
                attempt += 1
                now = trio.current_time()
                troubled_until = min(troubled_until, now + min(within, LONGEST_TROUBLE))
                if error.wait > within and not self._as_bot:  # the channel may take it
                    raise MessagesExpired(str(error)) from error
                if error.wait > within or (attempt >= ATTEMPTS and now >= troubled_until):
                    raise
                self._log.debug("trying again", reason=str(error), attempt=attempt)
                await trio.sleep(max(error.wait, min(0.25 * 2**attempt, LONGEST_BETWEEN)))

    async def once(self, method: str, path: str, body: Body | None = None, within: float = 0.0) -> Body:
        """Send a request once, after its bucket, and after the limits of the application where these allow it
        `within` seconds. Raises `MessageError`."""
        call = self._call(method, path, body, ())
        return await self._once(call, method, path, body, (), trio.current_time() + within)

    async def _once(
        self, call: Call, method: str, path: str, body: Body | None, files: Sequence[File], end: float
    ) -> Body:
        self._limits.refused.check(call)  # before it waits for others
        async with self._bucket.turn(self._share):
            # Only now: what waits for its bucket is not sent in this second.
            await self._limits.enter(call, end - trio.current_time())
            return await self._send(call, method, path, body, files)

    async def request(self, method: str, path: str, body: Body | None = None, within: float = 0.0) -> Body:
        """Send a request once, or not at all where the limits of the application allow none `within` seconds.

        Raises `MessagesBusy` when a later try may do, else `MessageError`.
        """
        if not self._bucket.is_spare or trio.current_time() < self.spare_at:
            raise MessagesBusy("its bucket is empty, or others are writing there", 0.0)
        return await self.once(method, path, body, within)

    def _call(self, method: str, path: str, body: Body | None, files: Sequence[File]) -> Call:
        kind = _kind_of(method, path, body, files)
        return Call(kind, self._channel_id, self._as_bot, self._interaction_id)

    async def _send(
        self, call: Call, method: str, path: str, body: Body | None, files: Sequence[File]
    ) -> Body:
        content = _multipart(body or {}, files) if files else {"json": body}
        try:
            request = self._client.build_request(method, self._base + path, headers=self._headers, **content)
            with self._limits.probing():
                response = await bounded_http.send(self._client, request)
        except httpx.PoolTimeout:
            # It was not even sent, so that it is none of the tries.
            raise ApplicationHeld("every connection to Discord is in use", 0.0) from None
        except httpx.HTTPError as error:
            # The error's text may carry the address, and so a token.
            raise MessagesBusy(f"Discord is not reachable: {type(error).__name__}", 0.5) from None
        self._learn(response)
        answer = json_of(response)
        reason = reason_of(response, answer or {})
        self._limits.note(response.status_code, response.headers, answer, call, reason)
        if is_taken(response, answer):
            return answer or {}
        of_all = response.status_code == 429 or (response.status_code == 403 and not is_discords(answer))
        if of_all and (wait := self._limits.held_for):
            raise ApplicationHeld(f"{reason}, for the whole application", wait)
        refusal = _error(method, response, answer, reason)
        if isinstance(refusal, MessagesBusy) and refusal.wait:
            self._bucket.close_for(min(refusal.wait, LONGEST_PAUSE))  # also for the others who write there
        raise refusal

    def _learn(self, response: httpx.Response) -> None:
        """Let the next request wait for the bucket, instead of being refused."""
        told = response.headers
        left, limit = (_count(told.get(f"x-ratelimit-{name}")) for name in ("remaining", "limit"))
        if left is not None:
            self._bucket.learn(left, limit or left, _pause(told.get("x-ratelimit-reset-after")))


def user_agent() -> str:
    """As Discord wants it of bots: Cloudflare may block others."""
    return f"DiscordBot (discordianai, {version('discordianai')})"


def _kind_of(method: str, path: str, body: Body | None, files: Sequence[File] = ()) -> str:
    """The kind of call whose permissions a request needs, regardless of its text and message."""
    needs = [method, _ID.sub("ID", path)]
    if files:
        needs.append("files")
    if body and "message_reference" in body:
        needs.append("reference")
    return " ".join(needs)


def _multipart(body: Body, files: Sequence[File]) -> dict[str, Any]:
    """The same with files, as httpx is to send it."""
    attachments = [{"id": number, "filename": file.name} for number, file in enumerate(files)]
    return {
        "data": {"payload_json": json.dumps({**body, "attachments": attachments})},
        "files": {f"files[{number}]": (file.name, file.content) for number, file in enumerate(files)},
    }


def _code(body: Body) -> int:
    try:
        return number(body, "code", 0)
    except Malformed:
        return 0


def reason_of(response: httpx.Response, body: Body) -> str:
    """Why Discord accepted nothing, for the log: status, code, and the cause if it is known."""
    code = _code(body)
    cause = f" ({CAUSES[code]})" if code in CAUSES else ""
    return f"Discord answered {response.status_code}, code {code}{cause}"


def _error(method: str, response: httpx.Response, answer: Body | None, reason: str) -> MessageError:
    body = answer or {}
    code = _code(body)
    if response.is_success or not (is_discords(answer) or _may_be_about_words(response, code)):
        return MessagesBusy("something else than Discord has answered", 0.0)
    if response.status_code == 429 or response.status_code >= 500:
        wait, unnamed = wait_of(response.headers, body), 1.0 if response.status_code == 429 else 0.0
        return MessagesBusy(reason, unnamed if wait is None else wait)
    if code in {UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, INVALID_WEBHOOK_TOKEN}:
        return MessagesExpired(reason)
    if code == UNKNOWN_CHANNEL:
        return ChannelGone(reason)
    if code == UNKNOWN_MESSAGE and method != "POST":  # nobody can have removed a new one
        return MessageGone(reason)
    if code == THREAD_ARCHIVED:
        return ThreadArchived(reason)
    if code in FILTERED:
        return ContentRefused(reason)
    if code in NOT_PERMITTED:
        return NotPermitted(reason)
    return MessageRefused(reason)


def _may_be_about_words(response: httpx.Response, code: int) -> bool:
    """Whether what is no answer of Discord's may still be one to these words: a firewall's, or to their size.

    429s and errors of a server are told by their status.
    """
    status = response.status_code
    return status in {400, 413, 429} or status >= 500 or (status == 403 and code != BLOCKED_BEFORE)


def json_of(response: httpx.Response) -> Body | None:
    """The JSON object in it; None where there is none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def is_taken(response: httpx.Response, answer: Body | None) -> bool:
    """Whether Discord has taken a request; `answer` is the JSON of its response.

    A page with the status of a success is of something on the way, which has let nothing through.
    """
    return response.is_success and (answer is not None or not response.content)


def rejects_token(response: httpx.Response) -> bool:
    """Whether Discord says that the bot's token is wrong. A 401 without its JSON is that of a proxy."""
    return response.status_code == 401 and is_discords(json_of(response))


def id_of(message: Body) -> int:
    """The id of what Discord says it has made. Raises `MessageError`."""
    try:
        return snowflake(message, "id")
    except Malformed as error:
        raise MessageError(f"Discord's answer is malformed: {error}") from None


def _count(text: str | None) -> int | None:
    """A number of requests that Discord named; None if it is invalid."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < LONGEST_COUNT else None


def _pause(text: object) -> float:
    """A wait for one bucket that Discord named, within reason."""
    named = named_wait(text, time.time())
    return 1.0 if named is None else min(named, LONGEST_PAUSE)
