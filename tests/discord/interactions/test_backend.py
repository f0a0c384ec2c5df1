"""What the listener's thread asks of trio is done there in time, or not waited for."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest
import trio
import trio.lowlevel
import trio.testing

from discordianai.answering.journal import Journal, JournalResult
from discordianai.answering.open_questions import OpenQuestions, QuestionCounter
from discordianai.answering.question_tasks import QuestionTasks
from discordianai.answering.recovery import Recovery
from discordianai.conversations.pending_questions import Said, TurnId
from discordianai.conversations.store import StoreError
from discordianai.discord.commands.command import CommandReply, Invocation
from discordianai.discord.commands.runner import CommandRunner
from discordianai.discord.gateway.bridge import run_asyncio
from discordianai.discord.interactions import backend as backends
from discordianai.discord.interactions.backend import Backend, TrioBackend
from discordianai.discord.interactions.outcomes import RunCommand
from discordianai.discord.messages.rest import DiscordApi
from discordianai.records import Question, ReplyAddress
from tests.answering.builders import Scene as Answering
from tests.doubles.delivery import FakePlace
from tests.doubles.store import MemoryStore


class Store(MemoryStore):
    """Waits, or fails, before it does anything."""

    illness: Exception | None = None
    waits = 0.0

    async def accept(self, question: Question) -> bool:
        await self._be_ill()
        return await super().accept(question)

    async def said(self, turn: TurnId) -> Said | None:
        await self._be_ill()
        return await super().said(turn)

    async def _be_ill(self) -> None:
        await trio.sleep(self.waits)
        if self.illness is not None:
            raise self.illness


@dataclass
class Scene:
    store: Store
    place: FakePlace
    open_questions: OpenQuestions
    counts: QuestionCounter
    answering: Answering
    backend: TrioBackend
    running: trio.Nursery
    guilds: list[tuple[frozenset[int], bool]] = field(default_factory=list)

    def question(self, text: str = "why?") -> Question:
        """One that is admitted."""
        question = self.answering.question(text)
        self.open_questions.admit(question.person.id)
        return question


@asynccontextmanager
async def opened(on_guilds: Callable[[frozenset[int], bool], object] | None = None) -> AsyncIterator[Scene]:
    answering, store, place, counts = Answering(), Store(), FakePlace(), QuestionCounter()
    journal = Journal(store, counts)
    open_questions = OpenQuestions(100, 100, trio.lowlevel.current_trio_token())
    recovery = Recovery(journal, place)
    tasks = QuestionTasks(answering.answer_service, place, journal, recovery, open_questions, counts)
    guilds: list[tuple[frozenset[int], bool]] = []

    def note(guild_ids: frozenset[int], complete: bool) -> None:
        guilds.append((guild_ids, complete))

    async with httpx.AsyncClient() as client, trio.open_nursery() as running, trio.open_nursery() as answers:
        runner = CommandRunner(None, DiscordApi(client, "http://127.0.0.1:9"))  # type: ignore[arg-type]  # no handler here needs a service
        backend = TrioBackend(running, answers, tasks, journal, store, runner, on_guilds or note)
        yield Scene(store, place, open_questions, counts, answering, backend, running, guilds)
        answers.cancel_scope.cancel()
        running.cancel_scope.cancel()


async def on_the_listeners_loop(use: Callable[[Backend], Awaitable[object]], backend: Backend) -> None:
    async def main() -> None:
        await use(backend)

    with trio.fail_after(10):
        await run_asyncio(main)


async def journalled(scene: Scene, question: Question) -> JournalResult:
    results: list[JournalResult] = []

    async def use(backend: Backend) -> None:
        results.append(await backend.journal(question))

    await on_the_listeners_loop(use, scene.backend)
    return results[0]


async def test_a_question_is_stored_answered_and_given_back() -> None:
    async with opened() as scene:
        question = scene.question()

        async def use(backend: Backend) -> None:
            backend.enqueue(question)
            assert await backend.journal(question) is JournalResult.STORED
            backend.hand_over(question)

        await on_the_listeners_loop(use, scene.backend)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert scene.place.told == [("answer", question.number)]
        assert scene.open_questions.open == 0


async def test_a_replay_is_known_by_its_interaction() -> None:
    async with opened() as scene:
        question = scene.question()
        assert await journalled(scene, question) is JournalResult.STORED
        assert await journalled(scene, replace(question, number=99)) is JournalResult.REPLAYED
        assert scene.counts.now(0).replayed == 1


@pytest.mark.parametrize("failure", [None, StoreError("the disk is full"), ZeroDivisionError("a bug")])
async def test_a_store_that_is_slow_or_ill_keeps_nobody_from_being_acknowledged(
    failure: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, since a crash would lose the question."""
    monkeypatch.setattr(backends, "JOURNAL_WITHIN", 0.1)
    async with opened() as scene:
        scene.store.illness, scene.store.waits = failure, 0.0 if failure else 5.0
        question = scene.question()
        assert await journalled(scene, question) is JournalResult.NOT_STORED
        assert scene.counts.now(0).unprotected == 1


@pytest.mark.parametrize(("forget", "left"), [(True, 0), (False, 1)])
async def test_a_question_that_is_given_up_leaves_its_place_and_is_erased_only_on_request(
    forget: bool, left: int
) -> None:
    async with opened() as scene:
        question, following = scene.question(), scene.question("and?")

        async def use(backend: Backend) -> None:
            backend.enqueue(question)
            await backend.journal(question)
            backend.give_up(question, forget=forget)

        await on_the_listeners_loop(use, scene.backend)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(await scene.store.unfinished()) == left
        assert scene.open_questions.open == 1
        ticket = scene.answering.answer_service.enqueue(following)
        assert ticket.person.admitted.is_set()
        assert ticket.conversation.admitted.is_set()


async def test_a_turn_that_cannot_be_told_in_time_is_a_lookup_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "JOURNAL_WITHIN", 0.1)
    async with opened() as scene:

        async def use(backend: Backend) -> None:
            for scene.store.illness, scene.store.waits in ((StoreError("ill"), 0.0), (None, 5.0)):
                with pytest.raises(LookupError):
                    await backend.recall(TurnId(1, 2))

        await on_the_listeners_loop(use, scene.backend)


async def test_when_trio_has_ended_nothing_waits_for_it() -> None:
    """The listener may have an event left to answer."""
    async with opened() as scene:
        question = scene.question()
        scene.running.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert await journalled(scene, question) is JournalResult.NOT_STORED

            async def use(backend: Backend) -> None:
                with pytest.raises(LookupError):
                    await backend.recall(TurnId(1, 2))

            await on_the_listeners_loop(use, scene.backend)


async def test_a_stop_whose_answer_is_not_told_in_time_counts_as_one_that_did_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It will be cancelled; the person must not read that there was nothing to stop."""
    monkeypatch.setattr(backends, "CANCEL_WITHIN", 0.1)
    answers: list[bool] = []

    async def use(backend: Backend) -> None:
        if answers:
            backend.note_guilds(frozenset(), complete=True)
        answers.append(await backend.cancel(5))

    async with opened(lambda *_: time.sleep(0.5)) as scene:  # trio is busy
        await on_the_listeners_loop(use, scene.backend)
        await on_the_listeners_loop(use, scene.backend)
    assert answers == [False, True]


async def test_of_too_many_commands_at_once_some_are_not_run_and_later_ones_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bug in one gives its place back, too."""
    monkeypatch.setattr(backends, "MOST_OTHER_WORK", 2)
    begun, release = [], trio.Event()

    async def handler(invocation: Invocation, _services: object) -> CommandReply:
        begun.append(invocation)
        await release.wait()
        raise ZeroDivisionError("a bug")

    address = ReplyAddress(1, 2, "token", 3, private=True, acknowledged_at=0.0)
    command = RunCommand("help", handler, None, address)  # type: ignore[arg-type]  # it is only counted
    async with opened() as scene:

        async def use(backend: Backend) -> None:
            for _ in range(5):
                backend.run(command)

        monkeypatch.setattr("discordianai.discord.messages.failure_notice.PAUSE", 0.0)
        await on_the_listeners_loop(use, scene.backend)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(begun) == 2
        release.set()
        with trio.fail_after(5):
            while len(begun) < 4:  # a place is free once the person has been told
                await on_the_listeners_loop(use, scene.backend)
                await trio.sleep(0.05)


async def test_the_bots_servers_are_told_apart_from_questions() -> None:
    async with opened() as scene:

        async def use(backend: Backend) -> None:
            backend.note_guilds(frozenset({1, 2}), complete=False)

        await on_the_listeners_loop(use, scene.backend)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert scene.guilds == [(frozenset({1, 2}), False)]
