"""What becomes of a question that a former process has left."""

import time
from collections.abc import Iterator, Sequence
from itertools import count

import pytest
import trio
from structlog.testing import capture_logs

from discordianai.answering.answer import INTERNAL_ERROR
from discordianai.answering.journal import Journal
from discordianai.answering.open_questions import QuestionCounter
from discordianai.answering.recovery import (
    AT_ONCE,
    LATE,
    LATEST,
    MISSED,
    MOST_STARTS,
    STOPPED_TWICE,
    Recovery,
)
from discordianai.conversations.pending_questions import FinishedAnswer, PendingQuestion, Posted
from discordianai.conversations.store import StoreError
from discordianai.records import Person, Place, Question, ReplyAddress
from discordianai.system_clock import IMPOSSIBLE_AGE
from tests.doubles.delivery import FakeDelivery, FakePlace
from tests.doubles.store import MemoryStore

ANN = Person(1, "Ann")
POSTED = Posted(further_ids=(501,))


class Scene:
    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.place = FakePlace()
        self.journal = Journal(self.store, QuestionCounter())
        self.recovery = Recovery(self.journal, self.place)
        self.asked_again: list[tuple[Question, Posted]] = []
        self.stopping = False

    async def leave(
        self, number: int = 1, *, answer: str = "", starts: int = 1, seconds_ago: float = 0.0
    ) -> None:
        """A former process leaves a question, and an answer if there is one."""
        asked_at = time.time() - seconds_ago
        address = ReplyAddress(1, number, "token", 7, private=False, acknowledged_at=asked_at)
        await self.store.accept(Question(0, "why?", ANN, Place(7, 5), address))
        await self.store.note_posted(number, POSTED, "half")
        for _ in range(starts - 1):
            await self.store.count_start(number)
        if answer:
            await self.store.answered(number, FinishedAnswer(answer))

    async def take_up(self, left: Sequence[PendingQuestion] | None = None) -> Sequence[PendingQuestion]:
        """Take up that, or all of it; what is left after that."""

        async def again(question: Question, posted: Posted) -> None:
            self.asked_again.append((question, posted))

        left = await self.store.unfinished() if left is None else left
        await self.recovery.take_up(left, count(50), again, lambda: self.stopping)
        self.store.failure = None
        return await self.store.unfinished()


async def test_what_has_no_answer_is_asked_again_and_edits_what_was_posted() -> None:
    scene = Scene()
    await scene.leave()
    (left,) = await scene.take_up()
    ((question, posted),) = scene.asked_again
    assert (question.number, question.protected, posted) == (50, True, POSTED)
    assert left.starts == 2


async def test_an_answer_that_is_whole_is_shown_and_nobody_is_asked() -> None:
    scene = Scene()
    await scene.leave(answer="because")
    assert await scene.take_up() == ()
    assert scene.place.told == [("show", 50, "because")]
    assert scene.asked_again == []


@pytest.mark.parametrize(
    ("answer", "told"), [("", ("say late", 50, MISSED, "")), ("because", ("say late", 50, LATE, "because"))]
)
async def test_where_the_interaction_is_over_the_channel_gets_it(
    answer: str, told: tuple[object, ...]
) -> None:
    scene = Scene()
    scene.place.open = False
    await scene.leave(answer=answer)
    assert await scene.take_up() == ()
    assert scene.place.told == [told]


async def test_where_the_channel_takes_nothing_either_the_word_is_owed_until_it_can_be_said() -> None:
    scene = Scene()
    scene.place.open = scene.place.reachable = False
    await scene.leave(1, seconds_ago=7300)
    await scene.leave(2, seconds_ago=7200)
    assert len(await scene.take_up()) == 2
    now = scene.place(Question(9, "well?", ANN, Place(7, 5), ReplyAddress(1, 9, "", 7, False, 0.0)), Posted())
    await scene.recovery.tell_late(ANN.id, now)
    assert scene.place.told == []
    scene.place.reachable = True
    await scene.recovery.tell_late(ANN.id, now)
    assert [what for what, *_ in scene.place.told] == ["follow up", "follow up"]
    assert "2 hours ago" in str(scene.place.told[0])
    assert await scene.store.unfinished() == ()


@pytest.mark.parametrize("answer", ["", "because"])
async def test_a_question_that_ended_two_processes_is_not_tried_a_third_time(answer: str) -> None:
    """Nor is its answer shown: that may be what ends them."""
    scene = Scene()
    await scene.leave(answer=answer, starts=MOST_STARTS)
    assert await scene.take_up() == ()
    assert scene.place.told == [("apologise", 50, f"{STOPPED_TWICE} (error 50)")]


@pytest.mark.parametrize("starts", [1, MOST_STARTS])
async def test_what_is_a_week_old_is_forgotten_without_a_word(starts: int) -> None:
    scene = Scene()
    await scene.leave(seconds_ago=LATEST + 60, starts=starts)
    assert await scene.take_up() == ()
    assert scene.place.told == []


async def test_a_machine_that_booted_in_2100_forgets_nobody() -> None:
    """Nobody knows how old a question is then: whoever asked is told, or will be."""
    scene = Scene()
    scene.place.open = False
    await scene.leave(1, seconds_ago=IMPOSSIBLE_AGE + 60)
    assert await scene.take_up() == ()
    assert scene.place.told == [("say late", 50, MISSED, "")]
    scene.place.reachable = False
    await scene.leave(2, seconds_ago=IMPOSSIBLE_AGE + 60)
    assert len(await scene.take_up()) == 1
    scene.place.reachable = True
    now = scene.place(Question(9, "well?", ANN, Place(7, 5), ReplyAddress(1, 9, "", 7, False, 0.0)), Posted())
    await scene.recovery.tell_late(ANN.id, now)
    assert "restarted some time ago" in str(scene.place.told[-1])


async def test_where_the_start_cannot_be_counted_the_question_waits() -> None:
    """Else one that ends the process would do so for ever."""

    class Ill(MemoryStore):
        async def count_start(self, interaction_id: int) -> bool:
            raise StoreError("the disk is full")

    scene = Scene(Ill())
    await scene.leave()
    assert len(await scene.take_up()) == 1
    assert scene.place.told == scene.asked_again == []


@pytest.mark.parametrize(("answer", "open_"), [("because", True), ("because", False), ("", False)])
async def test_a_stop_in_good_order_while_a_person_is_told_is_no_crash(answer: str, open_: bool) -> None:
    """During a ban by Discord, that takes as long as the ban."""
    scene = Scene()

    async def waits(_what: str) -> None:
        await trio.sleep_forever()

    scene.place.open, scene.place.waits = open_, waits
    await scene.leave(answer=answer)
    with trio.move_on_after(0.1):
        await scene.take_up()
    (left,) = await scene.store.unfinished()
    assert left.starts == 1


@pytest.mark.parametrize("jump", [-30 * 86_400.0, -3600.0, 3600.0, 30 * 86_400.0, 9 * 365 * 86_400.0])
async def test_a_clock_that_jumps_meanwhile_makes_no_question_older_than_it_is(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of today would be a month old, and forgotten without a word; or too old for their place."""
    scene, system, ages = Scene(), time.time, list[float]()

    async def sets_the_clock(_what: str) -> None:
        await trio.sleep(0.01)
        monkeypatch.setattr(time, "time", lambda: system() + jump)

    class Timed(FakePlace):
        def __call__(self, question: Question, posted: Posted) -> FakeDelivery:
            ages.append(time.time() - question.address.acknowledged_at)
            return super().__call__(question, posted)

    scene.place = Timed()
    scene.recovery = Recovery(scene.journal, scene.place)
    scene.place.waits = sets_the_clock
    for number in range(1, 2 * AT_ONCE):
        await scene.leave(number, answer="because", seconds_ago=60)
    assert await scene.take_up() == ()
    assert len(scene.place.told) == len(ages) == 2 * AT_ONCE - 1
    assert ages == pytest.approx([60] * len(ages), abs=5)


async def test_a_clock_that_jumps_before_a_question_is_taken_up_does_not_age_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is counted, and begins a moment later."""
    scene, system = Scene(), time.time
    await scene.leave(answer="because", seconds_ago=60)

    def numbers() -> Iterator[int]:
        monkeypatch.setattr(time, "time", lambda: system() + 30 * 86_400)
        yield 50

    async def again(_question: Question, _posted: Posted) -> None:
        raise AssertionError("it has an answer")

    await scene.recovery.take_up(await scene.store.unfinished(), numbers(), again, lambda: False)
    assert scene.place.told == [("show", 50, "because")]


async def test_what_is_owed_is_told_with_its_age_whatever_the_clock_was_set_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, system = Scene(), time.time
    scene.place.open = scene.place.reachable = False
    await scene.leave(1, seconds_ago=7300)
    await scene.take_up()
    monkeypatch.setattr(time, "time", lambda: system() + 86_400)
    scene.place.reachable = True
    now = scene.place(Question(9, "well?", ANN, Place(7, 5), ReplyAddress(1, 9, "", 7, False, 0.0)), Posted())
    await scene.recovery.tell_late(ANN.id, now)
    assert "2 hours ago" in str(scene.place.told[0])


async def test_a_start_that_could_not_be_counted_is_tried_again_until_it_can() -> None:
    """By the next start, a person would have waited in vain. The log says once for all of them why."""
    scene = Scene()
    await scene.leave(1)
    await scene.leave(2)
    scene.store.restart()
    with capture_logs() as logs:
        left = await scene.journal.take_over()
        for _ in range(3):
            scene.store.failure = StoreError("the disk is full")
            await scene.take_up(left)
            left = await scene.journal.take_over()
            assert len(left) == 2
    assert [log["reason"] for log in logs if log["log_level"] == "warning"] == ["the disk is full"]
    await scene.take_up(left)
    assert [question.address.interaction_id for question, _ in scene.asked_again] == [1, 2]
    assert await scene.journal.take_over() == ()


async def test_a_bug_over_one_keeps_no_other_from_being_taken_up() -> None:
    scene = Scene()
    await scene.leave(1)
    await scene.leave(2)
    scene.place.fails = [ZeroDivisionError("a bug")]
    await scene.take_up()
    assert [question.address.interaction_id for question, _ in scene.asked_again] == [2]


@pytest.mark.parametrize("open_", [True, False])
async def test_after_a_bug_the_person_is_told_and_not_left_to_the_next_start(open_: bool) -> None:
    scene = Scene()

    async def fails(what: str) -> None:
        await trio.lowlevel.checkpoint()
        if what != "apologise":
            raise ZeroDivisionError("a bug")

    scene.place.open, scene.place.waits = open_, fails
    await scene.leave(answer="because")
    assert await scene.take_up() == ()
    assert scene.place.told == [("apologise", 50, f"{INTERNAL_ERROR} (error 50)")]


async def test_few_are_worked_on_at_once_oldest_first_and_none_once_the_bot_stops() -> None:
    scene, busy, most = Scene(), 0, 0

    async def waits(_what: str) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await trio.sleep(0.01)
        busy -= 1
        scene.stopping = len(scene.place.told) > AT_ONCE

    scene.place.waits = waits
    for number in range(1, 4 * AT_ONCE):
        await scene.leave(number, answer="because", seconds_ago=100 - number)
    left = await scene.take_up()
    assert most == AT_ONCE
    assert 0 < len(left) < 3 * AT_ONCE
    shown = {number for _, number, *_ in scene.place.told}
    assert shown == set(range(50, 50 + len(shown)))


async def test_a_store_that_cannot_be_read_is_told_once_and_asked_again() -> None:
    """What other processes left is looked for every few seconds, also while the database is away."""
    store = MemoryStore()
    address = ReplyAddress(1, 1, "token", 7, private=False, acknowledged_at=time.time())
    await store.accept(Question(0, "why?", ANN, Place(7, 5), address))
    store.restart()
    journal = Journal(store, QuestionCounter())
    store.failure = StoreError("the database is away")
    with capture_logs() as logs:
        for _ in range(3):
            assert await journal.take_over() == ()
        store.failure = None
        assert len(await journal.take_over()) == 1
        store.failure = StoreError("the database is away again")
        assert await journal.take_over() == ()
    told = [log["reason"] for log in logs if log["log_level"] == "error"]
    assert told == ["the database is away", "the database is away again"]
