"""Runs what needs asyncio in a test that runs on trio."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import outcome

from discordianai.discord.bridge import open_asyncio_thread

Result = TypeVar("Result")


async def run_asyncio(main: Callable[[], Awaitable[Result]]) -> Result | None:
    """Run `main()` on a loop of its own. See `AsyncioThread.run`."""
    result: outcome.Maybe[Result | None] = outcome.Value(None)
    async with open_asyncio_thread() as thread:
        try:
            result = outcome.Value(await thread.run(main))
        except Exception as error:  # raised outside the block, which would put it into a group
            result = outcome.Error(error)
    return result.unwrap()
