"""The gateway's sessions, and the methods that drop, freeze, break and heal their connections.

Where a method takes a `shard`, it is about the sessions of the shard with that number, by default about all.
"""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import trio

from discordianai.sandbox.discord.api_objects import GUILD, Json
from discordianai.sandbox.discord.counters import Counters
from discordianai.sandbox.discord.gateway_faults import FAULTS, FaultMoment, GatewayFault
from discordianai.sandbox.discord.generated_guilds import GeneratedGuilds, GuildToSend
from discordianai.sandbox.discord.options import DiscordOptions
from discordianai.sandbox.discord.session_start_limit import SessionStartLimit
from discordianai.sandbox.discord.shard import SandboxShard, guild_of

RESUMABLE_FOR = 180.0
"""Seconds without a connection after which a session is forgotten, when another one begins.

Discord forgets it at once if the client closes with 1000 or 1001, which Hypercorn does not tell.
"""

AUTHENTICATION_FAILED = 4004


@dataclass(eq=False)
class SandboxSession:
    """A gateway session, which outlives its connection so that it can be resumed."""

    id: str
    shard: SandboxShard = field(default_factory=SandboxShard)
    sequence: int = 0
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=5000))
    """Sent events, to be replayed on RESUME."""
    outbox: trio.MemorySendChannel[Json] | None = None
    """Where the connection takes its events from; None without a connection."""
    guilds_to_send: Iterator[int] = field(default_factory=lambda: iter(()))
    """Generated guilds whose GUILD_CREATE goes out when no other event waits."""
    detached_at: float | None = None
    """When its last connection ended, by the local Discord's clock; None while there is one."""

    def dispatch(self, name: str, data: Json | GuildToSend) -> None:
        """Send an event, or keep it for a RESUME."""
        self.sequence += 1
        event = {"op": 0, "t": name, "s": self.sequence, "d": data}
        self.events.append(event)
        if self.outbox is not None:
            self.outbox.send_nowait(event)


@dataclass(eq=False, slots=True)
class ConnectionEnd:
    """When a session's connection ends, and how: closed with `code`, or `frozen` until `heal_gateway`."""

    session: SandboxSession
    event: trio.Event = field(default_factory=trio.Event)
    code: int = 4000
    frozen: bool = False


class GatewayControl:
    """What the local Discord's gateway knows. `LocalDiscord` adds the rest of Discord."""

    def __init__(self, options: DiscordOptions) -> None:
        self.options = options
        self.more_guilds = GeneratedGuilds(options.more_guilds, options.channels_per_guild)
        self._offset = 0.0
        self.counters = Counters()
        self.start_limit = SessionStartLimit(
            options.identifies,
            max(options.identifies - options.identifies_used, 0),
            self.now() + options.identify_reset_after,
            options.max_concurrency,
            options.identify_interval,
        )
        self.sessions: dict[str, SandboxSession] = {}
        """Every session that can be resumed; of a shard there may be several."""
        self.names_guild = True
        """Whether READY lists the guilds."""
        self.sends_guild = True
        """Whether GUILD_CREATE follows for each."""
        self.acknowledges_heartbeats = True
        self.resume_overlap = 0
        """How many of the events that had been sent before are sent again after a RESUME."""
        self._faults: dict[int | None, GatewayFault] = {}
        self._healed: dict[int | None, trio.Event] = {}
        self._connected = trio.Event()
        self._ends: dict[str, ConnectionEnd] = {}
        self.revision = 0
        """Grows with every change that people could see."""
        self._changed = trio.Event()

    def now(self) -> float:
        """Seconds since the epoch, by this Discord's clock."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move this Discord's clock on by so many seconds."""
        self._offset += seconds

    def note_change(self) -> None:
        """Wake everyone who shows this Discord."""
        self.revision += 1
        self._changed.set()
        self._changed = trio.Event()

    async def wait_changed(self) -> None:
        """Wait for the next change. The caller bounds the wait."""
        await self._changed.wait()

    def dispatch(self, name: str, data: Json) -> None:
        """Send an event to the sessions of the shard that its guild belongs to, or of shard 0."""
        guild_id = guild_of(name, data)
        for session in self.sessions.values():
            if session.shard.serves(guild_id):
                session.dispatch(name, data)

    # What a test or the terminal controls

    @property
    def is_connected(self) -> bool:
        """Whether a bot has identified or resumed, and its connection is open."""
        return self._connected.is_set()

    @property
    def connected_sessions(self) -> frozenset[str]:
        """The ids of the sessions with an open connection, which may be frozen."""
        return frozenset(self._ends)

    @property
    def connected_shards(self) -> frozenset[SandboxShard]:
        """Those with at least one open connection that is not frozen."""
        return frozenset(end.session.shard for end in self._ends.values() if not end.frozen)

    async def wait_connected(self) -> None:
        """Wait until a bot has identified or resumed. The caller bounds the wait."""
        await self._connected.wait()

    async def wait_shards(self, total: int) -> None:
        """Wait until each of so many shards is connected. The caller bounds the wait."""
        while not self.connected_shards >= {SandboxShard(number, total) for number in range(total)}:
            await self.wait_changed()

    def drop_gateway(self, *, resumable: bool, code: int = 4000, shard: int | None = None) -> None:
        """Close every gateway connection; a session that is not resumable is forgotten."""
        for end in self._open(shard):
            if not resumable:
                self.sessions.pop(end.session.id, None)
            end.code = code
            end.event.set()

    def freeze_gateway(self, *, shard: int | None = None) -> None:
        """Every open connection stays open, and nothing is sent or read on it any more; new ones work."""
        for end in self._open(shard):
            end.frozen = True
            end.event.set()

    def ask_to_reconnect(self, *, shard: int | None = None) -> None:
        """Send op 7 to every session."""
        for session in self._of(shard):
            if session.outbox is not None:
                session.outbox.send_nowait({"op": 7, "d": None})

    def invalidate_sessions(self, *, shard: int | None = None) -> None:
        """Send op 9 to every session, and forget it."""
        for session in self._of(shard):
            if session.outbox is not None:
                session.outbox.send_nowait({"op": 9, "d": False})
            self.sessions.pop(session.id)

    def withdraw_intents(self, intents: int) -> None:
        """Switch these off, as a bot's owner may: sessions end with 4003, an IDENTIFY with them with 4014."""
        allowed = self.options.allowed_intents & ~intents
        self.options = replace(self.options, allowed_intents=allowed)
        self.drop_gateway(resumable=False, code=4003)

    def break_gateway(self, fault: str, *, shard: int | None = None) -> None:
        """Apply this one of `FAULTS` from now on, until `heal_gateway`.

        Before IDENTIFY or RESUME a shard is known only by the URL that READY told it for RESUME. So a fault
        where HELLO would come occurs on that URL, and elsewhere as the answer to the shard's IDENTIFY.
        """
        self._faults[shard] = FAULTS[fault]

    def heal_gateway(self, *, shard: int | None = None) -> None:
        """End the fault of this shard, or every fault; frozen connections are closed."""
        for number in [shard] if shard is not None else list(self._faults | self._healed):
            self._faults.pop(number, None)
            if number in self._healed:
                self._healed.pop(number).set()

    def _of(self, shard: int | None) -> list[SandboxSession]:
        return [each for each in self.sessions.values() if shard is None or each.shard.id == shard]

    def _open(self, shard: int | None) -> list[ConnectionEnd]:
        return [end for end in self._ends.values() if shard is None or end.session.shard.id == shard]

    # For the gateway

    def shard_url(self, gateway_url: str, shard: SandboxShard) -> str:
        """READY's `resume_gateway_url`; Discord's names a host for the session."""
        return f"{gateway_url}/{shard.id}"

    def send_next_guild(self, session: SandboxSession) -> bool:
        """Send the GUILD_CREATE of a session's next generated guild, if there is one left."""
        guild_id = next(session.guilds_to_send, None)
        if guild_id is not None:
            session.dispatch("GUILD_CREATE", GuildToSend(self.more_guilds, guild_id))
        return guild_id is not None

    def guild_ids(self, shard: SandboxShard) -> list[int]:
        """The bot's guilds whose events come on this shard."""
        return [*([GUILD.id] if shard.serves(GUILD.id) else []), *self.more_guilds.ids(shard)]

    def fault_at(self, moment: FaultMoment, shard: int | None = None) -> GatewayFault | None:
        """The fault of this shard, or of all, at this moment, if any."""
        for number in (shard, None):
            fault = self._faults.get(number)
            if fault is not None and fault.moment is moment:
                return fault
        return None

    async def wait_healed(self, shard: int | None = None) -> None:
        """Wait for `heal_gateway`."""
        await self._healed.setdefault(shard, trio.Event()).wait()

    def reset_token(self) -> None:
        """What Discord does to a bot that identifies too often: nothing of it is accepted any more."""
        self.options = replace(self.options, token=f"{self.options.token}, until it was reset")
        self.drop_gateway(resumable=False, code=AUTHENTICATION_FAILED)
        self.sessions.clear()

    def add_session(self, session: SandboxSession) -> None:
        """Begin a session; those that nobody has resumed for long are forgotten."""
        latest = self.now() - RESUMABLE_FOR
        for old in self._of(None):
            if old.detached_at is not None and old.detached_at < latest:
                del self.sessions[old.id]
        self.sessions[session.id] = session

    def connected(self, session: SandboxSession) -> ConnectionEnd:
        """Record this session's connection; return what tells it to end."""
        session.detached_at = None
        self._ends[session.id] = ConnectionEnd(session)
        self._connected.set()
        self.note_change()
        return self._ends[session.id]

    def disconnected(self, session: SandboxSession) -> None:
        """Record that this session's connection has ended."""
        session.outbox = None
        session.detached_at = self.now()
        self._ends.pop(session.id, None)
        if not self._ends and self._connected.is_set():  # for those who wait from now on
            self._connected = trio.Event()
        self.note_change()
