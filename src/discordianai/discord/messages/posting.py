"""The two ways of `Messages`: through the webhook of an interaction, and in a channel as the bot itself.

The webhook needs only the stored ids of the interaction, so an answer continues while the gateway's library
is reconnecting or restarting. That library also shares one rate-limit bucket among all interactions, which
Discord does not: here each interaction waits for its own.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from discordianai.discord.events.message_content import LOADING
from discordianai.discord.messages.buckets import Bucket
from discordianai.discord.messages.port import (
    Body,
    ContentRefused,
    File,
    MessageError,
    MessageRefused,
    MessagesBusy,
    MessagesClosed,
    ThreadArchived,
)
from discordianai.discord.messages.refused_calls import LONGEST_PAUSE
from discordianai.discord.messages.rest import DiscordApi, Endpoint, id_of
from discordianai.records import ReplyAddress

TYPING_WITHIN = 1.0
"""Seconds that the typing indicator waits for others' requests of this second."""

NONCE_BYTES = 12
"""In hexadecimal digits twice as many; Discord takes 25 characters."""

PUBLIC_THREAD = 11
"""Discord's number for it."""

HEADING = re.compile(r"-# For <@\d+>\n")
"""What `heading_for` returns."""


def heading_for(person_id: int) -> str:
    """The first line of what moves from an interaction to its channel, where nothing else shows whose it is.

    It notifies nobody, with `allowed_mentions` as every message of the bot's has them.
    """
    return f"-# For <@{person_id}>\n"


class InteractionWebhook:
    """The messages of one interaction."""

    def __init__(self, api: DiscordApi, address: ReplyAddress) -> None:
        path = f"/webhooks/{address.application_id}/{address.token}"
        self._endpoint = Endpoint(api, path, Bucket(), as_bot=False, interaction=address.interaction_id)

    async def is_open(self) -> bool:
        """Whether the interaction's first message is there to be edited. Raises `MessageError`."""
        try:
            await self._endpoint.request("GET", "/messages/@original")
        except MessagesClosed:
            return False
        return True

    async def is_thinking(self) -> bool:
        """Whether the bot is still seen to think: what is written then takes that place, and is as public.

        Raises `MessageError`.
        """
        try:
            original = await self._endpoint.insist("GET", "/messages/@original")
        except MessagesClosed:
            return False
        flags = original.get("flags", 0)
        return not isinstance(flags, int) or bool(flags & LOADING)  # what cannot be read is not relied on

    @property
    def free_at(self) -> float:
        """See `Messages.free_at`."""
        return self._endpoint.spare_at

    async def try_edit(self, message_id: int | None, body: Body) -> None:
        """See `Messages.try_edit`."""
        await self._endpoint.request("PATCH", f"/messages/{message_id or '@original'}", body)

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        """See `Messages.edit`."""
        await self._endpoint.insist("PATCH", f"/messages/{message_id or '@original'}", body, files)

    async def create(self, body: Body) -> int:
        """See `Messages.create`."""
        message = await self._endpoint.insist("POST", "?wait=true", body)
        return id_of(message)

    async def delete(self, message_id: int | None) -> None:
        """See `Messages.delete`; also the original one."""
        with suppress(MessagesClosed):
            await self._endpoint.insist("DELETE", f"/messages/{message_id or '@original'}")


async def _nobody(message_id: int) -> None:
    """Does nothing."""


class ChannelMessages:
    """`Messages` in a channel. The original one is written with the first edit, as a reply to `reply_to`.

    `person_id` is whom the messages are for: nobody may use up all that Discord accepts in a channel.
    `original` is the id of the first one where it is there already; `noted` is told the id when it is not.
    """

    def __init__(
        self,
        api: DiscordApi,
        channel_id: int,
        *,
        person_id: int | None = None,
        reply_to: int | None = None,
        original: int | None = None,
        noted: Callable[[int], Awaitable[None]] = _nobody,
    ) -> None:
        path, bucket = f"/channels/{channel_id}", api.channels.bucket(channel_id)
        self._endpoint = Endpoint(api, path, bucket, as_bot=True, person_id=person_id, channel=channel_id)
        self._typing = Endpoint(api, path, Bucket(), as_bot=True, channel=channel_id)
        self._reply_to = reply_to
        self._original = original
        self._noted = noted

    @property
    def free_at(self) -> float:
        """See `Messages.free_at`. The first edit of the original has to arrive, and waits for others less."""
        return self._endpoint.free_at if self._original is None else self._endpoint.spare_at

    @property
    def spare_at(self) -> float:
        """When, on trio's clock, an edit that may be skipped can be sent."""
        return self._endpoint.spare_at

    async def try_edit(self, message_id: int | None, body: Body) -> None:
        """See `Messages.try_edit`. The first edit of the original has to arrive: others follow it.

        A crowd is not joined with it: when they are through, the whole answer may be there.
        """
        known = message_id or self._original
        if known is None:
            if self._endpoint.is_crowded:
                raise MessagesBusy("many others wait to write there", 0.0)
            await self._write_original(body, ())
            return
        try:
            await self._endpoint.request("PATCH", f"/messages/{known}", body)
        except ThreadArchived as archived:
            await self._reopen(archived)
            raise MessagesBusy(str(archived), 0.0) from None

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        """See `Messages.edit`."""
        known = message_id or self._original
        if known is None:
            await self._write_original(body, files)
        else:
            await self._edit(f"/messages/{known}", body, files)

    async def _edit(self, path: str, body: Body, files: Sequence[File]) -> None:
        """Reopen a thread that was archived meanwhile, which everybody may who may write there."""
        try:
            await self._endpoint.insist("PATCH", path, body, files)
        except ThreadArchived as archived:
            await self._reopen(archived)
            await self._endpoint.insist("PATCH", path, body, files)

    async def _reopen(self, archived: ThreadArchived) -> None:
        """Raises what told of it where that is refused, as in a thread that is locked."""
        try:
            await self._endpoint.insist("PATCH", "", {"archived": False}, within=LONGEST_PAUSE)
        except (MessageRefused, MessagesBusy):
            raise archived from None

    async def _write_original(self, body: Body, files: Sequence[File]) -> None:
        message = await self._reply(body, files)
        self._original = id_of(message)
        await self._noted(self._original)

    async def _reply(self, body: Body, files: Sequence[File]) -> Body:
        """As a reply, or else as a plain message: the bot may not be allowed to see the original."""
        if self._reply_to is not None:
            reference = {"message_id": self._reply_to, "fail_if_not_exists": False}
            try:
                return await self._post({**body, "message_reference": reference}, files)
            except ContentRefused:
                raise
            except MessageRefused:
                message = await self._post(body, files)  # else it may be a reply later
                self._reply_to = None
                return message
        return await self._post(body, files)

    async def _post(self, body: Body, files: Sequence[File] = ()) -> Body:
        """One whose response was lost is sent again, and by its nonce Discord does not make another of it."""
        once = {**body, "nonce": secrets.token_hex(NONCE_BYTES), "enforce_nonce": True}
        return await self._endpoint.insist("POST", "/messages", once, files)

    async def create(self, body: Body) -> int:
        """See `Messages.create`."""
        return id_of(await self._post(body))

    async def delete(self, message_id: int) -> None:
        """See `Messages.delete`."""
        with suppress(MessagesClosed):
            await self._endpoint.insist("DELETE", f"/messages/{message_id}")

    async def show_typing(self) -> None:
        """Show that the bot is writing, for about ten seconds, if that is possible."""
        with suppress(MessageError):
            await self._typing.request("POST", "/typing", within=TYPING_WITHIN)

    async def open_thread(self, name: str) -> int:
        """Open a public thread and return its id. Raises `MessageError`."""
        body = {"name": name, "type": PUBLIC_THREAD}
        thread = await self._endpoint.insist("POST", "/threads", body, within=LONGEST_PAUSE)
        return id_of(thread)
