"""The listener is restarted after failures, at growing intervals, and not where that is no use."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import structlog
import trio
import trio.testing

from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.gateway import supervisor
from discordianai.discord.gateway.session_limit import (
    GatewayUnavailable,
    IdentifyPacer,
    ListenerRefused,
    SessionEnded,
    StartLimit,
)
from discordianai.discord.gateway.supervisor import keep_listening

PLENTY = StartLimit(1000, 3600.0)


@pytest.fixture(autouse=True)
def without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listeners here wait for nothing but time, which a thread would not share."""

    async def run(main: Callable[[], object]) -> None:
        await main()  # type: ignore[misc]  # the fake listeners below are trio's

    monkeypatch.setattr(supervisor, "run_asyncio", run)


async def allowed() -> StartLimit:
    return PLENTY


class Failing:
    """A listener that identifies, and fails after `healthy` seconds each time; notes when it identified."""

    def __init__(self, error: Exception | None = None, healthy: float = 0.0) -> None:
        self.identifies: list[float] = []
        self.starts = IdentifyPacer(clock=trio.current_time)
        self.figures = DiscordCounter()
        self._error = error
        self._healthy = healthy

    async def __call__(self) -> None:
        self.starts.note_identify()
        self.identifies.append(trio.current_time())
        self.starts.backoff.establish()
        await trio.sleep(self._healthy)
        if self._error is not None:
            raise self._error

    async def keep(self, ask: Callable[[], object] = allowed) -> None:
        await keep_listening(self, ask, self.starts, self.figures)  # type: ignore[arg-type]  # an async one

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
    listener = Failing(healthy=10_000)
    with trio.move_on_after(1000):
        await listener.keep(ask)
    assert [800 <= moment - began <= 810 for moment in listener.identifies] == [True]


async def test_a_fault_of_a_day_leaves_the_last_fifty(autojump_clock: trio.testing.MockClock) -> None:
    """Also where Discord's figure stays the same, whatever is used."""
    listener = Failing(SessionEnded("closed"))

    async def stale() -> StartLimit:
        return StartLimit(60, 86_400.0)

    with trio.move_on_after(80_000):
        await listener.keep(stale)
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

    with structlog.testing.capture_logs() as logs, trio.move_on_after(2000):
        await listener.keep(ask)
    told = [entry["reason"] for entry in logs if entry["log_level"] == "warning"]
    assert told == ["one", "another"]


async def test_a_pause_can_be_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """SIGTERM does not wait for it."""
    with trio.move_on_after(3) as scope:
        await Failing(SessionEnded("closed")).keep()
    assert scope.cancelled_caught
    assert trio.current_time() - scope.deadline < 0.01
