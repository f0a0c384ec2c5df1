"""asyncio code runs under trio, and cancellation and errors cross over."""

import asyncio
import threading
from collections.abc import Callable

import pytest
import trio

from discordianai.discord import bridge
from discordianai.discord.bridge import EntryQueue, Stopping, TrioCaller, open_asyncio_thread, shared_tasks
from tests.asyncio_loop import run_asyncio


async def test_the_result_comes_back_from_another_thread() -> None:
    async def main() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    assert await run_asyncio(main) != threading.get_ident()


async def test_an_error_comes_back_plain() -> None:
    async def main() -> None:
        raise LookupError("from asyncio")

    with pytest.raises(LookupError, match="from asyncio"):
        await run_asyncio(main)


async def test_cancelling_trio_cancels_asyncio_and_waits_for_it_to_close() -> None:
    closed = threading.Event()

    async def main() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)
            closed.set()

    with trio.fail_after(5):
        with trio.move_on_after(0.1) as scope:
            await run_asyncio(main)
        assert scope.cancelled_caught
        assert closed.is_set()


async def test_a_cancel_before_the_loop_runs_is_not_forgotten() -> None:
    async def main() -> None:
        await asyncio.sleep(3600)

    with trio.fail_after(5), trio.CancelScope() as scope:
        scope.cancel()
        await run_asyncio(main)


async def test_code_that_will_not_close_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "STOP_TIMEOUT", 0.1)
    release = threading.Event()

    async def main() -> None:
        release.wait(10)  # blocks its loop: not even cancellation gets in

    try:
        with trio.fail_after(5), trio.move_on_after(0.1):
            await run_asyncio(main)
    finally:
        release.set()


async def test_asyncio_calls_trio_and_gets_its_results_and_errors() -> None:
    async def double(number: int) -> int:
        await trio.sleep(0.01)
        if number < 0:
            raise LookupError("from trio")
        return 2 * number

    async with trio.open_nursery() as nursery:
        caller = TrioCaller(nursery)

        async def main() -> list[int]:
            with pytest.raises(LookupError, match="from trio"):
                await caller.call(double, -1)
            return await asyncio.gather(*(caller.call(double, number) for number in range(50)))

        assert await run_asyncio(main) == [2 * number for number in range(50)]


async def test_who_stops_waiting_for_trio_does_not_cancel_what_runs_there() -> None:
    done = trio.Event()

    async def slow() -> None:
        await trio.sleep(0.2)
        done.set()

    async with trio.open_nursery() as nursery:
        caller = TrioCaller(nursery)

        async def main() -> None:
            async with asyncio.timeout(0.05):
                await caller.call(slow)

        with pytest.raises(TimeoutError):
            await run_asyncio(main)
        with trio.fail_after(2):
            await done.wait()


async def test_calls_to_a_trio_that_stops_end() -> None:
    async def main(caller: TrioCaller) -> list[object]:
        waiting = asyncio.create_task(caller.call(trio.sleep_forever))
        await asyncio.sleep(0.1)
        stop.set()
        first = (await asyncio.gather(waiting, return_exceptions=True))[0]
        await asyncio.sleep(0.1)
        return [first, *await asyncio.gather(caller.call(trio.sleep, 0), return_exceptions=True)]

    stop = threading.Event()
    async with trio.open_nursery() as outer:
        results: list[object] = []

        async def ask(caller: TrioCaller) -> None:
            results.extend(await run_asyncio(lambda: main(caller)) or [])

        async with trio.open_nursery() as inner:
            outer.start_soon(ask, TrioCaller(inner))
            await trio.to_thread.run_sync(stop.wait, 5)
            inner.cancel_scope.cancel()
    assert [type(result) for result in results] == [Stopping, Stopping]


def test_a_burst_wakes_the_loop_once_and_keeps_its_order() -> None:
    woken: list[Callable[[], None]] = []
    seen: list[int] = []
    queue = EntryQueue(woken.append)
    for number in range(5):
        queue.post(lambda number=number: seen.append(number))  # type: ignore[misc]  # a default binds it
    assert len(woken) == 1
    woken[0]()
    assert seen == [0, 1, 2, 3, 4]


def test_what_is_posted_while_the_queue_runs_is_called_too() -> None:
    woken: list[Callable[[], None]] = []
    seen: list[str] = []
    queue = EntryQueue(woken.append)
    queue.post(lambda: queue.post(lambda: seen.append("later")))
    while woken:
        woken.pop()()
    assert seen == ["later"]


async def test_nothing_is_lost_between_threads() -> None:
    seen: list[int] = []
    queue = EntryQueue(trio.lowlevel.current_trio_token().run_sync_soon)

    def post() -> None:
        for _ in range(2000):
            queue.post(lambda: seen.append(1))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    with trio.fail_after(30):
        while len(seen) < 8000:  # noqa: ASYNC110  # what arrives tells nobody
            await trio.sleep(0.01)


async def test_several_runs_share_a_loop_and_the_end_of_one_ends_no_other() -> None:
    """Neither its result, its error nor its cancellation."""

    async def loop() -> int:
        await asyncio.sleep(0.01)
        return id(asyncio.get_running_loop())

    async def fail() -> None:
        raise LookupError("from asyncio")

    async with open_asyncio_thread() as thread:
        seen: list[int | None] = []

        async def one() -> None:
            seen.append(await thread.run(loop))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(one)
            with pytest.raises(LookupError, match="from asyncio"):
                await thread.run(fail)
            with trio.move_on_after(0.001) as scope:
                await thread.run(lambda: asyncio.sleep(3600))
            assert scope.cancelled_caught
        assert len(seen) == 5
        assert len({*seen}) == 1


async def test_what_a_run_leaves_behind_ends_with_it_and_what_is_shared_goes_on() -> None:
    """The library starts tasks that nobody keeps; a later run must not meet them."""
    ended: list[str] = []

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(name)

    async def main() -> "asyncio.Task[None]":
        own = asyncio.create_task(wait("own"))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(lambda: asyncio.create_task(wait("of a callback")))
        with shared_tasks():
            shared = asyncio.create_task(wait("shared"))
        await asyncio.sleep(0.01)
        assert not own.done()
        return shared

    async with open_asyncio_thread() as thread:
        shared = await thread.run(main)
        assert sorted(ended) == ["of a callback", "own"]
        assert shared is not None
        assert not shared.done()
    assert "shared" in ended


async def test_a_loop_that_ends_by_itself_ends_those_who_use_it() -> None:
    """Nobody waits for ever; whoever supervises hears of it."""

    async def leave() -> None:
        asyncio.get_running_loop().call_soon(raise_system_exit)
        await asyncio.sleep(3600)

    def raise_system_exit() -> None:
        raise SystemExit(3)

    with trio.fail_after(5), pytest.raises(BaseExceptionGroup) as group:
        async with open_asyncio_thread() as thread:
            await thread.run(leave)
    assert group.group_contains(SystemExit)
