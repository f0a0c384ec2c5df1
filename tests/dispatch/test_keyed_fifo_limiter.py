"""Questions of one conversation wait for each other, and for nobody else."""

import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from discordianai.dispatch.keyed_fifo_limiter import KeyedFifoLimiter, Ticket
from tests.examples import examples


async def test_one_at_a_time_in_the_order_of_lining_up(autojump_clock: trio.testing.MockClock) -> None:
    limiter = KeyedFifoLimiter()
    done: list[int] = []

    async def visit(number: int, spot: Ticket) -> None:
        with spot:
            await spot.admitted.wait()
            assert len(done) == number
            await trio.sleep(10 - number)  # the later ones are faster and must wait all the same
            done.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(visit, number, limiter.enqueue("a"))
    assert done == list(range(10))
    assert len(limiter) == 0


async def test_other_keys_do_not_wait(autojump_clock: trio.testing.MockClock) -> None:
    limiter = KeyedFifoLimiter()
    with limiter.enqueue("a"), limiter.enqueue("b") as other, trio.fail_after(1):
        await other.admitted.wait()


async def test_one_that_gives_up_waiting_lets_nobody_past_those_before_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limiter = KeyedFifoLimiter()
    first, second, third = (limiter.enqueue("a") for _ in range(3))
    entered: list[str] = []

    async def visit_third() -> None:
        with third:
            await third.admitted.wait()
            entered.append("third")

    async with trio.open_nursery() as nursery:
        with first:
            with trio.move_on_after(1), second:
                await second.admitted.wait()
                raise AssertionError("it was not its turn")
            nursery.start_soon(visit_third)
            await trio.testing.wait_all_tasks_blocked()
            assert entered == []
    assert entered == ["third"]
    assert len(limiter) == 0


visits = st.lists(
    st.tuples(st.sampled_from("ab"), st.floats(0, 3), st.floats(0.01, 4), st.floats(0.01, 6)), max_size=15
)
"""Of each: its key, the pause before it comes, how long it takes, and when it gives up."""


@given(visits, st.integers(1, 3))
@settings(
    deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_however_they_come_and_go_they_enter_in_order_and_never_too_many(
    autojump_clock: trio.testing.MockClock, script: list[tuple[str, float, float, float]], limit: int
) -> None:
    """Of those that are admitted at the same time, any task may run first."""
    limiter = KeyedFifoLimiter(limit)
    entered: dict[str, dict[int, float]] = {"a": {}, "b": {}}
    inside = {"a": 0, "b": 0}

    async def visit(number: int, key: str, ticket: Ticket, seconds: float, gives_up: float) -> None:
        with trio.move_on_after(gives_up):
            with ticket:
                await ticket.admitted.wait()
                entered[key][number] = trio.current_time()
                inside[key] += 1
                try:
                    assert inside[key] <= limit
                    await trio.sleep(seconds)
                finally:
                    inside[key] -= 1

    async with trio.open_nursery() as nursery:
        for number, (key, pause, seconds, gives_up) in enumerate(script):
            await trio.sleep(pause)
            nursery.start_soon(visit, number, key, limiter.enqueue(key), seconds, gives_up)
    for times in entered.values():
        in_order = [times[number] for number in sorted(times)]
        assert in_order == sorted(in_order)
    assert len(limiter) == 0
