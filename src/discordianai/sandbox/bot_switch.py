"""The sandbox's bot, which a person can kill and start again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from discordianai.sandbox.launcher import BotProcess, Sandbox, open_bot


class BotEnded(Exception):
    """The bot ended, or did not connect in time; the message is the end of its log."""


class BotSwitch:
    """At most one bot. Made by `open_bot_switch`."""

    def __init__(self, sandbox: Sandbox, nursery: trio.Nursery) -> None:
        self._sandbox = sandbox
        self._nursery = nursery
        self._bot: BotProcess | None = None

    @property
    def running(self) -> bool:
        """Whether there is a bot, ready or not."""
        return self._bot is not None

    async def start(self) -> None:
        """Start a bot where there is none; it is ready later."""
        if self._bot is None:
            await self._nursery.start(self._run)

    async def ready(self) -> None:
        """Wait until it receives commands. Raises `BotEnded`."""
        if self._bot is None:
            return
        try:
            await self._bot.ready()
        except BaseExceptionGroup as group:
            if group.subgroup((RuntimeError, trio.TooSlowError)) is None:
                raise
            latest = self._sandbox.log.read_text(errors="replace").splitlines()[-5:]
            raise BotEnded("\n".join(["The bot is not ready. Its log ends with:", *latest])) from None

    async def kill(self) -> None:
        """Send SIGKILL where there is a bot."""
        if self._bot is not None:
            await self._bot.kill()

    async def stop(self) -> int:
        """Send SIGTERM and wait; return the exit status, 0 where there is no bot."""
        return await self._bot.stop() if self._bot is not None else 0

    async def _run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with open_bot(self._sandbox) as bot:
            self._bot = bot
            self._sandbox.discord.note_change()
            task_status.started()
            try:
                await bot.process.wait()
            finally:
                self._bot = None
                self._sandbox.discord.note_change()


@asynccontextmanager
async def open_bot_switch(sandbox: Sandbox) -> AsyncIterator[BotSwitch]:
    """Run a bot while the block runs, unless it is killed, and end it afterwards."""
    async with trio.open_nursery() as nursery:
        switch = BotSwitch(sandbox, nursery)
        await switch.start()
        yield switch
        nursery.cancel_scope.cancel()
