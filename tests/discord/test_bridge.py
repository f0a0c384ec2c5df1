"""asyncio code runs under trio, and cancellation and errors cross over."""

import asyncio
import threading

import pytest
import trio

from discordianai.discord import bridge
from discordianai.discord.bridge import run_asyncio


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
