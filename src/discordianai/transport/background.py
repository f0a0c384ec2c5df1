"""Background tasks, which may outlive the task that starts them, but not its event loop.

A task group of the caller's would have to be opened and closed by one task, in the order of all other blocks.
Here a task of the event loop itself holds the group: any task may open and close it, in any order.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType

import anyio
import anyio.abc


def current_loop() -> object:
    """A token of the event loop that the caller runs in."""
    trio = _trio()
    token: object = asyncio.get_running_loop() if trio is None else trio.lowlevel.current_trio_token()
    return token


def require_loop(loop: object) -> None:
    """Raise `RuntimeError` in any other event loop: there, waits would never end."""
    if loop is not current_loop():
        raise RuntimeError(
            "this MultiplexedTransport was opened in another event loop and works only there: "
            "make a client for each event loop"
        )


class BackgroundTasks:
    """A task group of the event loop in which it is made."""

    def __init__(self) -> None:
        self.loop = current_loop()
        self.ended = False
        self._begun, self._stop, self._over = anyio.Event(), anyio.Event(), anyio.Event()
        self._tasks: anyio.abc.TaskGroup | None = None
        self._task: object = None

    async def open(self) -> anyio.abc.TaskGroup:
        """The group, until `close`."""
        self._task = _spawn(self._hold)  # kept: asyncio drops a task that nothing refers to
        try:
            await self._begun.wait()
        except BaseException:
            self._stop.set()
            raise
        assert self._tasks is not None  # noqa: S101  # for mypy
        return self._tasks

    async def close(self) -> None:
        """Cancel the tasks that still run, and wait until they have ended. Safe to repeat."""
        self._stop.set()
        await self._over.wait()

    async def _hold(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                self._begun.set()
                await self._stop.wait()
                self._tasks.cancel_scope.cancel()
        except Exception:
            # On trio it would end the program; on asyncio nobody would hear of it.
            logging.getLogger(__name__).exception("a bug in a task of the connection pool")
        finally:
            self.ended = True
            self._over.set()


def _spawn(run: Callable[[], Awaitable[None]]) -> object:
    trio = _trio()
    if trio is not None:
        task: object = trio.lowlevel.spawn_system_task(run, name=__name__)
        return task

    async def coroutine() -> None:
        await run()

    return asyncio.get_running_loop().create_task(coroutine())


def _trio() -> ModuleType | None:
    """The module, if the caller runs on it; on asyncio it need not be installed."""
    module = sys.modules.get("trio")
    return module if module is not None and module.lowlevel.in_trio_task() else None
