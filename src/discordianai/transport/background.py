"""Tasks that outlive whoever starts them, in the event loop that they began in.

A task group of the caller's would bind opening and closing to one task, and to the order of all that is
opened in it. Here a task of the event loop itself holds the group: any task may open and close it, in any
order. It ends with the event loop at the latest.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType

import anyio
import anyio.abc


def current_loop() -> object:
    """What stands for the event loop that the caller runs in."""
    trio = _trio()
    token: object = asyncio.get_running_loop() if trio is None else trio.lowlevel.current_trio_token()
    return token


def require_loop(loop: object) -> None:
    """Raise `RuntimeError` in another event loop: what belongs to one would wait there for ever."""
    if loop is not current_loop():
        raise RuntimeError(
            "this MultiplexedTransport was opened in another event loop, and works in that one only: "
            "make a client for each event loop"
        )


class BackgroundTasks:
    """Belongs to the event loop in which it is made."""

    def __init__(self) -> None:
        self.loop = current_loop()
        self.ended = False
        self._begun, self._stop, self._over = anyio.Event(), anyio.Event(), anyio.Event()
        self._tasks: anyio.abc.TaskGroup | None = None
        self._task: object = None

    async def open(self) -> anyio.abc.TaskGroup:
        """The group, until `close`."""
        self._task = _spawn(self._hold)  # kept: asyncio forgets a task to which nothing refers
        try:
            await self._begun.wait()
        except BaseException:
            self._stop.set()
            raise
        assert self._tasks is not None  # noqa: S101  # for mypy
        return self._tasks

    async def close(self) -> None:
        """Cancel what still runs, and wait until it has ended. May be repeated."""
        self._stop.set()
        await self._over.wait()

    async def _hold(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                self._begun.set()
                await self._stop.wait()
                self._tasks.cancel_scope.cancel()
        except Exception:
            # In trio it would end the program, and under asyncio nobody would hear of it.
            logging.getLogger(__name__).exception("a task of the connection pool met a bug")
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
    """The module, if the caller runs in it: who uses asyncio need not have it."""
    module = sys.modules.get("trio")
    return module if module is not None and module.lowlevel.in_trio_task() else None
