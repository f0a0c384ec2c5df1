"""Open questions are counted right from both threads."""

import threading

import trio

from discordianai.discord.admissions import Admissions


async def test_after_closing_the_last_release_on_any_thread_ends_the_wait() -> None:
    admissions = Admissions(10, trio.lowlevel.current_trio_token())
    assert admissions.admit()
    assert admissions.admit()
    admissions.close()
    admissions.release()
    with trio.move_on_after(0.05) as early:
        await admissions.wait_idle()
    assert early.cancelled_caught
    threading.Timer(0.05, admissions.release).start()
    with trio.fail_after(5):
        await admissions.wait_idle()


async def test_with_nothing_open_closing_is_enough() -> None:
    admissions = Admissions(10, trio.lowlevel.current_trio_token())
    admissions.close()
    with trio.fail_after(1):
        await admissions.wait_idle()
    assert not admissions.admit()


async def test_two_threads_never_admit_more_than_there_is_room_for() -> None:
    admissions = Admissions(1000, trio.lowlevel.current_trio_token())
    admitted: list[bool] = []

    def hammer() -> None:
        admitted.extend(admissions.admit() for _ in range(1000))

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await trio.to_thread.run_sync(thread.join)
    assert sum(admitted) == admissions.open == 1000
