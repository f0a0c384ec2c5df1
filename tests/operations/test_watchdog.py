"""The watchdog is fed while everything answers, and never longer."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import trio
from structlog.testing import capture_logs

from discordianai.operations.systemd import Notifier
from discordianai.operations.watchdog import NotAnswering, Probe, attended, unanswered
from tests.operations.managers import Manager, open_manager

WATCHDOG = 0.6
"""Seconds: a round each 0.2 s, or every 0.4 s while a probe hangs."""

FED = "WATCHDOG=1"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    structlog.reset_defaults()
    with open_manager(tmp_path) as opened:
        yield opened


async def hears(manager: Manager, text: str) -> bool:
    return await trio.to_thread.run_sync(manager.hears, text)


async def during(manager: Manager, seconds: float) -> list[str]:
    return await trio.to_thread.run_sync(manager.during, seconds)


async def well() -> None:
    """The answer of a part that is."""


async def test_it_is_fed_well_within_its_time_while_everything_answers(manager: Manager) -> None:
    async with attended(Notifier(manager.watching(WATCHDOG)), [Probe("a part", well)], lambda: "fine"):
        assert (await during(manager, 1.2)).count(FED) >= 3


async def test_a_part_that_does_not_answer_starves_it_until_it_does(manager: Manager) -> None:
    answers = trio.Event()
    with capture_logs() as lines:
        probes = [Probe("a part", lambda: answers.wait())]
        async with attended(Notifier(manager.watching(WATCHDOG)), probes, lambda: "fine"):
            assert FED not in await during(manager, 1.0)
            answers.set()
            assert await hears(manager, FED)
    told = [(line["log_level"], line["event"], line["part"]) for line in lines]
    assert told == [
        ("error", "component not responding; watchdog not notified", "a part"),
        ("info", "component responding again", "a part"),
    ]
    assert lines[0]["reason"] == "no answer in 0.2 s"


def test_a_blocked_trio_starves_it(manager: Manager) -> None:
    asked, blocked, over = threading.Event(), threading.Event(), threading.Event()

    async def live() -> None:
        async with attended(Notifier(manager.watching(WATCHDOG)), [], lambda: "fine"):
            await trio.to_thread.run_sync(asked.wait)
            blocked.set()
            time.sleep(1.0)  # noqa: ASYNC251  # a bug that blocks, as this is about
            await trio.to_thread.run_sync(over.wait)

    thread = threading.Thread(target=trio.run, args=(live,))
    thread.start()
    fed = manager.hears(FED)
    asked.set()
    blocked.wait()
    starved = FED not in manager.during(0.7)
    again = manager.hears(FED)
    over.set()
    thread.join()
    assert (fed, starved, again) == (True, True, True)


async def test_a_part_that_says_it_is_stuck_starves_it_and_its_reason_is_logged_once(
    manager: Manager,
) -> None:
    stuck = True

    async def answer() -> None:
        if stuck:
            raise NotAnswering("the store has written nothing for 60 s")

    with capture_logs() as lines:
        async with attended(Notifier(manager.watching(0.3)), [Probe("the store", answer)], lambda: "fine"):
            assert FED not in await during(manager, 0.6)
            stuck = False
            assert await hears(manager, FED)
    assert [line.get("reason") for line in lines] == ["the store has written nothing for 60 s", None]


async def test_a_probe_that_fails_counts_as_silent_and_its_words_are_not_repeated() -> None:
    async def answer() -> None:
        raise OSError("https://x/webhooks/1/a-token")

    assert await unanswered([Probe("p", answer)], 1.0) == {"p": "the question failed: OSError"}


async def test_a_start_that_lasts_is_given_more_time_only_while_everything_answers(manager: Manager) -> None:
    well = True

    async def answer() -> None:
        if not well:
            raise NotAnswering("no")

    notifier = Notifier(manager.watching(0.3))
    async with attended(notifier, [Probe("p", answer)], lambda: "waiting for Discord"):
        assert await hears(manager, "EXTEND_TIMEOUT_USEC=45000000")
        well = False
        await trio.sleep(0.3)
        assert await during(manager, 0.4) == []
        well = True
        notifier.ready()
        await trio.sleep(0.3)
        assert set(await during(manager, 0.4)) == {FED}


async def test_without_a_service_manager_nothing_is_asked() -> None:
    async def answer() -> None:
        raise AssertionError("asked")

    def status() -> str:
        raise AssertionError("asked")

    async with attended(Notifier({}), [Probe("p", answer)], status):
        await trio.sleep(0.05)
