"""Writes in a channel as the bot itself, where it may: when an interaction is over."""

from discordianai.discord.messages import Body
from discordianai.discord.rest import DiscordApi, Endpoint


class ChannelMessages:
    """The bot's own messages in one channel."""

    def __init__(self, api: DiscordApi, channel_id: int) -> None:
        self._endpoint = Endpoint(api, f"/channels/{channel_id}/messages", as_bot=True, channel=channel_id)

    async def create(self, body: Body) -> int:
        """Write a message and return its id. Raises `MessageError`."""
        message = await self._endpoint.insist("POST", "", body)
        return int(message["id"])
