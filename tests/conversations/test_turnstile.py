"""Questions of one conversation wait for each other, and for nobody else."""

import trio
import trio.testing

from discordianai.conversations.turnstile import Turn, Turnstile


async def test_one_at_a_time_in_the_order_of_lining_up(autojump_clock: trio.testing.MockClock) -> None:
    turnstile = Turnstile()
    done: list[int] = []

    async def visit(number: int, turn: Turn) -> None:
        async with turn:
            assert len(done) == number
            await trio.sleep(10 - number)  # the later ones are faster and must wait all the same
            done.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(visit, number, turnstile.line_up("a"))
    assert done == list(range(10))
    assert len(turnstile) == 0


async def test_other_keys_do_not_wait(autojump_clock: trio.testing.MockClock) -> None:
    turnstile = Turnstile()
    async with turnstile.line_up("a"):
        with trio.fail_after(1):
            async with turnstile.line_up("b"):
                pass


async def test_one_that_gives_up_waiting_lets_nobody_past_those_before_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    turnstile = Turnstile()
    first, second, third = (turnstile.line_up("a") for _ in range(3))
    entered: list[str] = []

    async def visit_third() -> None:
        async with third:
            entered.append("third")

    async with trio.open_nursery() as nursery, first:
        with trio.move_on_after(1):
            async with second:
                raise AssertionError("it was not its turn")
        nursery.start_soon(visit_third)
        await trio.testing.wait_all_tasks_blocked()
        assert entered == []
    assert entered == ["third"]
    assert len(turnstile) == 0
