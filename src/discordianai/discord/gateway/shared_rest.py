"""The REST client that all shards share, on the listener's loop: one login, one pool of connections, one
limit.

It is open while a session of any shard runs. With it, once for all of them, the bot's commands are registered
and the loop is watched.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from interactions.api.http.route import Route

from discordianai.discord.bridge import shared_tasks
from discordianai.discord.commands.registration import synchronise
from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.events.payload import Malformed, record, snowflake
from discordianai.discord.gateway.http_client import ListenerHTTPClient, RefusalsAtDebug, RestUnavailable
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.options import BotOptions


class SharedRest:
    """See the module."""

    def __init__(
        self,
        options: BotOptions,
        commands: OfferedCommands,
        limits: ApplicationLimits,
        figures: DiscordCounter,
    ) -> None:
        self._options = options
        self._commands = commands
        self._limits = limits
        self._figures = figures
        self._lock = asyncio.Lock()
        self._http: ListenerHTTPClient | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._users = 0
        self._tries = 0
        self._failure: Exception | None = None
        self._log = structlog.get_logger("discordianai.discord.gateway.shared_rest")

    @asynccontextmanager
    async def logged_in(self) -> AsyncIterator[ListenerHTTPClient]:
        """The client, while the block runs. Raises what the login does."""
        tries = self._tries
        async with self._lock:
            if self._http is None:
                if self._tries != tries and self._failure is not None:
                    raise self._failure  # the login that this one has waited for has failed
                await self._open()
            http = self._http
            assert http is not None  # noqa: S101  # for the type checker: it was just opened
            self._users += 1
        try:
            yield http
        finally:
            self._users -= 1
            if not self._users:
                await self._close()

    async def _open(self) -> None:
        self._tries += 1
        # A class attribute is where the library keeps it.
        Route.BASE = self._options.api_url
        logger = RefusalsAtDebug(logging.getLogger("interactions"))
        http = ListenerHTTPClient(self._limits, logger=logger)
        try:
            await http.login(self._options.token_text)
            application_id = await _application_id(http)
        except BaseException as error:
            self._failure = error if isinstance(error, Exception) else None
            await http.close()
            raise
        self._http, self._failure = http, None
        with shared_tasks():
            # Meanwhile the gateway connects: commands that Discord knows already work as soon as it has.
            synchronising = self._synchronise(http, application_id)
            self._tasks = [
                asyncio.create_task(synchronising),
                asyncio.create_task(self._figures.watch()),
            ]

    async def _close(self) -> None:
        http, tasks = self._http, self._tasks
        self._http, self._tasks = None, []
        for task in tasks:
            task.cancel()
        if http is not None:
            await http.close()

    async def _synchronise(self, http: ListenerHTTPClient, application_id: int) -> None:
        try:
            await synchronise(http, application_id, self._options, self._commands)
        except Exception as error:  # a task of nobody's: Discord may answer anything
            self._log.error("commands could not be registered", reason=type(error).__name__)


async def _application_id(http: ListenerHTTPClient) -> int:
    answer = await http.get_current_bot_information()
    try:
        return snowflake(record({"application": answer}, "application"), "id")
    except Malformed:
        raise RestUnavailable("Discord named no application of the bot's") from None
