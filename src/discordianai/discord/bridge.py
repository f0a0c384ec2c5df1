"""Runs asyncio code under trio: on a loop in a worker thread that a trio task owns.

`AsyncioThread.run` runs asyncio code from trio; `TrioCaller` lets that code call trio.

Measured with a burst of 1000 commands, relative to asyncio alone: this bridge 0.9x, trio-asyncio 0.5x.

All shards have one loop in one thread. They share what acknowledges, with its connections and limits, and
what they know of channels, none of which then needs a lock. A thread and a loop for each would cost 74 KiB a
shard instead of 15, and twice the CPU time for the same timers with 16 of them; and would isolate nothing,
since they run the same code, under one interpreter lock.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Generic, TypeVar

import outcome
import structlog
import trio

from discordianai.guard import Guard

STOP_TIMEOUT = 10.0
"""Seconds that cancelled asyncio code may take to close; after that it is abandoned."""

Result = TypeVar("Result")

CLEAN_UP_WITHIN = 2.0
"""Seconds that the tasks which asyncio code leaves behind may take to be cancelled."""

_owned: ContextVar["set[asyncio.Task[object]] | None"] = ContextVar("owned", default=None)
"""The tasks that the code of one `AsyncioThread.run` has started and that have not ended."""


class AsyncioThread:
    """An asyncio loop in a thread of its own, on which trio tasks run asyncio code.

    `open_asyncio_thread` opens one.
    """

    def __init__(self) -> None:
        self.started = trio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._end_wanted = False
        self._patience = trio.CancelScope(shield=True)
        self._trio = trio.lowlevel.current_trio_token()

    async def run(self, main: Callable[[], Awaitable[Result]]) -> Result | None:
        """Run `main()` on the loop and return what it returns, or raise what it raises.

        Cancelling the caller cancels `main` there and waits for it, at most `STOP_TIMEOUT`. None: `main`
        ended by an asyncio cancellation of its own. The tasks that it has started and left end with it.
        """
        job = _Job(main, self._trio)
        if not self._post(job.start):
            raise Stopping
        try:
            await job.ended.wait()
        except trio.Cancelled:
            if self._post(job.cancel):
                with trio.move_on_after(STOP_TIMEOUT, shield=True):
                    await job.ended.wait()
            raise
        return job.result.unwrap()

    async def serve(self) -> None:
        """Run the loop until `end`, and set `started`. Raises what ends the loop itself: SystemExit."""
        with self._patience:
            await trio.to_thread.run_sync(self._run_loop, abandon_on_cancel=True)

    def end(self) -> None:
        """End the loop, which is waited for at most `STOP_TIMEOUT`; after that its thread is abandoned."""
        self._patience.deadline = trio.current_time() + STOP_TIMEOUT
        self._end_wanted = True  # seen by the loop if it begins only now
        if self._ending is not None:
            self._post(self._ending.set)

    def _run_loop(self) -> None:
        async def main() -> None:
            self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
            self._loop.set_task_factory(_make_task)  # type: ignore[arg-type, unused-ignore]  # generic in typeshed before 3.13
            with suppress(trio.RunFinishedError):
                self._trio.run_sync_soon(self.started.set)
            if not self._end_wanted:
                await self._ending.wait()

        asyncio.run(main())

    def _post(self, function: Callable[[], object]) -> bool:
        """Call a function on the loop soon; False where that is closed."""
        try:
            assert self._loop is not None  # noqa: S101  # for the type checker: `serve` has started
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True


@asynccontextmanager
async def open_asyncio_thread() -> AsyncIterator[AsyncioThread]:
    """An asyncio loop while the block runs."""
    thread = AsyncioThread()
    async with trio.open_nursery() as nursery:
        try:
            nursery.start_soon(thread.serve)
            await thread.started.wait()
            yield thread
        finally:
            thread.end()


class _Job(Generic[Result]):
    """One run of `main` as a task of the loop; `result` counts once `ended` is set."""

    def __init__(self, main: Callable[[], Awaitable[Result]], token: trio.lowlevel.TrioToken) -> None:
        self.ended = trio.Event()
        self.result: outcome.Maybe[Result | None] = outcome.Value(None)
        self._main = main
        self._trio = token
        self._tasks: set[asyncio.Task[object]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, on the loop."""
        context = copy_context()
        context.run(_owned.set, self._tasks)
        self._task = asyncio.get_running_loop().create_task(self._run(), context=context)

    def cancel(self) -> None:
        """Cancel it, on the loop."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            self.result = outcome.Value(await self._main())
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self.result = outcome.Error(error)
        finally:
            await self._clean_up()
            with suppress(trio.RunFinishedError):
                self._trio.run_sync_soon(self.ended.set)

    async def _clean_up(self) -> None:
        left = self._tasks - {self._task}
        for task in left:
            task.cancel()
        if left:
            with suppress(asyncio.CancelledError):
                await asyncio.wait(left, timeout=CLEAN_UP_WITHIN)


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Result], **options: Any
) -> "asyncio.Task[Result]":
    """The loop's task factory: notes whose the task is. The library starts tasks that it does not keep."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    owned = _owned.get()
    if owned is not None:
        owned.add(task)
        task.add_done_callback(owned.discard)
    return task


@contextmanager
def shared_tasks() -> Iterator[None]:
    """Tasks that are started in the block belong to no run: something that several runs use needs them."""
    reset = _owned.set(None)
    try:
        yield
    finally:
        _owned.reset(reset)


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
        self._guard = Guard(structlog.get_logger("discordianai.discord.bridge"), "bug between the threads")

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
