"""Runs the sessions of all shards on the listener's thread, and makes there what they share."""

import gc
from functools import cache, partial
from types import ModuleType
from typing import TYPE_CHECKING

from discordianai.discord.bridge import AsyncioThread
from discordianai.discord.events.sharded_guilds import ShardedGuilds
from discordianai.discord.gateway.gateway_parts import GatewayParts
from discordianai.discord.gateway.shard import Shard
from discordianai.discord.interactions.backend import Backend
from discordianai.discord.interactions.recent_events import RecentEvents
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.shard_range import ShardRange

if TYPE_CHECKING:
    from discordianai.discord.gateway.listener import SharedParts


class Sessions:
    """For the shards of this process."""

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
        # Imported here, on the listener's thread: the library takes 1.3 s, in which answers may go on.
        listener = _listener_module()
        if self._shared is None:
            self._shared = self._make_shared(listener)
        await listener.Listener(self._shared, shard).run()

    def _make_shared(self, listener: ModuleType) -> "SharedParts":
        parts = self._parts
        guilds = ShardedGuilds(self._shards.ids, self._shards.total)
        rest = listener.SharedRest(parts.options.now, parts.commands, parts.api.limits, parts.figures)
        shared: SharedParts = listener.SharedParts(
            parts,
            InteractionRouter(parts.options, parts.commands, guilds),
            guilds,
            RecentEvents(),
            self._backend,
            rest,
        )
        return shared


@cache
def _listener_module() -> ModuleType:
    """The listener's module, imported at the first call."""
    gc.disable()  # while everything is new there is nothing to collect: a sixth of the import's time
    try:
        from discordianai.discord.gateway import listener
    finally:
        gc.enable()
    # What the imports created lives as long as the bot. The garbage collector would scan all of it again and
    # again, for 0.1 s each time, during which nobody is acknowledged. Frozen only once: what listeners leave
    # behind is to be collected.
    gc.freeze()
    return listener
