"""The endpoints of REST about channels: their messages and threads."""

from starlette.requests import Request

from discordianai.sandbox.discord.api_objects import TEXT, Channel, User, direct_messages
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.message_parts import message_body
from discordianai.sandbox.discord.sandbox_message import EndpointResult, RestError, SandboxMessage

NONCE_LIMIT, MOST_NONCES = 25, 1000
"""Characters of a nonce, and how many are remembered."""


class ChannelEndpoints:
    """Their names are those of `RestServer.routes`."""

    def __init__(self, discord: LocalDiscord) -> None:
        self._discord = discord

    async def channel(self, request: Request) -> EndpointResult:
        """A channel of the guild."""
        return 200, self._channel(request).json()

    async def open_direct_messages(self, request: Request) -> EndpointResult:
        """The direct message channel of a user and the bot, which is there for everybody."""
        recipient_id = int((await request.json())["recipient_id"])
        channel = direct_messages(User(recipient_id, "Recipient"))
        if self._discord.channel(channel.id) is None:
            self._discord.direct_channels.append(channel)
        return 200, channel.json()

    async def reopen(self, request: Request) -> EndpointResult:
        """Open an archived thread again."""
        thread = self._channel(request)
        if (await request.json()) != {"archived": False} or thread.id in self._discord.locked_threads:
            raise RestError(403, 50013, "Missing Permissions")
        self._discord.archived_threads.discard(thread.id)
        return 200, thread.json()

    def _channel(self, request: Request) -> Channel:
        if int(request.path_params["channel"]) in self._discord.deleted_channels:
            raise RestError(404, 10003, "Unknown Channel")
        channel = self._discord.channel(int(request.path_params["channel"]))
        if channel is None or channel.id in self._discord.closed_channels:
            raise RestError(403, 50001, "Missing Access")
        return channel

    async def say(self, request: Request) -> EndpointResult:
        """Create a message in a channel; in an archived thread, that opens it again."""
        channel, discord = self._channel(request), self._discord
        if channel.id in discord.locked_threads:
            raise RestError(403, 160005, "Thread is locked")
        if channel.guild_id is None and channel.id + 1 in discord.unreachable_people:
            raise RestError(403, 50007, "Cannot send messages to this user")
        discord.archived_threads.discard(channel.id)
        message = discord.message(channel.id)
        body, files = await message_body(discord, request, message.channel_id)
        nonce = str(body.get("nonce", "")) if body.get("enforce_nonce") else ""
        if len(nonce) > NONCE_LIMIT:
            raise RestError(400, 50035, "Invalid Form Body")
        if nonce in discord.by_nonce:  # it was sent before, and its response was lost
            return 200, discord.by_nonce[nonce].json()
        message.update(body, files)
        discord.channel_messages.append(message)
        if nonce:
            discord.by_nonce[nonce] = message
            while len(discord.by_nonce) > MOST_NONCES:
                del discord.by_nonce[next(iter(discord.by_nonce))]
        return 200, message.json()

    def _own_message(self, request: Request) -> SandboxMessage:
        channel_id = self._channel(request).id
        wanted = (request.path_params["message"], channel_id)
        for message in self._discord.channel_messages:
            if (str(message.id), message.channel_id) == wanted and not message.deleted:
                return message
        raise RestError(404, 10008, "Unknown Message")

    async def change(self, request: Request) -> EndpointResult:
        """Edit a message in a channel."""
        message = self._own_message(request)
        if message.channel_id in self._discord.archived_threads | self._discord.locked_threads:
            raise RestError(400, 50083, "Thread is archived")
        message.update(*await message_body(self._discord, request, message.channel_id))
        return 200, message.json()

    async def remove(self, request: Request) -> EndpointResult:
        """Delete a message in a channel."""
        self._own_message(request).deleted = True
        return 204, None

    async def type(self, request: Request) -> EndpointResult:
        """Show the typing indicator."""
        self._discord.counters.typing.append(self._channel(request).id)
        return 204, None

    async def open_thread(self, request: Request) -> EndpointResult:
        """Create a thread in a channel."""
        parent, body = self._channel(request), await request.json()
        if parent.kind != TEXT or parent.guild_id is None:
            raise RestError(400, 50024, "Cannot execute action on this channel type")
        if parent.id in self._discord.channels_without_threads:
            raise RestError(403, 50013, "Missing Permissions")
        if not 1 <= len(body["name"]) <= 100:
            raise RestError(400, 50035, "Invalid Form Body")
        if any(word in body["name"] for word in self._discord.blocked_words):
            raise RestError(400, 200001, "Title was blocked by automatic moderation")
        thread = self._discord.add_thread(parent, body["name"])
        return 201, thread.json()
