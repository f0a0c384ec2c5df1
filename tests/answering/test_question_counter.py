"""Questions are counted on two threads."""

import threading

from discordianai.answering.question_counter import QuestionCounter, QuestionStatistics


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
