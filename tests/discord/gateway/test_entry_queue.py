"""What is posted is called once, in order, and a burst wakes its loop once."""

import threading
from collections.abc import Callable

import trio

from discordianai.discord.gateway.entry_queue import EntryQueue


def test_a_burst_wakes_the_loop_once_and_keeps_its_order() -> None:
    woken: list[Callable[[], None]] = []
    seen: list[int] = []
    box = EntryQueue(woken.append)
    for number in range(5):
        box.post(lambda number=number: seen.append(number))  # type: ignore[misc]  # a default binds it
    assert len(woken) == 1
    woken[0]()
    assert seen == [0, 1, 2, 3, 4]


def test_what_is_posted_while_the_box_is_emptied_is_called_too() -> None:
    woken: list[Callable[[], None]] = []
    seen: list[str] = []
    box = EntryQueue(woken.append)
    box.post(lambda: box.post(lambda: seen.append("later")))
    while woken:
        woken.pop()()
    assert seen == ["later"]


async def test_nothing_is_lost_between_threads() -> None:
    seen: list[int] = []
    box = EntryQueue(trio.lowlevel.current_trio_token().run_sync_soon)

    def post() -> None:
        for _ in range(2000):
            box.post(lambda: seen.append(1))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    with trio.fail_after(30):
        while len(seen) < 8000:  # noqa: ASYNC110  # what arrives tells nobody
            await trio.sleep(0.01)
