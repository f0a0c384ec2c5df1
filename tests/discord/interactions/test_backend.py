"""What the listener's thread asks of trio is done there in time, or not waited for."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio
import trio.testing

from discordianai.answering.journal import JournalResult
from discordianai.conversations.guild_retention import GuildList
from discordianai.conversations.pending_questions import TurnId
from discordianai.conversations.store import StoreError
from discordianai.discord.commands.command import CommandReply, Invocation
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.interactions import backend as backends
from discordianai.discord.interactions.backend import Backend
from discordianai.discord.interactions.outcomes import RefuseMessage, RunCommand
from discordianai.records import Person, Question, ReplyAddress
from tests.asyncio_loop import run_asyncio
from tests.discord.builders import origin
from tests.discord.interactions.backend_scene import Scene, opened

NONE, TWO = GuildList(frozenset(), frozenset({0})), GuildList(frozenset({1, 2}), frozenset())


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
                    await backend.recall(TurnId("1.2"))

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
                    await backend.recall(TurnId("1.2"))

            await on_the_listeners_loop(use, scene.backend)


async def test_a_stop_whose_answer_is_not_told_in_time_counts_as_one_that_did_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It will be cancelled; the person must not read that there was nothing to stop."""
    monkeypatch.setattr(backends, "CANCEL_WITHIN", 0.1)
    answers: list[bool] = []

    async def use(backend: Backend) -> None:
        if answers:
            backend.note_guilds(NONE)
        answers.append(await backend.cancel(5, 10, None))

    async with opened(lambda *_: time.sleep(0.5)) as scene:  # trio is busy
        await on_the_listeners_loop(use, scene.backend)
        await on_the_listeners_loop(use, scene.backend)
    assert answers == [False, True]


async def test_the_bots_servers_are_told_apart_from_questions() -> None:
    async with opened() as scene:

        async def use(backend: Backend) -> None:
            backend.note_guilds(TWO)

        await on_the_listeners_loop(use, scene.backend)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert scene.guilds == [TWO]


async def test_refusals_take_no_places_of_commands_however_long_they_wait() -> None:
    """Here Discord does not answer at all: each refusal holds its place for seconds."""
    begun: list[int] = []

    async def handler(invocation: Invocation, _services: object) -> CommandReply:
        begun.append(invocation.origin.person.id)
        return CommandReply("done")

    people = [Person(number, "") for number in range(1, 301)]
    address = ReplyAddress(1, 2, "token", 3, private=True, acknowledged_at=0.0)
    figures = DiscordCounter()
    async with opened(figures=figures) as scene:

        async def use(backend: Backend) -> None:
            for person in people:
                backend.refuse(RefuseMessage(origin(person=person), "Please wait."))
            for person in people[:10]:
                invocation = Invocation(origin(person=person))
                backend.run(RunCommand("help", handler, invocation, address))

        await on_the_listeners_loop(use, scene.backend)
        with trio.fail_after(3):
            while len(begun) < 10:  # noqa: ASYNC110  # the handlers tell nobody
                await trio.sleep(0.05)
    assert sorted(begun) == list(range(1, 11))
    assert figures.now().refusals_unsaid >= 200
