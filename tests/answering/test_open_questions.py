"""Open questions are counted right from both threads."""

import threading
from functools import partial

import pytest
import trio

from discordianai.answering.open_questions import (
    CROWD,
    GIVE_WAY,
    AdmissionDenied,
    OpenQuestions,
    QuestionCounter,
    QuestionStatistics,
)
from discordianai.dispatch.options import UserRateOptions
from discordianai.option import Live


def open_questions(capacity: int = 10, each: int = 10) -> OpenQuestions:
    user = Live(UserRateOptions(in_flight=each, waiting=0))
    return OpenQuestions(capacity, user, trio.lowlevel.current_trio_token())


async def test_after_closing_the_last_release_on_any_thread_ends_the_wait() -> None:
    counted = open_questions()
    assert counted.admit(1) is None
    assert counted.admit(1) is None
    counted.close()
    counted.release(1)
    with trio.move_on_after(0.05) as early:
        await counted.wait_idle()
    assert early.cancelled_caught
    threading.Timer(0.05, partial(counted.release, 1)).start()
    with trio.fail_after(5):
        await counted.wait_idle()
    assert counted.open == 0


async def test_with_nothing_open_closing_is_enough() -> None:
    counted = open_questions()
    counted.close()
    with trio.fail_after(1):
        await counted.wait_idle()
    assert counted.admit(1) is AdmissionDenied.STOPPING


async def test_one_person_cannot_take_the_room_of_all() -> None:
    counted = open_questions(capacity=5, each=2)
    assert [counted.admit(1) for _ in range(3)] == [None, None, AdmissionDenied.PERSON_FULL]
    assert [counted.admit(person) for person in (2, 3, 4, 5)] == [None, None, None, AdmissionDenied.FULL]
    counted.release(1)
    assert counted.admit(1) is None


async def test_two_threads_never_admit_more_than_there_is_room_for() -> None:
    counted = open_questions(capacity=1000, each=400)
    admitted: list[AdmissionDenied | None] = []

    def hammer(person: int) -> None:
        admitted.extend(counted.admit(person) for _ in range(1000))

    threads = [threading.Thread(target=hammer, args=(number % 3,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await trio.to_thread.run_sync(thread.join)
    assert admitted.count(None) == counted.open == 1000


async def test_answers_give_way_to_a_crowd_that_is_not_yet_acknowledged(autojump_clock: object) -> None:
    counted = open_questions(capacity=100, each=100)
    for _ in range(CROWD + 2):
        counted.admit(1)
    began = trio.current_time()

    async def acknowledge() -> None:
        await trio.sleep(0.5)
        counted.settle()
        counted.settle()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(acknowledge)
        await counted.give_way()
    assert trio.current_time() - began == pytest.approx(0.5)
    await counted.give_way()
    assert trio.current_time() - began == pytest.approx(0.5)


async def test_no_answer_gives_way_for_long(autojump_clock: object) -> None:
    counted = open_questions(capacity=100, each=100)
    for _ in range(CROWD + 1):
        counted.admit(1)
    began = trio.current_time()
    await counted.give_way()
    assert trio.current_time() - began == pytest.approx(GIVE_WAY)


def test_none_is_lost_whichever_thread_counts_it() -> None:
    counter = QuestionCounter()

    def many() -> None:
        for _ in range(2000):
            counter.answered()
            counter.unprotected()
            counter.replayed()

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.now(3) == QuestionStatistics(open=3, answered=8000, unprotected=8000, replayed=8000)
