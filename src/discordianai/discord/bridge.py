"""Runs asyncio code under trio: on a loop of its own, in a worker thread that a trio task owns.

`run_asyncio` runs asyncio code from trio; `TrioCaller` lets that code call trio.

Each run has a new loop, so that nothing that the code leaks outlives it. Measured with a burst of 1000
commands, relative to asyncio alone: this bridge 0.9x, trio-asyncio 0.5x.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

import anyio
import outcome
import structlog
import trio

from discordianai.guard import Guard

STOP_TIMEOUT = 10.0
"""Seconds that cancelled asyncio code may take to close; after that its thread is abandoned."""

Result = TypeVar("Result")


class _Host(Generic[Result]):
    """One run of `main` on a thread of its own, which another thread can cancel."""

    def __init__(self, main: Callable[[], Awaitable[Result]]) -> None:
        self._main = main
        self._lock = threading.Lock()
        self._cancelled = False
        self._stop: Callable[[], object] | None = None

    def run(self) -> outcome.Maybe[Result | None]:
        """Run to the end on this thread; None if it was cancelled."""
        return outcome.capture(self._run_loop)

    def _run_loop(self) -> Result | None:
        return anyio.run(self._run, backend="asyncio")

    async def _run(self) -> Result | None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # for the type checker: anyio.run runs this as a task
        with self._lock:
            if self._cancelled:
                return None
            self._stop = partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel)
        try:
            return await self._main()
        except asyncio.CancelledError:
            return None
        finally:
            with self._lock:
                self._stop = None  # the loop is about to close

    def cancel(self) -> None:
        """Cancel `main`, from any thread. Does nothing once it has ended."""
        with self._lock:
            self._cancelled = True
            if self._stop is not None:
                self._stop()


async def run_asyncio(main: Callable[[], Awaitable[Result]]) -> Result | None:
    """Run `main()` on its own asyncio loop and return what it returns, or raise what it raises.

    Cancelling the caller cancels `main` there and waits for it, at most `STOP_TIMEOUT`. None: `main` ended by
    an asyncio cancellation of its own.
    """
    host = _Host(main)
    patience = trio.CancelScope(shield=True)
    result: outcome.Maybe[Result | None] = outcome.Value(None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_carry_cancellation, host, patience)
        with patience:
            result = await trio.to_thread.run_sync(host.run, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()
    return result.unwrap()


async def _carry_cancellation(host: _Host[Result], patience: trio.CancelScope) -> None:
    try:
        await trio.sleep_forever()
    finally:
        host.cancel()
        patience.deadline = trio.current_time() + STOP_TIMEOUT


class EntryQueue:
    """Runs functions on another thread's loop, in order, and wakes that loop once for all that are waiting.

    Any thread may post; `wake` has that loop call a function soon. Each wake-up writes to a socket and
    releases the GIL, which takes up to 5 ms to regain: in a burst of 500 commands, a third of the time of
    the listener's thread.
    """

    def __init__(self, wake: Callable[[Callable[[], None]], object]) -> None:
        self._wake = wake
        self._waiting: deque[Callable[[], object]] = deque()
        self._woken = False
        # An error would end the loop whose callback this is, and with it the process.
        self._guard = Guard(structlog.get_logger("discordianai.discord.bridge"), "a bug between two threads")

    def post(self, function: Callable[[], object]) -> None:
        """Post a call, to be made after all earlier ones. Errors are logged. Raises what `wake` raises."""
        self._waiting.append(function)
        # No lock: whoever finds this set has appended before `_run_all` runs, which first unsets it.
        if not self._woken:
            self._woken = True
            self._wake(self._run_all)

    def _run_all(self) -> None:
        self._woken = False
        while self._waiting:
            with self._guard:
                self._waiting.popleft()()


class Stopping(Exception):
    """The trio side is shutting down."""


class TrioCaller:
    """Lets code on an asyncio loop call trio functions. Created on the trio thread.

    The function runs in `nursery`, and goes on when its caller stops waiting.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._trio = EntryQueue(trio.lowlevel.current_trio_token().run_sync_soon)
        self._asyncio: tuple[asyncio.AbstractEventLoop, EntryQueue] | None = None

    def post(self, function: Callable[..., object], *arguments: object) -> None:
        """Post a call of a function on trio, in order; from any thread. Errors are logged."""
        self._trio.post(partial(function, *arguments))

    async def call(self, function: Callable[..., Awaitable[Result]], *arguments: object) -> Result:
        """Run `function` on trio, and return or raise what it does. Awaited on asyncio."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        back = self._way_back(loop)

        def settle(result: outcome.Maybe[Result]) -> None:
            if future.done():  # the caller has stopped waiting
                return
            if isinstance(result, outcome.Error):
                future.set_exception(result.error)
            else:
                future.set_result(result.value)

        def tell(result: outcome.Maybe[Result]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                back.post(partial(settle, result))

        async def run() -> None:
            try:
                tell(outcome.Value(await function(*arguments)))
            except Exception as error:
                tell(outcome.Error(error))
            except BaseException:
                tell(outcome.Error(Stopping()))
                raise

        def start() -> None:
            try:
                self._nursery.start_soon(run)
            except RuntimeError:  # the nursery is closed
                tell(outcome.Error(Stopping()))

        self._trio.post(start)
        return await future

    def _way_back(self, loop: asyncio.AbstractEventLoop) -> EntryQueue:
        """The queue of that loop; each run of the library has a new one."""
        if self._asyncio is None or self._asyncio[0] is not loop:
            self._asyncio = loop, EntryQueue(loop.call_soon_threadsafe)
        return self._asyncio[1]
