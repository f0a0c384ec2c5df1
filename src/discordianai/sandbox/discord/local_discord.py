"""The local Discord: its sessions, commands and interactions, and the methods that control it."""

import math
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
from discordianai.sandbox.discord.gateway_faults import FAULTS, FaultMoment, GatewayFault
from discordianai.sandbox.discord.rate_limit_buckets import Buckets
from discordianai.sandbox.discord.sandbox_interaction import Interaction, options_json
from discordianai.sandbox.discord.sandbox_message import SandboxMessage

PRIVILEGED_INTENTS = 1 << 1 | 1 << 8 | 1 << 15
"""Guild members, presences and message content."""


@dataclass(frozen=True, slots=True)
class DiscordOptions:
    """How the local Discord behaves. Times are in seconds."""

    token: str = "sandbox-token"  # noqa: S105  # it opens nothing
    allowed_intents: int = ~PRIVILEGED_INTENTS
    application_flags: int = 0
    heartbeat_interval: float = 40.0
    identifies: int = 1000
    """How many IDENTIFYs the bot has a day."""
    identify_interval: float = 5.0
    """An IDENTIFY sooner than this after the last one gets op 9."""
    webhook_requests: int = 5
    webhook_period: float = 5.0


@dataclass(eq=False)
class SandboxSession:
    """A gateway session, which outlives its connection so that it can be resumed."""

    id: str
    sequence: int = 0
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=5000))
    """Sent events, to be replayed on RESUME."""
    outbox: trio.MemorySendChannel[Json] | None = None
    """Where the connection takes its events from; None without a connection."""

    def dispatch(self, name: str, data: Json) -> None:
        """Send an event, or keep it for a RESUME."""
        self.sequence += 1
        event = {"op": 0, "t": name, "s": self.sequence, "d": data}
        self.events.append(event)
        if self.outbox is not None:
            self.outbox.send_nowait(event)


@dataclass(eq=False, slots=True)
class ConnectionEnd:
    """When a gateway connection ends, and how: closed with `code`, or `frozen` until `heal_gateway`."""

    event: trio.Event = field(default_factory=trio.Event)
    code: int = 4000
    frozen: bool = False


@dataclass(slots=True)
class Counters:
    """What has happened so far."""

    identifies: int = 0
    resumes: int = 0
    identify_times: list[float] = field(default_factory=list)
    """When, on trio's clock, each IDENTIFY with the right token came, whatever its answer."""
    resume_times: list[float] = field(default_factory=list)
    gateway_questions: list[float] = field(default_factory=list)
    """When, on trio's clock, each `GET /gateway/bot` came, whatever its answer."""
    intents: int = 0
    presence: Json = field(default_factory=dict)
    """The last IDENTIFY's."""
    typing: list[int] = field(default_factory=list)
    """The channels with a typing indicator."""
    rate_limited: int = 0
    """429s."""
    globally_limited: int = 0
    """Of them: for more than 50 requests in a second."""
    late_acknowledgements: int = 0
    refused: list[str] = field(default_factory=list)
    """Every other error response, as `PATCH /webhooks/... 400 50035`; the last thousand."""
    commands_written: int = 0
    while_limited: int = 0
    """Requests that came while `limit_globally` held."""
    while_banned: list[float] = field(default_factory=list)
    """On trio's clock, every request that came while the address was banned."""


class LocalDiscord:
    """A Discord with one guild. Tests and the terminal call its methods; bots use REST and the gateway."""

    def __init__(self, options: DiscordOptions) -> None:
        self.options = options
        self.url = ""
        self.ids = Snowflakes()
        self.registered: dict[int | None, dict[str, Json]] = {}
        """The commands of each guild, by their names; under None the global ones."""
        self.interactions: dict[str, Interaction] = {}
        self.sessions: dict[str, SandboxSession] = {}
        self.counters = Counters()
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
        self.names_guild = True
        """Whether READY lists the guild."""
        self.sends_guild = True
        """Whether GUILD_CREATE follows."""
        self.resume_overlap = 0
        """How many of the events that had been sent before are sent again after a RESUME."""
        self._limited: dict[str, float] = {}
        self.limited_until = -float("inf")
        """On trio's clock: until then, all but acknowledgements get a global 429."""
        self._failures: deque[tuple[str, int]] = deque()
        self._offset = 0.0
        self._identified_at = -float("inf")
        self._gateway_fault: GatewayFault | None = None
        self._healed = trio.Event()
        self._connected = trio.Event()
        self._ends: dict[str, ConnectionEnd] = {}
        self.revision = 0
        """Grows with every change that people could see."""
        self._changed = trio.Event()

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

    @property
    def identifies_left(self) -> int:
        """What `GET /gateway/bot` reports."""
        return max(0, self.options.identifies - self.counters.identifies)

    def channel(self, channel_id: int) -> Channel | None:
        """A channel or thread of the guild, or a known direct message channel."""
        known = (*CHANNELS, *self.threads, *self.direct_channels)
        return next((channel for channel in known if channel.id == channel_id), None)

    def add_thread(self, parent: Channel, name: str) -> Channel:
        """Create a thread of the bot's, and send its THREAD_CREATE."""
        thread = Channel(self.ids.next(), name, parent.guild_id, THREAD, parent_id=parent.id, owner_id=BOT.id)
        self.threads.append(thread)
        self.dispatch("THREAD_CREATE", thread.json())
        return thread

    def dispatch(self, name: str, data: Json) -> None:
        """Send an event to every session."""
        for session in self.sessions.values():
            session.dispatch(name, data)

    def now(self) -> float:
        """Seconds since the epoch, by this Discord's clock."""
        return time.time() + self._offset

    def note_change(self) -> None:
        """Wake everyone who shows this Discord."""
        self.revision += 1
        self._changed.set()
        self._changed = trio.Event()

    async def wait_changed(self) -> None:
        """Wait for the next change. The caller bounds the wait."""
        await self._changed.wait()

    def ban(self, seconds: float) -> None:
        """Have Cloudflare ban the bot's address for so long."""
        self.banned_until = trio.current_time() + seconds

    def limit_globally(self, seconds: float) -> None:
        """Answer with a global 429 for so long, whatever was sent before; not acknowledgements."""
        self.limited_until = trio.current_time() + seconds

    def advance(self, seconds: float) -> None:
        """Move this Discord's clock on by so many seconds."""
        self._offset += seconds

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
            partial_guild = {"id": str(GUILD.id), "locale": "en-US", "features": []}
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
        """Send an interaction's event again, as Discord may."""
        for session in self.sessions.values():
            session.dispatch("INTERACTION_CREATE", interaction.payload)

    # What a test or the terminal controls

    def permissions_changed(self) -> None:
        """Send the CHANNEL_UPDATE of each channel, as Discord does where permissions have changed."""
        for channel in CHANNELS:
            self.dispatch("CHANNEL_UPDATE", channel.json())

    @property
    def is_connected(self) -> bool:
        """Whether a bot has identified or resumed, and its connection is open."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Wait until a bot has identified or resumed. The caller bounds the wait."""
        await self._connected.wait()

    async def wait_ready(self, command: str = "ask") -> None:
        """Wait until a bot is connected and has registered `command`. The caller bounds the wait."""
        await self._connected.wait()
        while command not in self.commands:  # noqa: ASYNC110  # polled: it happens once
            await trio.sleep(0.01)

    def drop_gateway(self, *, resumable: bool, code: int = 4000) -> None:
        """Close every gateway connection; a session that is not resumable is forgotten."""
        for session_id, end in list(self._ends.items()):
            if not resumable:
                self.sessions.pop(session_id, None)
            end.code = code
            end.event.set()

    def freeze_gateway(self) -> None:
        """Every open connection stays open, and nothing is sent or read on it any more; new ones work."""
        for end in self._ends.values():
            end.frozen = True
            end.event.set()

    def ask_to_reconnect(self) -> None:
        """Send op 7 to every session."""
        for session in self.sessions.values():
            if session.outbox is not None:
                session.outbox.send_nowait({"op": 7, "d": None})

    def withdraw_intents(self, intents: int) -> None:
        """Switch these off, as a bot's owner may: sessions end with 4003, an IDENTIFY with them with 4014."""
        allowed = self.options.allowed_intents & ~intents
        self.options = replace(self.options, allowed_intents=allowed)
        self.drop_gateway(resumable=False, code=4003)

    def send_guild(self) -> None:
        """Send the guild's GUILD_CREATE to every session."""
        self.dispatch("GUILD_CREATE", self.guild_json())

    def guild_json(self) -> Json:
        """The guild with its threads, as GUILD_CREATE has it."""
        return {**GUILD.json(BOT), "threads": [thread.json() for thread in self.threads]}

    def invalidate_sessions(self) -> None:
        """Send op 9 to every session, and forget it."""
        for session in self.sessions.values():
            if session.outbox is not None:
                session.outbox.send_nowait({"op": 9, "d": False})
        self.sessions.clear()

    def break_gateway(self, fault: str) -> None:
        """Apply this one of `FAULTS` from now on, until `heal_gateway`."""
        self._gateway_fault = FAULTS[fault]

    def heal_gateway(self) -> None:
        """End the gateway's fault; frozen connections are closed."""
        self._gateway_fault = None
        self._healed.set()
        self._healed = trio.Event()

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

    def fault_at(self, moment: FaultMoment) -> GatewayFault | None:
        """The gateway's fault at this moment, if any."""
        fault = self._gateway_fault
        return fault if fault is not None and fault.moment is moment else None

    async def wait_healed(self) -> None:
        """Wait for `heal_gateway`."""
        await self._healed.wait()

    def may_identify(self) -> bool:
        """Whether the last IDENTIFY is long enough ago; records this one."""
        now = self.now()
        before, self._identified_at = self._identified_at, now
        return now - before >= self.options.identify_interval

    def connected(self, session: SandboxSession) -> ConnectionEnd:
        """Record this session's connection; return what tells it to end."""
        self._ends[session.id] = ConnectionEnd()
        self._connected.set()
        self.note_change()
        return self._ends[session.id]

    def disconnected(self, session: SandboxSession) -> None:
        """Record that this session's connection has ended."""
        session.outbox = None
        self._ends.pop(session.id, None)
        if not self._ends and self._connected.is_set():  # for those who wait from now on
            self._connected = trio.Event()
        self.note_change()

    def message(self, channel_id: int, flags: int = 0) -> SandboxMessage:
        """A new, empty message."""
        return SandboxMessage(self.ids.next(), channel_id, flags)
