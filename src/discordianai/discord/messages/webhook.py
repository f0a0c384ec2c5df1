"""Writes the messages of one interaction through Discord's webhook for it.

It needs nothing but the stored ids of the interaction, so that an answer goes on while the gateway's library
is reconnecting or being restarted. That library also shares one rate-limit bucket among all interactions,
which Discord does not: here each interaction waits for its own.
"""

from collections.abc import Sequence
from contextlib import suppress

from discordianai.discord.messages.bucket import Bucket
from discordianai.discord.messages.port import Body, File, MessagesClosed
from discordianai.discord.messages.rest import DiscordApi, Endpoint, id_of
from discordianai.records import ReplyAddress


class InteractionWebhook:
    """`Messages` over Discord's webhook."""

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

    @property
    def free_at(self) -> float:
        """See `Messages.free_at`."""
        return self._endpoint.free_at

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

    async def delete(self, message_id: int) -> None:
        """See `Messages.delete`."""
        with suppress(MessagesClosed):
            await self._endpoint.insist("DELETE", f"/messages/{message_id}")
