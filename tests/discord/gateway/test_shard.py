"""A shard's sessions are begun again after failures, at growing intervals, and not where that is no use."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise

import pytest
import structlog
import trio
import trio.testing

from discordianai.discord.gateway.identifies import Identifies, IdentifyPacer
from discordianai.discord.gateway.session_limit import (
    GatewayUnavailable,
    ListenerRefused,
    SessionEnded,
    StartLimit,
)
from discordianai.discord.gateway.shard import Shard
from discordianai.discord.shard_statistics import ShardCounter

PLENTY = StartLimit(1000, 3600.0)


async def allowed() -> StartLimit:
    return PLENTY


class Failing:
    """A session that identifies, and fails after `healthy` seconds each time; notes when it identified.

    It waits for nothing but time, which a thread would not share.
    """

    def __init__(
        self,
        error: Exception | None = None,
        healthy: float = 0.0,
        ask: Callable[[], Awaitable[StartLimit]] = allowed,
    ) -> None:
        self.identifies: list[float] = []
        self.limits = Identifies(lambda: self.ask(), clock=trio.current_time)
        self.starts = IdentifyPacer(self.limits, clock=trio.current_time)
        self.figures = ShardCounter()
        self.ask = ask
        self._error = error
        self._healthy = healthy

    async def __call__(self) -> None:
        while wait := self.limits.take(0):  # noqa: ASYNC110  # time tells nobody
            await trio.sleep(wait)
        self.starts.backoff.begin()
        self.identifies.append(trio.current_time())
        self.starts.backoff.establish()
        await trio.sleep(self._healthy)
        if self._error is not None:
            raise self._error

    async def keep(self) -> None:
        await Shard(0, 1, self.starts, self.figures).keep_connected(self)

    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.identifies)]


@pytest.mark.parametrize(
    "error", [OSError("down"), SessionEnded("closed"), SessionEnded("op 9", invalid=True), None]
)
async def test_identifies_are_at_least_five_seconds_apart_and_grow_rarer(
    autojump_clock: trio.testing.MockClock, error: Exception | None
) -> None:
    """Whatever ends the listener; one that returns by itself has failed, too."""
    listener = Failing(error)
    with trio.move_on_after(3600):
        await listener.keep()
    gaps = listener.gaps()
    assert len([moment for moment in listener.identifies if moment - listener.identifies[0] <= 30]) <= 7
    assert all(gap >= 5 for gap in gaps)
    assert all(120 <= gap <= 156 for gap in gaps[5:])


async def test_a_session_that_has_lasted_is_begun_again_soon(autojump_clock: trio.testing.MockClock) -> None:
    """Only the pause that Discord wants after op 9."""
    listener = Failing(SessionEnded("op 9", invalid=True), healthy=600)
    with trio.move_on_after(7000):
        await listener.keep()
    assert listener.gaps()
    assert all(601 <= gap <= 605 for gap in listener.gaps())


async def test_a_refusal_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    """What only the operator can fix is not tried again."""
    with pytest.raises(ListenerRefused):
        await Failing(ListenerRefused("the token")).keep()


async def test_nobody_identifies_while_discord_says_wait_or_says_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """First it is not to be reached, then only the reserve is left."""
    answers: Iterator[StartLimit | Exception] = iter(
        [GatewayUnavailable("busy", 300.0), StartLimit(50, 500.0), PLENTY]
    )

    async def ask() -> StartLimit:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    began = trio.current_time()
    listener = Failing(healthy=10_000, ask=ask)
    with trio.move_on_after(1000):
        await listener.keep()
    assert [800 <= moment - began <= 810 for moment in listener.identifies] == [True]


async def test_a_fault_of_a_day_leaves_the_last_fifty(autojump_clock: trio.testing.MockClock) -> None:
    """Also where Discord's figure stays the same, whatever is used."""

    async def stale() -> StartLimit:
        return StartLimit(60, 86_400.0)

    listener = Failing(SessionEnded("closed"), ask=stale)
    with trio.move_on_after(80_000):
        await listener.keep()
    assert len(listener.identifies) == 10


async def test_the_figures_tell_what_is_going_on_and_until_when(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """For health and the status page."""
    listener = Failing(SessionEnded("Discord closed it"))
    with trio.move_on_after(4):
        await listener.keep()
    now = listener.figures.now()
    assert now.trouble == "Discord closed it"
    assert now.next_try > 0


async def test_the_log_tells_a_trouble_once_and_the_next_one_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Not each try."""
    listener = Failing(SessionEnded("one"))

    async def ask() -> StartLimit:
        if len(listener.identifies) >= 4:
            raise GatewayUnavailable("another")
        return PLENTY

    listener.ask = ask
    with structlog.testing.capture_logs() as logs, trio.move_on_after(2000):
        await listener.keep()
    told = [entry["reason"] for entry in logs if entry["log_level"] == "warning"]
    assert told == ["one", "another"]


async def test_a_pause_can_be_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """SIGTERM does not wait for it."""
    with trio.move_on_after(3) as scope:
        await Failing(SessionEnded("closed")).keep()
    assert scope.cancelled_caught
    assert trio.current_time() - scope.deadline < 0.01
