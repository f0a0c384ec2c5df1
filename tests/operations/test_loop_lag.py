"""How late trio's loop is."""

import time

import trio

from discordianai.operations.loop_lag import watched_loop


async def test_who_holds_up_the_loop_is_seen() -> None:
    async with watched_loop() as lag:
        with trio.fail_after(10):
            while lag.now().count < 2:  # noqa: ASYNC110  # a figure tells nobody
                await trio.sleep(0.05)
        assert lag.now().longest < 0.2
        time.sleep(0.7)  # noqa: ASYNC251  # that is what must not be
        await trio.sleep(0.05)
        assert 0.3 < lag.now().longest < 0.8
