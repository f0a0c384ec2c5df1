"""The listener comes back after failures, ever more slowly, and not where that is no use."""

import random
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import trio
import trio.testing

from discordianai.discord import front_door
from discordianai.discord.front_door import Backoff, keep_listening
from discordianai.discord.session_limit import GatewayUnavailable, ListenerRefused, seconds_to_wait


@pytest.fixture(autouse=True)
def without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listeners here wait for nothing but time, which a thread would not share."""

    async def run(main: Callable[[], object]) -> None:
        await main()  # type: ignore[misc]  # the fake listeners below are trio's

    monkeypatch.setattr(front_door, "run_asyncio", run)


async def allowed() -> float:
    return 0.0


class Failing:
    """A listener that fails, after `healthy` seconds each time; notes when it was started."""

    def __init__(self, healthy: float = 0.0) -> None:
        self.starts: list[float] = []
        self._healthy = healthy

    async def __call__(self) -> None:
        self.starts.append(trio.current_time())
        await trio.sleep(self._healthy)
        raise OSError("the network is down")


async def test_the_pauses_grow_from_one_second_to_five_minutes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    listener = Failing()
    with trio.move_on_after(3600):
        await keep_listening(listener, allowed, Backoff(random.Random(1)))
    pauses = [later - earlier for earlier, later in pairwise(listener.starts)]
    assert 1 <= pauses[0] <= 1.0
    assert all(pause <= 300 for pause in pauses)
    assert all(pause >= 150 for pause in pauses[9:])
    assert len(set(pauses[3:])) == len(pauses[3:])  # jitter


async def test_ten_healthy_minutes_make_the_pauses_short_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    listener = Failing(healthy=600)
    with trio.move_on_after(7000):
        await keep_listening(listener, allowed)
    assert all(later - earlier <= 601 for earlier, later in pairwise(listener.starts))


async def test_one_that_returns_by_itself_has_failed_too(autojump_clock: trio.testing.MockClock) -> None:
    starts: list[float] = []

    async def returns() -> None:
        starts.append(trio.current_time())

    with trio.move_on_after(10):
        await keep_listening(returns, allowed)
    assert len(starts) > 2


async def test_a_refusal_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    async def refused() -> None:
        raise ListenerRefused("the token")

    with pytest.raises(ListenerRefused):
        await keep_listening(refused, allowed)


async def test_nobody_identifies_while_discord_says_wait_or_says_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    answers: Iterator[float | Exception] = iter([GatewayUnavailable("down"), 500.0, 0.0])

    async def ask() -> float:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    began = trio.current_time()
    listener = Failing(healthy=10_000)
    with trio.move_on_after(1000):
        await keep_listening(listener, ask)
    assert [start - began >= 501 for start in listener.starts] == [True]


@pytest.mark.parametrize(("remaining", "wait"), [(1000, 0.0), (50, 0.0), (49, 7.0), (0, 7.0)])
def test_the_last_fifty_identifies_are_left_alone(remaining: int, wait: float) -> None:
    limit = {"total": 1000, "remaining": remaining, "reset_after": 7000, "max_concurrency": 1}
    assert seconds_to_wait({"session_start_limit": limit}) == wait
