"""Runs all shards of this process: finds out which there are, and keeps each connected, whatever the others
do.

The shards share the listener's thread and loop (see `bridge.py`), the REST client, the limits, and what is
known of servers. Each has its own sessions, tries and figures: what ends a session, or keeps one from
beginning, concerns no other shard.
"""

import threading
from functools import partial

import structlog
import trio
import trio.lowlevel

from discordianai.discord.bridge import AsyncioThread, open_asyncio_thread
from discordianai.discord.events.sharded_guilds import ShardedGuilds
from discordianai.discord.gateway.backoff import Backoff
from discordianai.discord.gateway.identifies import LEAST_GAP, LONGEST_GAP, Identifies, IdentifyPacer
from discordianai.discord.gateway.listener import GatewayParts, Listener, SharedParts
from discordianai.discord.gateway.session_limit import (
    GatewayUnavailable,
    ListenerRefused,
    ask_discord,
)
from discordianai.discord.gateway.shard import Shard
from discordianai.discord.gateway.shared_rest import SharedRest
from discordianai.discord.interactions.backend import Backend
from discordianai.discord.interactions.recent_events import RecentEvents
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.shard_range import ShardRange, all_of
from discordianai.repeated_warning import RepeatedWarning

NOBODY = -1
"""In place of a shard's number, for the question how many there should be."""


class GatewaySupervisor:
    """Runs the shards. The limits and the known servers outlive their sessions."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._options, self._figures = parts.options, parts.figures
        asking = partial(ask_discord, parts.api)
        self._identifies = Identifies(asking, note_left=parts.figures.note_identifies_left)
        self._log = structlog.get_logger("discordianai.discord.gateway.supervisor")
        if (shards := self._options.now.shard_range) is not None:
            self._figures.use_shards(shards)

    async def run(self, backend: Backend) -> None:
        """Pass what people do to `backend`, until cancelled. Raises `ListenerRefused`."""
        refused: BaseException | None = None
        shards = self._options.now.shard_range or await self._recommended()
        async with open_asyncio_thread() as thread:
            sessions = _Sessions(self._parts, backend, shards, thread)
            try:
                await self._keep_all(shards, sessions, backend)
            except* ListenerRefused as group:  # raised outside the block, which would put it into a group
                refused = group.exceptions[0]
        if refused is not None:
            raise refused

    async def _recommended(self) -> ShardRange:
        """As many as Discord recommends; asked for until it says so. Raises `ListenerRefused`."""
        backoff = Backoff(LEAST_GAP, LEAST_GAP, LONGEST_GAP)
        unknown = RepeatedWarning(self._log, "it is not known yet how many shards there should be")
        while True:
            await trio.sleep(backoff.delay())
            backoff.begin()
            try:
                limit = await self._identifies.learn(NOBODY)
            except GatewayUnavailable as error:
                backoff.lose()
                backoff.hold(error.retry_after)
                self._figures.note_wait(str(error), backoff.delay())
                unknown.note(str(error), reason=str(error))
                continue
            shards = all_of(limit.shards if limit is not None else 1)
            self._log.info("using the recommended number of shards", shards=shards.total)
            self._figures.use_shards(shards)
            return shards

    async def _keep_all(self, shards: ShardRange, sessions: "_Sessions", backend: Backend) -> None:
        progress = _StartProgress(frozenset(shards.ids), backend)
        made = [
            Shard(
                shard_id,
                shards.total,
                IdentifyPacer(self._identifies, shard_id),
                self._figures.shard(shard_id),
                progress.settle,
            )
            for shard_id in shards.ids
        ]
        async with trio.open_nursery() as nursery:
            for shard in made:
                nursery.start_soon(self._keep, shard, made, sessions)
                await trio.lowlevel.checkpoint()  # trio starts tasks in no order: people expect shard 0 first

    async def _keep(self, shard: Shard, shards: list[Shard], sessions: "_Sessions") -> None:
        """A shard that Discord refuses for good ends the bot, unless others still serve their servers."""
        try:
            await shard.keep_connected(partial(sessions.run, shard))
        except ListenerRefused as refused:
            if not any(other.in_session for other in shards):
                raise
            self._log.critical("shard refused; the others go on", shard=shard.id, reason=str(refused))


class _Sessions:
    """Runs the sessions of all shards on the listener's thread, and makes there what they share."""

    def __init__(
        self, parts: GatewayParts, backend: Backend, shards: ShardRange, thread: AsyncioThread
    ) -> None:
        self._parts = parts
        self._backend = backend
        self._shards = shards
        self._thread = thread
        self._shared: SharedParts | None = None

    async def run(self, shard: Shard) -> None:
        """One session of the shard, to its end. On trio; raises what `Listener.run` does."""
        await self._thread.run(partial(self._listen, shard))

    async def _listen(self, shard: Shard) -> None:
        if self._shared is None:
            self._shared = self._make_shared()
        await Listener(self._shared, shard).run()

    def _make_shared(self) -> SharedParts:
        parts = self._parts
        guilds = ShardedGuilds(self._shards.ids, self._shards.total)
        return SharedParts(
            parts,
            InteractionRouter(parts.options, parts.commands, guilds),
            guilds,
            RecentEvents(),
            self._backend,
            SharedRest(parts.options.now, parts.commands, parts.api.limits, parts.figures),
        )


class _StartProgress:
    """Tells the backend once that the start is over: each shard has a session, or has failed to begin one.

    At least one has. So a shard that cannot begin keeps nobody waiting for the others. `settle` is called on
    any thread.
    """

    def __init__(self, shard_ids: frozenset[int], backend: Backend) -> None:
        self._waiting_for = set(shard_ids)
        self._backend = backend
        self._begun = self._told = False
        self._lock = threading.Lock()

    def settle(self, shard_id: int, begun: bool) -> None:
        """That shard has tried; `begun` says whether it has a session."""
        with self._lock:
            self._waiting_for.discard(shard_id)
            self._begun |= begun
            if self._told or self._waiting_for or not self._begun:
                return
            self._told = True
        self._backend.note_started()
