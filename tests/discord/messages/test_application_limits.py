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
    ACKNOWLEDGEMENT,
    LONGEST_WAIT,
    PROBE_EVERY,
    REQUESTS_PER_SECOND,
    SLOW_ABOVE,
    STOP_ABOVE,
    UNNAMED_HOLD,
    ApplicationHeld,
    ApplicationLimits,
)
from discordianai.discord.messages.refused_calls import Call

CLOUDFLARES = {"title": "Error 1015: You are being rate limited", "error_code": 1015}
WEBHOOK_429 = {"message": "You are being rate limited."}
NOON, NOON_AND_A_HALF = "Wed, 25 Nov 2026 12:00:00 GMT", "Wed, 25 Nov 2026 12:01:30 GMT"
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


async def test_an_answer_to_a_request_of_before_the_ban_that_comes_late_is_no_probe(
    autojump_clock: MockClock,
) -> None:
    """Nobody has tried yet whether the ban is over; the first who does says so."""
    limits = ApplicationLimits(clock=trio.current_time)
    await limits.enter(WEBHOOK)
    await limits.enter(WEBHOOK)
    limits.note(429, {"retry-after": "2"}, None, WEBHOOK)
    await trio.sleep(3)
    limits.note(429, {"retry-after": "1"}, None, WEBHOOK)
    assert limits.held_for <= 1
    await limits.enter(WEBHOOK, within=2)
    limits.note(429, {"retry-after": "1"}, None, WEBHOOK)
    assert limits.held_for >= PROBE_EVERY


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
    refused = SLOW_ABOVE
    for more, at_most in ((1, 7), (2_000, 4), (1_500, 1)):  # requests a second
        refuse(more)
        refused += more
        began = trio.current_time()
        for _ in range(5):
            await limits.enter(WEBHOOK, 10.0)
        assert 4 / at_most <= trio.current_time() - began <= 5.0
    refuse(STOP_ABOVE - refused + 1)
    with pytest.raises(ApplicationHeld) as held:
        await limits.enter(WEBHOOK, 60.0)
    assert 60.0 < held.value.wait <= 600.0
    assert limits.statistics().hold
    await limits.enter(WEBHOOK, 600.0)
    assert not limits.statistics().hold


async def test_traffic_of_which_little_is_refused_is_not_slowed(autojump_clock: MockClock) -> None:
    """As where a ban has refused many acknowledgements, and all goes well after it: 60 requests a second."""
    limits = ApplicationLimits(clock=trio.current_time)
    for _ in range(SLOW_ABOVE + 500):
        limits.note(429, {"retry-after": "8"}, None, ACKNOWLEDGEMENT)
    limits.note(200, {}, {}, WEBHOOK)
    await trio.sleep(8.0)
    await limits.enter(WEBHOOK, 10.0)
    began = trio.current_time()
    for number in range(600):
        limits.note(403 if number % 20 == 0 else 200, {}, {"code": 50013}, WEBHOOK)
        await limits.enter(WEBHOOK, 10.0)
    assert trio.current_time() - began <= 10.0
    for _ in range(100):
        limits.note(403, {}, {"code": 50013}, WEBHOOK)
    began = trio.current_time()
    for _ in range(50):
        await limits.enter(WEBHOOK, 10.0)
    assert trio.current_time() - began >= 5.0


async def test_what_others_use_up_does_not_count_as_refused(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    for _ in range(SLOW_ABOVE * 2):
        limits.note(429, {"x-ratelimit-scope": "shared"}, {"global": False, "retry_after": 1.0})
    assert limits.statistics().invalid_recently == 0


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


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, {"global": True, "retry_after": 6.5}, 6.5),
        ({}, {"global": True, "retry_after": "6.5"}, 6.5),
        ({"retry-after": "7"}, {"global": True, "retry_after": 6.5}, 6.5),
        ({"retry-after": "3600"}, {"global": True, "retry_after": 0.3}, 3600.0),
        ({"retry-after": "7"}, {"global": True, "retry_after": "soon"}, 7.0),
        ({"retry-after": "7, 9"}, {"global": True}, 9.0),
        ({"x-ratelimit-reset-after": "2.5"}, {"global": True}, 2.5),
        ({"x-ratelimit-scope": "global", "retry-after": "7"}, WEBHOOK_429, 7.0),
        ({"x-ratelimit-global": "true", "retry-after": "7"}, WEBHOOK_429, 7.0),
        ({}, {"global": True}, 1.0),
        ({}, {"global": True, "retry_after": 0}, 1.0),
        ({}, {"global": True, "retry_after": -3}, 1.0),
        ({}, {"global": True, "retry_after": math.inf}, 1.0),
        ({}, {"global": True, "retry_after": [1]}, 1.0),
        ({"retry-after": "90"}, None, 90.0),
        ({"retry-after": "90, 30"}, None, 90.0),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "90", "date": "nonsense"}, ["a list"], 90.0),
        ({"retry-after": NOON_AND_A_HALF, "date": NOON}, None, 90.0),
        ({"retry-after": "soon"}, None, 60.0),
        ({"retry-after": "30"}, CLOUDFLARES | {"retry_after": 30}, 30.0),
    ],
)
async def test_a_limit_of_the_application_lasts_as_long_as_discord_says_in_any_form(
    autojump_clock: MockClock, headers: dict[str, str], body: object, seconds: float
) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(429, headers, body, WRITE)
    assert limits.held_for == pytest.approx(seconds)


@pytest.mark.parametrize(
    "headers",
    [{"x-ratelimit-scope": "user"}, {"x-ratelimit-scope": "shared"}, {"x-ratelimit-global": "false"}],
)
async def test_what_is_not_global_holds_nobody_else_whatever_else_it_says(
    autojump_clock: MockClock, headers: dict[str, str]
) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(429, headers | {"retry-after": "60"}, {"global": False, "retry_after": 60.0}, WRITE)
    await limits.enter(WEBHOOK)
    await limits.enter(Call(WRITE.kind, 2))


@pytest.mark.parametrize("told", [0.0, 0.001, 0.3])
async def test_a_global_limit_that_goes_on_is_asked_ever_more_seldom(
    autojump_clock: MockClock, told: float
) -> None:
    """Discord names next to nothing each time, for ten minutes; it is no licence to send again at once."""
    limits, began = ApplicationLimits(clock=trio.current_time), trio.current_time()

    def limited(at: float) -> tuple[int, dict[str, str], object]:
        over = at - began >= 600.0
        return (200, {}, {}) if over else (429, {}, {"global": True, "retry_after": told})

    sent = await together(10, lambda: answered(limits, limited, WEBHOOK))
    assert len([at for at in sent if at < 600.0]) <= 30
    assert max(sent) <= 600.0 + 2 * PROBE_EVERY


async def test_a_probe_that_meets_the_limit_of_its_own_bucket_ends_the_pause(
    autojump_clock: MockClock,
) -> None:
    """Discord itself has answered, and nothing about the application."""
    for first in (None, {"global": True, "retry_after": 8.0}):
        limits = ApplicationLimits(clock=trio.current_time)
        limits.note(429, {"retry-after": "8"}, first)
        await limits.enter(WRITE, 60.0)
        limits.note(429, {"x-ratelimit-scope": "user"}, {"global": False, "retry_after": 2.0}, WRITE)
        assert not limits.statistics().hold
        await limits.enter(WEBHOOK)


@pytest.mark.parametrize("page", [None, CLOUDFLARES])
async def test_pages_with_403_one_after_the_other_are_a_ban(autojump_clock: MockClock, page: object) -> None:
    """One may be about what is in a message; of an address that is refused, each request is one more."""
    limits, began = ApplicationLimits(clock=trio.current_time), trio.current_time()

    def banned(at: float) -> tuple[int, dict[str, str], object]:
        return (403, {}, page) if at - began < 300.0 else (200, {}, {})

    sent = await together(20, lambda: answered(limits, banned, WEBHOOK))
    during = [at for at in sent if 1.0 <= at < 300.0]
    assert during
    assert all(later - one >= UNNAMED_HOLD for one, later in pairwise(during))
    assert len([at for at in sent if at >= 300.0]) == 20


async def test_pages_with_403_between_other_answers_are_no_ban(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    for _ in range(20):
        limits.note(403, {}, None, WRITE)
        limits.note(200, {}, {}, WEBHOOK)
    await limits.enter(WRITE)


async def test_a_probe_that_has_to_wait_for_the_pace_is_sent_when_that_allows_it(
    autojump_clock: MockClock,
) -> None:
    """Where the pause is shorter than the gap between two requests: one that was not sent is no probe."""
    for paced in (True, False):
        limits, began = ApplicationLimits(clock=trio.current_time), trio.current_time()
        for _ in range(0 if paced else SLOW_ABOVE + 1):
            limits.note(403, {}, {"code": 50013}, Call("PATCH /messages/ID"))
        while not limits.take(WRITE):
            pass  # as many as may be sent at once
        limits.note(429, {}, {"global": True, "retry_after": 0.01}, WRITE)
        await limits.enter(WRITE, 60.0)
        assert trio.current_time() - began < 2.0


async def test_whoever_came_first_is_sent_first(autojump_clock: MockClock) -> None:
    """Also where somebody comes just when one may be sent, and where some have given up."""
    limits, order = ApplicationLimits(clock=trio.current_time), list[int]()

    async def one(number: int) -> None:
        await trio.sleep(number / 100)
        with trio.move_on_after(0.5 if number % 7 == 0 else 60.0):
            await limits.enter(WRITE, 60.0)
            order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(one, number)
    assert order == sorted(order)
    assert len(order) > 170


async def test_a_thousand_who_wait_cost_no_more_than_one(autojump_clock: MockClock) -> None:
    """Asking takes time of what is to be sent, and then bunches the requests."""
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return trio.current_time()

    limits = ApplicationLimits(clock=clock)
    await together(1000, lambda: answered(limits, lambda _: (200, {}, {}), WRITE))
    assert asked <= 1000 * 8


@pytest.mark.parametrize("call", [WRITE, WEBHOOK])
async def test_who_will_not_wait_for_a_ban_learns_of_it_although_others_before_them_will(
    autojump_clock: MockClock, call: Call
) -> None:
    limits, told = ApplicationLimits(clock=trio.current_time), list[tuple[float, float]]()
    for _ in range(SLOW_ABOVE + 1):
        limits.note(403, {}, {"code": 50013})  # so that both kinds of call wait
    await limits.enter(call)

    async def one(patience: float) -> None:
        try:
            await limits.enter(call, patience)
        except ApplicationHeld as error:
            told.append((trio.current_time() - began, error.wait))

    async with trio.open_nursery() as nursery:
        for patience in (LONGEST_WAIT, LONGEST_WAIT, 60.0, 60.0):
            nursery.start_soon(one, patience)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        limits.note(429, {"retry-after": "600"}, None)
    assert len(told) == 2
    assert all(after < 2.0 and wait > 590.0 for after, wait in told)


async def test_who_will_not_wait_at_all_overtakes_nobody(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(limits.enter, WRITE, 60.0)
        await trio.testing.wait_all_tasks_blocked()
        autojump_clock.jump(1.0)  # others may be sent by now, but have not woken up yet
        with pytest.raises(ApplicationHeld):
            await limits.enter(WRITE)
