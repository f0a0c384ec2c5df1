"""The gate for all of the bot's requests, against a Discord that counts what comes while it must not.

Hours go by on trio's mock clock; requests over real sockets are in `test_webhook.py` and `tests/hostile/`.
"""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from discordianai.discord.messages.application_limits import (
    LONGEST_WAIT,
    PROBE_EVERY,
    REFUSED_FOR,
    REQUESTS_PER_SECOND,
    SLOW_ABOVE,
    STOP_ABOVE,
    ApplicationHeld,
    ApplicationLimits,
    Call,
)
from discordianai.discord.messages.port import MessageError

WRITE = Call("POST /messages", 1)
WEBHOOK = Call("PATCH /messages/ID", as_bot=False)


async def answered(
    limits: ApplicationLimits, answer: Callable[[float], tuple[int, dict[str, str], object]], call: Call
) -> list[float]:
    """Send until it is taken; when each try was sent."""
    sent: list[float] = []
    while True:
        await limits.enter(call, LONGEST_WAIT)
        sent.append(trio.current_time())
        await trio.sleep(0.05)
        status, headers, body = answer(sent[-1])
        limits.note(status, headers, body, call)
        if status == 200:
            return sent


async def together(count: int, work: Callable[[], Awaitable[list[float]]]) -> list[float]:
    """Every time at which any of them sent, in seconds from now."""
    began, sent = trio.current_time(), list[float]()

    async def one() -> None:
        sent.extend(at - began for at in await work())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return sorted(sent)


async def test_a_ban_is_tried_once_a_minute_and_everybody_goes_on_after_it(autojump_clock: MockClock) -> None:
    """Forty answers meet a ban of ten minutes that lasts five minutes longer than it says."""
    limits = ApplicationLimits(clock=trio.current_time)

    began = trio.current_time()

    def banned(at: float) -> tuple[int, dict[str, str], object]:
        if at - began < 900.0:
            return 429, {"retry-after": "600" if at - began < 600.0 else "1"}, None
        return 200, {}, {}

    sent = await together(40, lambda: answered(limits, banned, WEBHOOK))
    before = [at for at in sent if at < 1.0]
    probes = [at for at in sent if 1.0 <= at < 900.0]
    assert len(before) == 40  # all were under way already
    assert probes, "somebody tries"
    assert min(probes) >= 600.0
    assert all(later - one >= PROBE_EVERY for one, later in pairwise(probes))
    assert len([at for at in sent if at >= 900.0]) == 40


async def test_a_global_limit_holds_every_route(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(429, {"x-ratelimit-scope": "global"}, {"global": True, "retry_after": 6.0}, WRITE)
    began = trio.current_time()
    for call in (WRITE, WEBHOOK, Call("POST /typing", 2)):
        with pytest.raises(ApplicationHeld) as held:
            await limits.enter(call)
        assert held.value.wait == pytest.approx(6.0)
    await limits.enter(WEBHOOK, 10.0)
    assert trio.current_time() - began >= 6.0


async def test_a_429_of_one_bucket_holds_nobody_else(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(429, {"x-ratelimit-scope": "user"}, {"global": False, "retry_after": 6.0}, WRITE)
    await limits.enter(WEBHOOK)


async def test_a_lost_probe_is_followed_by_another_one(autojump_clock: MockClock) -> None:
    """Who sent it may have been cancelled."""
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(429, {"retry-after": "5"}, None)
    await limits.enter(WEBHOOK, 10.0)
    with trio.fail_after(60):
        await limits.enter(WEBHOOK, 60.0)


async def test_no_second_has_more_requests_than_discord_allows(autojump_clock: MockClock) -> None:
    """Nor has it where the network holds some up for a quarter of a second, and lets them through at once."""
    limits = ApplicationLimits(clock=trio.current_time)
    sent = await together(150, lambda: answered(limits, lambda _: (200, {}, {}), WRITE))
    window: deque[float] = deque()
    for at in sent:
        window.append(at)
        while window[0] <= at - 1.25:
            window.popleft()
        assert len(window) <= 50
    assert sent[-1] < 5.0


async def test_webhooks_of_interactions_are_not_counted_as_the_bots(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    for _ in range(4 * REQUESTS_PER_SECOND):
        await limits.enter(WEBHOOK)


async def test_refused_requests_slow_traffic_and_then_stop_it(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)

    def refuse(count: int) -> None:
        for _ in range(count):
            limits.note(403, {}, {"code": 50013}, Call("PATCH /messages/ID", None))

    refuse(SLOW_ABOVE)
    await limits.enter(WEBHOOK)
    await limits.enter(WEBHOOK)
    refuse(1)
    began = trio.current_time()
    for _ in range(5):
        await limits.enter(WEBHOOK, 10.0)
    assert trio.current_time() - began >= 4.0
    refuse(STOP_ABOVE - SLOW_ABOVE)
    with pytest.raises(ApplicationHeld) as held:
        await limits.enter(WEBHOOK, 60.0)
    assert 60.0 < held.value.wait <= 600.0
    assert limits.statistics().hold
    await limits.enter(WEBHOOK, 600.0)
    assert not limits.statistics().hold


async def test_what_others_use_up_does_not_count_as_refused(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    for _ in range(SLOW_ABOVE * 2):
        limits.note(429, {"x-ratelimit-scope": "shared"}, {"global": False, "retry_after": 1.0})
    assert limits.statistics().invalid_recently == 0


async def test_a_403_is_remembered_for_its_channel_and_kind_of_call(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(403, {}, {"code": 50013}, WRITE, "no permission")
    with pytest.raises(MessageError, match="no permission, a short while ago"):
        await limits.enter(WRITE, 10.0)
    await limits.enter(Call(WRITE.kind, 2))
    await limits.enter(Call(f"{WRITE.kind} files", 1))
    await trio.sleep(REFUSED_FOR)
    await limits.enter(WRITE)
    limits.note(403, {}, {"code": 50013}, WRITE)
    limits.forget_refusals(1)
    await limits.enter(WRITE)


@pytest.mark.parametrize("told", ["nan", "-1", "inf", "", "x", "9" * 400])
async def test_an_odd_retry_after_holds_for_a_while_and_not_for_ever(
    autojump_clock: MockClock, told: str
) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(429, {"retry-after": told}, None)
    assert 0.0 < limits.held_for <= 86_400.0
    assert math.isfinite(limits.statistics().held_until)


async def test_a_probe_of_which_nothing_is_heard_is_followed_by_another_at_once(
    autojump_clock: MockClock,
) -> None:
    """A lost connection, or a question that is stopped, must not hold everybody for half a minute."""
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(429, {"retry-after": "8"}, None)
    began = trio.current_time()
    await limits.enter(WRITE, 60.0)
    with suppress(OSError), limits.probing():
        raise OSError
    await limits.enter(WRITE, 60.0)
    assert trio.current_time() - began == pytest.approx(8.0, abs=0.1)
