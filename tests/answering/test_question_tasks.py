"""Whatever ends the task of a question: its person is told, and what it held is given back."""

import time
from dataclasses import replace
from itertools import count

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from discordianai.answering.answer import INTERNAL_ERROR, numbered
from discordianai.answering.journal import Journal
from discordianai.answering.open_questions import CROWD, OpenQuestions, QuestionCounter
from discordianai.answering.question_tasks import QuestionTasks
from discordianai.answering.recovery import Recovery
from discordianai.conversations.pending_questions import Posted
from discordianai.dispatch.options import UserRateOptions
from discordianai.option import Live
from discordianai.records import Question
from tests.answering.builders import BEN
from tests.answering.builders import Scene as Answering
from tests.doubles.delivery import FakePlace


class Scene:
    def __init__(self) -> None:
        self.answering = Answering()
        self.store = self.answering.store
        self.place = FakePlace()
        self.counts = QuestionCounter()
        self.open_questions = OpenQuestions(
            1000, Live(UserRateOptions(in_flight=100)), trio.lowlevel.current_trio_token()
        )
        journal = Journal(self.store, self.counts)
        self.recovery = Recovery(journal, self.place)
        self.tasks = QuestionTasks(
            self.answering.answer_service,
            self.place,
            journal,
            self.recovery,
            self.open_questions,
            self.counts,
        )

    async def question(self, text: str = "why?") -> Question:
        """One that is admitted, enqueued and stored."""
        question = replace(self.answering.question(text), protected=True)
        self.open_questions.admit(question.person.id)
        await self.store.accept(question)
        self.tasks.enqueue(question)
        return question

    async def answer(self, *questions: Question) -> None:
        async with trio.open_nursery() as nursery:
            for question in questions:
                self.tasks.begin(question, nursery)

    def nothing_is_held(self) -> bool:
        """Whether nothing is open, and the next question of that person does not wait for another one."""
        ticket = self.answering.answer_service.enqueue(self.answering.question())
        free = ticket.person.admitted.is_set() and ticket.conversation.admitted.is_set()
        ticket.close()
        return free and not self.open_questions.open


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_a_question_is_answered_counted_and_given_back(scene: Scene) -> None:
    question = await scene.question()
    await scene.answer(question)
    assert scene.place.told == [("answer", question.number)]
    assert scene.counts.now(0).answered == 1
    assert scene.nothing_is_held()


async def test_after_a_bug_the_person_is_told_and_no_later_process_tries_again(scene: Scene) -> None:
    async def broken(what: str) -> None:
        if what == "answer":
            raise ZeroDivisionError("a bug")

    scene.place.waits = broken
    question = await scene.question()
    await scene.answer(question)
    assert scene.place.told == [("apologise", question.number, numbered(INTERNAL_ERROR, question))]
    assert await scene.store.unfinished() == ()
    assert scene.nothing_is_held()


async def test_after_a_bug_in_the_apology_too_everything_is_given_back(scene: Scene) -> None:
    async def broken(_what: str) -> None:
        raise ZeroDivisionError("a bug")

    scene.place.waits = broken
    await scene.answer(await scene.question())
    assert await scene.store.unfinished() == ()
    assert scene.nothing_is_held()


async def test_a_bug_before_anything_can_be_shown_is_told_by_another_delivery(scene: Scene) -> None:
    scene.place.fails = [ZeroDivisionError("a bug")]
    question = await scene.question()
    await scene.answer(question)
    assert scene.place.told == [("apologise", question.number, numbered(INTERNAL_ERROR, question))]
    assert scene.nothing_is_held()


@pytest.mark.parametrize("step", ["give way", "answer", "apologise", "follow up"])
async def test_a_question_cancelled_at_any_step_gives_everything_back(scene: Scene, step: str) -> None:
    """What was not answered is left to the next process, and no start counts against it."""

    async def waits(what: str) -> None:
        if what == step:
            await trio.sleep_forever()
        if what == "answer" and step == "apologise":
            raise ZeroDivisionError("a bug")

    scene.place.waits = waits
    if step == "follow up":
        await owe(scene)
    question = await scene.question()
    if step == "give way":
        for _ in range(CROWD + 2):
            scene.open_questions.admit(BEN.id)
    async with trio.open_nursery() as nursery:
        scene.tasks.begin(question, nursery)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    if step in {"give way", "answer"}:
        starts = {
            left.question.address.interaction_id: left.starts for left in await scene.store.unfinished()
        }
        assert starts[question.address.interaction_id] == 0
    for _ in range(scene.open_questions.open):
        scene.open_questions.release(BEN.id)
    assert scene.nothing_is_held()


def asked_now(question: Question) -> Question:
    return replace(question, address=replace(question.address, acknowledged_at=time.time()))


async def owe(scene: Scene) -> None:
    """A former process has left a question of that person, whose interaction is over."""
    left = asked_now(scene.answering.question("and that?"))
    await scene.store.accept(left)
    scene.place.open = scene.place.reachable = False
    await scene.tasks.recover(await scene.store.unfinished(), count(50))
    scene.place.open = scene.place.reachable = True


async def test_who_is_owed_a_word_reads_it_below_their_next_answer(scene: Scene) -> None:
    await owe(scene)
    question = await scene.question()
    await scene.answer(question)
    assert [what for what, *_ in scene.place.told] == ["answer", "follow up"]
    left = [entry.question.address.interaction_id for entry in await scene.store.unfinished()]
    assert left == [question.address.interaction_id]  # the double does not finish what it answers


async def test_what_is_given_up_leaves_its_place_to_the_next_one(scene: Scene) -> None:
    first, second = await scene.question(), await scene.question("and?")
    scene.tasks.give_up(first)
    await scene.answer(second)
    assert scene.nothing_is_held()


async def test_a_question_that_comes_after_the_end_is_given_back(scene: Scene) -> None:
    """The nursery of the answers has ended: the bot stops."""
    question = await scene.question()
    async with trio.open_nursery() as nursery:
        pass
    scene.tasks.begin(question, nursery)
    assert scene.place.told == []
    assert scene.nothing_is_held()


async def test_a_question_that_is_taken_up_again_counts_as_open_and_goes_the_same_way(scene: Scene) -> None:
    asked = asked_now(scene.answering.question())
    await scene.store.accept(asked)
    posted = Posted(further_ids=(501,))
    await scene.store.note_posted(asked.address.interaction_id, posted, "half")
    opened: list[int] = []

    async def waits(_what: str) -> None:
        opened.append(scene.open_questions.open)

    scene.place.waits = waits
    await scene.tasks.recover(await scene.store.unfinished(), count(50))
    assert scene.place.told == [("answer", 50)]
    assert opened == [1]
    assert scene.nothing_is_held()


@pytest.mark.parametrize(("seconds", "cut_short"), [(10.0, False), (1.0, True)])
async def test_a_drain_waits_for_what_is_in_flight_and_not_longer_than_it_may(
    scene: Scene, autojump_clock: trio.testing.MockClock, seconds: float, cut_short: bool
) -> None:
    async def waits(_what: str) -> None:
        await trio.sleep(5.0)

    scene.place.waits = waits
    question = await scene.question()
    began = trio.current_time()
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            scene.tasks.begin(question, nursery)
            await scene.tasks.drain(seconds)
            assert trio.current_time() - began == pytest.approx(min(seconds, 5.0))
    assert any(line["event"].startswith("answers cut short") for line in logs) == cut_short
