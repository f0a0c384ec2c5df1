"""What one person brings delays that person; what does not fit is given back, and nothing stops the queue."""

from dataclasses import replace

import trio
import trio.testing

from discordianai.discord.interactions.round_robin_queue import QueueBounds, RoundRobinQueue

BOUNDS = QueueBounds(running=2, running_each=1, waiting=6, waiting_each=4, seconds=10.0)


class Runner:
    """Takes a second for each piece of work."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.dropped: list[str] = []

    async def run(self, work: str) -> None:
        self.begun.append(work)
        if work == "for ever":
            await trio.sleep_forever()
        await trio.sleep(1.0)
        if work == "bug":
            raise ZeroDivisionError

    def queue(self, nursery: trio.Nursery, bounds: QueueBounds = BOUNDS) -> RoundRobinQueue[str]:
        return RoundRobinQueue(nursery, bounds, self.run, self.dropped.append)


async def test_people_are_served_in_turn_however_much_each_brings(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A person has one place of two; the other one is for all others."""
    runner = Runner()
    async with trio.open_nursery() as nursery:
        queue = runner.queue(nursery)
        for number in range(4):
            queue.put(1, f"a{number}")
        for person in (2, 3):
            queue.put(person, f"person {person}")
        await trio.sleep(1.5)
        assert set(runner.begun) == {"a0", "person 2", "a1", "person 3"}
    assert runner.begun[-2:] == ["a2", "a3"]
    assert runner.dropped == []


async def test_it_is_idle_once_all_of_it_is_done(autojump_clock: trio.testing.MockClock) -> None:
    """Also what waited, and where a piece of it was dropped, or had a bug."""
    runner = Runner()
    async with trio.open_nursery() as nursery:
        queue = runner.queue(nursery)
        await queue.wait_idle()
        for work in ("bug", "second", "third", "fourth", "fifth", "sixth"):
            queue.put(1, work)
        await queue.wait_idle()
        assert trio.current_time() == 5.0
        assert runner.begun == ["bug", "second", "third", "fourth", "fifth"]
        assert runner.dropped == ["sixth"]


async def test_people_who_all_have_more_waiting_take_turns(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """And nobody's own work overtakes itself."""
    runner = Runner()
    async with trio.open_nursery() as nursery:
        queue = runner.queue(nursery, replace(BOUNDS, running=1))
        for work in ("1a", "1b", "1c", "2a", "2b", "3a"):
            queue.put(int(work[0]), work)
    assert runner.begun == ["1a", "1b", "2a", "3a", "1c", "2b"]


async def test_what_one_person_may_have_waiting_is_bounded() -> None:
    runner = Runner()
    async with trio.open_nursery() as nursery:
        queue = runner.queue(nursery)
        for number in range(7):
            queue.put(1, f"a{number}")
        assert runner.dropped == ["a5", "a6"]
        nursery.cancel_scope.cancel()


async def test_when_all_is_full_whoever_has_most_waiting_gives_way() -> None:
    """Their newest goes; among equals, who came last."""
    runner = Runner()
    async with trio.open_nursery() as nursery:
        queue = runner.queue(nursery)
        for person, count in ((1, 5), (2, 3)):
            for number in range(count):
                queue.put(person, f"{person}{number}")
        queue.put(3, "30")
        assert runner.dropped == ["14"]
        queue.put(4, "40")
        assert runner.dropped == ["14", "13"]
        queue.put(3, "31")
        queue.put(3, "32")
        assert runner.dropped == ["14", "13", "31", "32"]
        nursery.cancel_scope.cancel()


async def test_a_bug_and_work_without_end_give_their_places_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    runner = Runner()
    async with trio.open_nursery() as nursery:
        queue = runner.queue(nursery)
        for work in ("bug", "for ever", "last"):
            queue.put(1, work)
    assert runner.begun == ["bug", "for ever", "last"]
    assert trio.current_time() == 12.0


async def test_when_the_bot_stops_nothing_more_is_begun(autojump_clock: trio.testing.MockClock) -> None:
    runner = Runner()
    async with trio.open_nursery() as nursery:
        queue = runner.queue(nursery)
        for number in range(4):
            queue.put(1, f"a{number}")
        await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    assert runner.begun == ["a0"]
    queue.put(2, "b0")
    assert runner.begun == ["a0"]
