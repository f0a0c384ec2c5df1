"""The IDENTIFYs of all shards: counted together, apart within a bucket, and asked for once."""

from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
import trio
import trio.testing

from discordianai.discord.gateway.identifies import LEAST_GAP, Identifies, IdentifyPacer
from discordianai.discord.gateway.session_limit import (
    GatewayUnavailable,
    ListenerRefused,
    SessionEnded,
    StartLimit,
)

PLENTY = StartLimit(1000, 3600.0)


class Discord:
    """Answers `GET /gateway/bot` with these in turn, the last one again and again."""

    def __init__(self, *answers: StartLimit | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []

    async def __call__(self) -> StartLimit:
        self.asked.append(trio.current_time())
        await trio.sleep(0.1)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def identifies(ask: Callable[[], Awaitable[StartLimit]] | None = None) -> Identifies:
    return Identifies(ask or Discord(PLENTY), clock=trio.current_time)


async def started(starts: Identifies, shard_id: int, connecting: float, at: list[float]) -> None:
    """A shard begins a session; `connecting` are the seconds until it could identify."""
    assert await starts.allow(shard_id) == 0.0
    await trio.sleep(starts.reserve(shard_id))
    await trio.sleep(connecting)
    while wait := starts.take(shard_id):  # noqa: ASYNC110  # time tells nobody
        await trio.sleep(wait)
    starts.note_sent(shard_id)
    at.append(trio.current_time())


@pytest.mark.parametrize(("remaining", "wait"), [(1000, 0.0), (51, 0.0), (50, 7.0), (0, 7.0)])
async def test_the_last_fifty_identifies_are_left_alone(
    autojump_clock: trio.testing.MockClock, remaining: int, wait: float
) -> None:
    """With 50 left, one more would use one of the 50."""
    starts = identifies(Discord(StartLimit(remaining, 7.0)))
    assert await starts.allow(0) == pytest.approx(wait)
    if wait:
        with pytest.raises(SessionEnded, match="used up"):
            starts.take(0)


async def test_each_try_counts_also_where_discord_says_the_same_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An answer that is old does not give back what has been used, until the limit is reset."""
    starts = identifies(Discord(*[StartLimit(52, 100.0)] * 3, StartLimit(1000, 100.0)))
    for left in range(52, 50, -1):
        assert await starts.allow(0) == 0.0
        assert starts.left == left
        assert starts.take(0) == 0.0
        await trio.sleep(6)
    assert await starts.allow(0) == pytest.approx(100.0)
    await trio.sleep(101)
    assert await starts.allow(0) == 0.0
    assert starts.left == 1000


async def test_a_limit_that_resets_at_once_is_asked_for_again_only_after_a_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Else the question would be a storm."""
    assert await identifies(Discord(StartLimit(3, 0.0))).allow(0) >= 5.0


@pytest.mark.parametrize("concurrency", [1, 4, 16])
async def test_sixteen_shards_ask_once_and_identify_apart_within_their_buckets(
    autojump_clock: trio.testing.MockClock, concurrency: int
) -> None:
    """Different buckets at the same time; however long each takes to connect, the gap stays."""
    discord = Discord(StartLimit(1000, 3600.0, concurrency))
    starts = identifies(discord)
    at: dict[int, list[float]] = {bucket: [] for bucket in range(concurrency)}
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for shard_id in range(16):
            bucket = at[shard_id % concurrency]
            nursery.start_soon(started, starts, shard_id, 1.3 * (shard_id % 3), bucket)
    assert len(discord.asked) == 1
    assert starts.left == 1000 - 16
    assert all(later - earlier >= LEAST_GAP for times in at.values() for earlier, later in pairwise(times))
    took = trio.current_time() - began
    assert took <= (16 / concurrency - 1) * (LEAST_GAP + 0.25) + 3 * 2.6 + 0.2


async def test_a_shard_that_hangs_before_it_identifies_holds_nobody_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its turn passes; when it comes, it waits for the next one."""
    starts, at, late = identifies(), list[float](), list[float]()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(started, starts, 0, 40.0, late)
        await trio.testing.wait_all_tasks_blocked()
        for shard_id in range(1, 5):
            nursery.start_soon(started, starts, shard_id, 0.0, at)
    assert at[-1] - began <= 5 * 5.3
    assert late[0] - began <= 46


async def test_a_failed_question_is_everybodys_and_asked_again_at_a_pace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Sixteen shards do not ask sixteen times."""
    discord = Discord(GatewayUnavailable("busy"), GatewayUnavailable("busy", 300.0), PLENTY)
    starts = identifies(discord)
    began = trio.current_time()

    async def keep_trying(shard_id: int) -> None:
        while True:
            try:
                await starts.allow(shard_id)
            except GatewayUnavailable as error:
                await trio.sleep(max(error.retry_after, 5.0))
            else:
                return

    async with trio.open_nursery() as nursery:
        for shard_id in range(16):
            nursery.start_soon(keep_trying, shard_id)
    assert len(discord.asked) == 3
    assert trio.current_time() - began >= 300


async def test_a_refusal_is_for_the_operator(autojump_clock: trio.testing.MockClock) -> None:
    """No later question helps."""
    with pytest.raises(ListenerRefused):
        await identifies(Discord(ListenerRefused("the token"))).allow(0)


@pytest.mark.parametrize("retry_after", [0.0, 7200.0])
def test_a_shard_waits_as_long_as_discord_says(retry_after: float) -> None:
    """Never sooner than told."""
    starts = IdentifyPacer(Identifies(Discord(PLENTY)), clock=lambda: 0.0)
    starts.backoff.begin()
    starts.lose(GatewayUnavailable("busy", retry_after))
    assert starts.backoff.delay() == pytest.approx(max(retry_after, 5.6), abs=0.7)


def test_after_op_9_one_to_five_seconds_are_added() -> None:
    """And not always the same."""
    waits = set()
    for _ in range(50):
        starts = IdentifyPacer(Identifies(Discord(PLENTY)), clock=lambda: 0.0)
        starts.backoff.begin()
        starts.lose(SessionEnded("invalid", invalid=True))
        waits.add(starts.backoff.delay())
    assert all(6.0 <= wait <= 11.25 for wait in waits)
    assert len(waits) > 40
