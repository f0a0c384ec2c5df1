"""The local Discord: its sessions, commands and interactions, and the methods that control it."""

import math
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any

import trio

from discordianai.sandbox.discord.api_objects import (
    BOT,
    CHANNELS,
    EVERYTHING,
    GUILD,
    THREAD,
    Channel,
    Json,
    Snowflakes,
    User,
    interaction_token,
    member_json,
    person,
)
from discordianai.sandbox.discord.gateway_control import GatewayControl
from discordianai.sandbox.discord.options import DiscordOptions
from discordianai.sandbox.discord.rate_limit_buckets import Buckets
from discordianai.sandbox.discord.sandbox_interaction import Interaction, options_json
from discordianai.sandbox.discord.sandbox_message import SandboxMessage
from discordianai.sandbox.discord.shard import guild_of


class LocalDiscord(GatewayControl):
    """A Discord with one guild. Tests and the terminal call its methods; bots use REST and the gateway."""

    def __init__(self, options: DiscordOptions) -> None:
        super().__init__(options)
        self.url = ""
        self.ids = Snowflakes()
        self.registered: dict[int | None, dict[str, Json]] = {}
        """The commands of each guild, by their names; under None the global ones."""
        self.interactions: dict[str, Interaction] = {}
        self.channel_messages: list[SandboxMessage] = []
        self.threads: list[Channel] = []
        self.direct_channels: list[Channel] = []
        self.uploads: dict[str, tuple[str, bytes]] = {}
        """Content type and content of each uploaded file, by its path."""
        self.closed_channels: set[int] = set()
        """Where the bot may not write."""
        self.by_nonce: dict[str, SandboxMessage] = {}
        """Channel messages that were sent with `enforce_nonce`; the last thousand."""
        self.deleted_channels: set[int] = set()
        self.archived_threads: set[int] = set()
        """Whose messages cannot be edited, until somebody writes there or opens them again."""
        self.locked_threads: set[int] = set()
        """Where only moderators may write or open them again."""
        self.unreachable_people: set[int] = set()
        """Who take no direct messages from the bot, or have left its guild."""
        self.refused_texts: dict[str, tuple[int, int]] = {}
        """Status and code of the refusal of each message whose JSON has this text."""
        self.file_limit = 10 * 1024 * 1024
        """Bytes of all files of a message, on a server without boosts."""
        self.channels_without_files: set[int] = set()
        self.channels_without_replies: set[int] = set()
        self.channels_without_threads: set[int] = set()
        """Where the bot lacks a permission."""
        self.blocked_words: set[str] = set()
        """What AutoMod, or Discord's own filter, takes in no message."""
        self.webhook_buckets = Buckets(options.webhook_requests, options.webhook_period, "webhook0bucket")
        self.channel_buckets = Buckets(5, 5.0, "channel0bucket")
        self.global_bucket = Buckets(50, 1.0, "global")
        self.banned_until = -float("inf")
        """On trio's clock: until then, Cloudflare answers every request with a page."""
        self._limited: dict[str, float] = {}
        self.limited_until = -float("inf")
        """On trio's clock: until then, all but acknowledgements get a global 429."""
        self._failures: deque[tuple[str, int]] = deque()

    @property
    def api_url(self) -> str:
        """The value for `discord.api_url` in the bot's settings."""
        return f"{self.url}/api/v10"

    @property
    def commands(self) -> dict[str, Json]:
        """All commands, wherever they are registered. Clients may show them for longer than that."""
        return {name: command for listed in self.registered.values() for name, command in listed.items()}

    def offered(self, guild_id: int | None, *, guest: bool = False) -> set[str]:
        """The names that people are offered in this guild, or in direct messages where it is None."""
        here = {} if guest or guild_id is None else self.registered.get(guild_id, {})
        return {*self.registered.get(None, {}), *here}

    @property
    def gateway_url(self) -> str:
        """The gateway's URL."""
        return self.url.replace("http", "ws", 1) + "/gateway"

    def channel(self, channel_id: int) -> Channel | None:
        """A channel or thread of the guild, or a known direct message channel."""
        known = (*CHANNELS, *self.threads, *self.direct_channels)
        found = next((channel for channel in known if channel.id == channel_id), None)
        return found or self.more_guilds.find_channel(channel_id)

    def add_thread(self, parent: Channel, name: str) -> Channel:
        """Create a thread of the bot's, and send its THREAD_CREATE."""
        thread = Channel(self.ids.next(), name, parent.guild_id, THREAD, parent_id=parent.id, owner_id=BOT.id)
        self.threads.append(thread)
        self.dispatch("THREAD_CREATE", thread.json())
        return thread

    def ban(self, seconds: float) -> None:
        """Have Cloudflare ban the bot's address for so long."""
        self.banned_until = trio.current_time() + seconds

    def limit_globally(self, seconds: float) -> None:
        """Answer with a global 429 for so long, whatever was sent before; not acknowledgements."""
        self.limited_until = trio.current_time() + seconds

    # What users do

    async def invoke(
        self,
        command: str,
        options: Mapping[str, object] | None = None,
        *,
        user: User | None = None,
        channel: Channel = CHANNELS[0],
        guest: bool = False,
        timeout: float = 10.0,
    ) -> Interaction:
        """A user runs a slash command, once the bot is ready; see `invoke_now`."""
        with trio.fail_after(timeout):
            await self.wait_ready(command)
        return self.invoke_now(command, options, user=user, channel=channel, guest=guest)

    def invoke_now(
        self,
        command: str,
        options: Mapping[str, object] | None = None,
        *,
        user: User | None = None,
        channel: Channel = CHANNELS[0],
        guest: bool = False,
    ) -> Interaction:
        """A user runs a slash command, whether or not the bot is connected.

        With `guest`, the bot is not a member there, but the user's own app. Raises `ValueError` for options
        that Discord's own client would not accept.
        """
        declared = self.commands[command]
        files = {
            value["id"]: value for value in (options or {}).values() if isinstance(value, dict)
        }  # as `user_actions.upload` makes them
        data = {
            "id": declared["id"],
            "name": command,
            "type": 1,
            "options": options_json(declared, options or {}),
            "resolved": {"attachments": files},
        }
        user = user or person()
        more: Json = {"authorizing_integration_owners": {"1": str(user.id)}} if guest else {}
        if guest and channel.guild_id is None:
            more["context"] = 2  # another user's direct messages
        return self.interact(2, data, user, channel, **more)

    def press(self, message: SandboxMessage, button: str, user: User) -> Interaction:
        """A user presses a button of a message; `button` is its label or custom id."""
        source = next((found for found in self.interactions.values() if message in found.messages), None)
        components = [part for row in message.components for part in row["components"]]
        custom_id = next((part["custom_id"] for part in components if part["label"] == button), button)
        data = {"custom_id": custom_id, "component_type": 2}
        channel, shown = self.channel(message.channel_id), message.json()
        more: Json = {}
        if source is not None:  # only a response to an interaction names it
            channel = source.channel
            metadata = {"id": str(source.id), "type": 2, "user": source.user.json()}
            shown["interaction_metadata"] = metadata
            told = ("authorizing_integration_owners", "context")
            more = {key: source.payload[key] for key in told if key in source.payload}
        if channel is None:
            raise ValueError("the message's channel is unknown")
        pressed = self.interact(3, data, user, channel, message=shown, **more)
        pressed.source = message
        return pressed

    def interact(self, kind: int, data: Json, user: User, channel: Channel, **more: Any) -> Interaction:
        """Create an interaction and send its event, which `more` extends or changes."""
        interaction_id = self.ids.next()
        token = interaction_token(interaction_id, secrets.token_urlsafe(48))
        interaction = Interaction(interaction_id, token, user, channel, self.now())
        self.interactions[token] = interaction
        who: Json = {"user": user.json()}
        if channel.guild_id is None and channel not in self.direct_channels:
            self.direct_channels.append(channel)
        if channel.guild_id is not None:
            partial_guild = {"id": str(channel.guild_id), "locale": "en-US", "features": []}
            who = {
                "member": member_json(user),
                "guild_id": str(channel.guild_id),
                "guild": partial_guild,
                "guild_locale": "en-US",
            }
        payload = {
            "id": str(interaction_id),
            "application_id": str(BOT.id),
            "type": kind,
            "data": data,
            "token": token,
            "version": 1,
            "channel_id": str(channel.id),
            "channel": channel.json(),
            "locale": "en-US",
            "app_permissions": str(EVERYTHING),
            "entitlements": [],
            "attachment_size_limit": 10_485_760,
            "authorizing_integration_owners": {"0": str(channel.guild_id or 0)},
            "context": 0 if channel.guild_id else 1,
            **who,
            **more,
        }
        interaction.payload = payload
        self.replay(interaction)
        self.note_change()
        return interaction

    def replay(self, interaction: Interaction) -> None:
        """Send an interaction's event again, as Discord may.

        Discord does not say on which shard one from a guild comes that the bot is not in: here it changes.
        """
        guild_id, payload = guild_of("INTERACTION_CREATE", interaction.payload), interaction.payload
        guest = guild_id is not None and "0" not in payload["authorizing_integration_owners"]
        for session in self.sessions.values():
            if session.shard.serves(interaction.id << 22 if guest else guild_id):
                session.dispatch("INTERACTION_CREATE", payload)

    # What a test or the terminal controls

    def permissions_changed(self) -> None:
        """Send the CHANNEL_UPDATE of each channel, as Discord does where permissions have changed."""
        for channel in CHANNELS:
            self.dispatch("CHANNEL_UPDATE", channel.json())

    async def wait_ready(self, command: str = "ask") -> None:
        """Wait until a bot is connected and has registered `command`. The caller bounds the wait."""
        await self._connected.wait()
        while command not in self.commands:  # noqa: ASYNC110  # polled: it happens once
            await trio.sleep(0.01)

    def send_guild(self) -> None:
        """Send the guild's GUILD_CREATE to every session."""
        self.dispatch("GUILD_CREATE", self.guild_json())

    def guild_json(self) -> Json:
        """The guild with its threads, as GUILD_CREATE has it."""
        return {**GUILD.json(BOT), "threads": [thread.json() for thread in self.threads]}

    def fail_next(self, path_contains: str, status: int, times: int = 1) -> None:
        """Answer the next `times` REST requests whose path contains this with an error."""
        self._failures.extend([(path_contains, status)] * times)

    def limit_rate(self, path: str, seconds: float) -> None:
        """Answer each REST request whose path ends with this by a 429 for so long."""
        self._limited[path] = trio.current_time() + seconds

    def clear_failures(self) -> None:
        """Forget the errors of `fail_next` and the limits of `limit_rate` that are left."""
        self._failures.clear()
        self._limited.clear()

    # For the gateway and the REST side

    def failure_for(self, path: str) -> int | None:
        """The error status that `fail_next` has set for this request, if any."""
        for failure in self._failures:
            if failure[0] in path:
                self._failures.remove(failure)
                return failure[1]
        return None

    def limited_for(self, path: str) -> float:
        """Seconds for which `limit_rate` still limits this request."""
        limits = (until for end, until in self._limited.items() if path.endswith(end))
        return max(max(limits, default=-math.inf) - trio.current_time(), 0.0)

    def message(self, channel_id: int, flags: int = 0) -> SandboxMessage:
        """A new, empty message."""
        return SandboxMessage(self.ids.next(), channel_id, flags)
