"""What the assistant promises the person who asked, whatever becomes of the provider and the store."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog
import trio
import trio.testing
from structlog.testing import capture_logs

from discordianai.answering.answer import (
    BROKEN_OFF,
    COMING_BACK,
    CUT_SHORT,
    EMPTY_ANSWER,
    NO_ROOM,
    RESTARTING,
    STOPPED,
    TOO_LATE,
)
from discordianai.answering.context import NOT_SHOWN, ContextRules
from discordianai.answering.options import AssistantOptions
from discordianai.answering.reply import AnswerEnd, ReplyFailed
from discordianai.answering.service import EARLIER_FIRST
from discordianai.conversations.accounting import Limit, day_of
from discordianai.conversations.options import AccountingOptions, ConversationOptions, ModelOptions
from discordianai.conversations.pending_questions import FinishedAnswer, PendingQuestion, TurnId
from discordianai.conversations.speakers import marked
from discordianai.conversations.store import ChannelSettings, ClaimLost, StoreError
from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers.errors import ConnectionLost, FileRefused, Overloaded, QuotaExhausted, TimedOut
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import End, Event, OutputBegan, SearchQuery, SourceList, TextDelta
from discordianai.records import (
    Attachment,
    ChatRequest,
    Citation,
    FileKind,
    FileLink,
    FinishReason,
    Person,
    Place,
    Question,
    Quotation,
    Role,
    ToolCall,
    WebSearch,
)
from tests.answering.builders import ANN, BEN, Scene
from tests.doubles.provider import FakeProvider, Step
from tests.doubles.reply import FakeReply
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY

BRIEF = ContextRules(AssistantOptions("be brief"), ConversationOptions(max_turns=10))
SILENT = AssistantOptions("")


def offering(model: str) -> ProviderOptions:
    return ProviderOptions(base_url="http://127.0.0.1", model=model)


async def test_the_conversation_so_far_goes_along_and_is_nobody_elses() -> None:
    scene = Scene(["first"], ["second"], ["third"])
    await scene.ask(scene.question("one?"))
    await scene.ask(scene.question("two?"))
    await scene.ask(scene.question("three?", BEN))
    texts = [[turn.text for turn in request.turns] for request in scene.provider.requests]
    assert texts == [["one?"], ["one?", "first", "two?"], ["three?"]]
    assert [turn.role for turn in scene.provider.requests[1].turns] == [Role.USER, Role.ASSISTANT, Role.USER]


async def test_what_was_said_in_private_stays_there() -> None:
    scene = Scene(["first"], ["second"], ["third"])
    secret = scene.question("a secret")
    secret = replace(secret, address=replace(secret.address, private=True))
    for question in (secret, scene.question("in public"), replace(secret, text="and again")):
        await scene.ask(question)
    texts = [[turn.text for turn in request.turns] for request in scene.provider.requests]
    assert texts == [["a secret"], ["in public"], ["a secret", "first", "and again"]]


async def test_a_providers_failure_is_told_under_the_questions_number_and_the_part_is_kept() -> None:
    scene = Scene(["half an ", ConnectionLost(OPENAI, "reset by peer")])
    question = scene.question()
    reply = await scene.ask(question)
    assert reply.text == "half an "
    assert f"(error {question.number})" in reply.note
    assert "reset by peer" not in reply.note
    assert await scene.remembered(question) == ["why?", "half an "]


async def test_after_a_bug_the_next_question_is_answered() -> None:
    """The bug leaves as it came, for whoever tells the person; what the question held is free again."""

    class Broken(FakeReply):
        def write(self, text: str) -> None:
            raise ZeroDivisionError("a secret detail")

    scene = Scene(["text"])
    with pytest.raises(ZeroDivisionError):
        await scene.ask(reply=Broken())
    assert (await scene.ask()).text == "text"


async def test_a_bug_in_the_last_words_does_not_keep_the_bot_from_stopping() -> None:
    """Cancelled, a question says goodbye; where that fails, it is cancelled all the same."""

    class Broken(FakeReply):
        def close(self, closing: AnswerEnd) -> str:
            raise ZeroDivisionError

    scene = Scene([1000.0, "never"])
    with trio.move_on_after(0.1) as scope:
        await scene.ask(reply=Broken())
    assert scope.cancelled_caught


async def test_who_is_cancelled_is_told_and_the_stream_is_left() -> None:
    scene = Scene(["beginning", 1000.0, "never"])
    reply = FakeReply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, None, reply)
        while not reply.text:
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert reply.note == RESTARTING
    assert (scene.provider.in_flight, scene.provider.left_early) == (0, 1)


async def test_last_words_have_an_end(autojump_clock: trio.testing.MockClock) -> None:
    class Stuck(FakeReply):
        async def finish(self, turn: TurnId | None = None) -> None:
            await trio.sleep_forever()

    scene = Scene([1000.0])
    with trio.move_on_after(1):
        await scene.ask(reply=Stuck())
    assert trio.current_time() == pytest.approx(4.0)


async def test_without_a_store_the_answer_still_comes() -> None:
    scene = Scene(["text"])
    scene.store.failure = StoreError("the disk is full")
    reply = await scene.ask()
    assert reply.text == "text"
    assert reply.closing == AnswerEnd(footer="OpenAI · fake · the only one")
    assert reply.turn is None


async def test_a_question_that_another_process_has_taken_is_left_to_it_and_what_it_took_is_charged() -> None:
    """Nothing more is shown: two would write over each other."""
    scene = Scene(["text"])

    async def answered(interaction_id: int, answer: FinishedAnswer) -> TurnId | None:
        raise ClaimLost("another process has taken the question over, and answers it")

    scene.store.answered = answered  # type: ignore[method-assign]  # as PostgreSQL's store says it
    question = scene.question()
    reply = await scene.ask(question)
    assert not reply.finished
    assert await scene.remembered(question) == []
    assert (await scene.store.spent(day_of(time.time()))).answers == 1


async def test_an_answer_that_cannot_be_shown_is_remembered_and_stops_nobody() -> None:
    scene = Scene(["text"])
    reply = FakeReply()
    reply.failure = ReplyFailed("the message is gone")
    question = scene.question()
    await scene.ask(question, reply)
    assert await scene.remembered(question) == ["why?", "text"]


async def test_an_empty_answer_is_said_to_be_one_and_is_not_remembered() -> None:
    scene = Scene([" \n"])
    question = scene.question()
    assert EMPTY_ANSWER in (await scene.ask(question)).note
    assert await scene.remembered(question) == []


async def test_a_model_that_only_thought_up_to_the_limit_is_not_said_to_want_other_words() -> None:
    assert NO_ROOM in (await Scene([End(FinishReason.LENGTH)]).ask()).note


async def test_an_answer_that_reached_the_length_limit_says_so() -> None:
    class Verbose(FakeProvider):
        @asynccontextmanager
        async def stream(
            self, request: ChatRequest, deadline: float = math.inf
        ) -> AsyncIterator[AsyncIterator[Event]]:
            async def events() -> AsyncIterator[Event]:
                yield TextDelta("a long answer")
                yield End(FinishReason.LENGTH)

            yield events()

    reply = await Scene(provider=Verbose()).ask()
    assert (reply.text, reply.note) == ("a long answer", CUT_SHORT)


async def test_questions_of_one_conversation_are_answered_in_the_order_they_came(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene([2.0, "slow"], ["quick"])
    questions = [scene.question("one?"), scene.question("two?")]
    tickets = [scene.answer_service.enqueue(question) for question in questions]
    async with trio.open_nursery() as nursery:
        for question, ticket in reversed(list(zip(questions, tickets, strict=True))):
            nursery.start_soon(scene.answer_service.answer, question, ticket, FakeReply())
    assert [request.turns[-1].text for request in scene.provider.requests] == ["one?", "two?"]
    assert scene.provider.most_in_flight == 1


def perplexity() -> FakeProvider:
    return FakeProvider(["found"], provider=PERPLEXITY)


async def test_the_other_provider_answers_where_one_fails_before_it_has_said_anything() -> None:
    other = perplexity()
    scene = Scene([QuotaExhausted(OPENAI, "no money")], others=[other])
    reply = await scene.ask()
    assert reply.text == "found"
    assert "OpenAI couldn't answer, so Perplexity did." in reply.note
    assert "error" not in reply.note


async def test_below_a_part_of_an_answer_stands_who_gave_it_instead_of_whom() -> None:
    """Cut, filtered or broken off: that another one was asked is as true as of a whole answer."""
    for end in (End(FinishReason.LENGTH), End(FinishReason.FILTERED), ConnectionLost(PERPLEXITY, "cut")):
        other = FakeProvider(["a long answer", end], provider=PERPLEXITY)
        scene = Scene([QuotaExhausted(OPENAI, "no money")], others=[other])
        assert "OpenAI couldn't answer, so Perplexity did." in (await scene.ask()).note


FOUND = SourceList((Citation("https://a.example", "A page"),))


async def test_what_one_provider_has_found_is_no_source_of_anothers_answer() -> None:
    other = FakeProvider(["from memory"], provider=PERPLEXITY)
    reply = await Scene([FOUND, Overloaded(OPENAI, "503")], others=[other]).ask()
    assert (reply.text, reply.citations) == ("from memory", ())


async def test_where_nothing_is_said_there_are_no_sources_of_it() -> None:
    reply = await Scene([FOUND, Overloaded(OPENAI, "503")]).ask()
    assert (reply.text, reply.citations) == ("", ())
    reply = await Scene([FOUND, "an answer"]).ask()
    assert reply.citations == FOUND.citations


async def test_an_answer_that_has_begun_is_not_begun_again_elsewhere() -> None:
    other = perplexity()
    half = "half of a long answer " * 5
    scene = Scene([half, ConnectionLost(OPENAI, "cut")], others=[other])
    reply = await scene.ask()
    assert reply.text == half
    assert other.requests == []


async def test_who_asked_for_one_provider_gets_no_other() -> None:
    other = perplexity()
    scene = Scene([QuotaExhausted(OPENAI, "no money")], others=[other])
    question = replace(scene.question(), provider="openai")
    reply = await scene.ask(question)
    assert "no credit left" in reply.note
    assert other.requests == []


async def test_one_deadline_covers_both_providers(autojump_clock: trio.testing.MockClock) -> None:
    other = FakeProvider([1000.0, "late"], provider=PERPLEXITY)
    scene = Scene([200.0, Overloaded(OPENAI, "503")], others=[other])
    reply = await scene.ask()
    assert trio.current_time() == pytest.approx(300.0)
    assert "took too long" in reply.note
    assert (other.in_flight, other.left_early) == (0, 1)


async def test_what_is_cut_says_so_and_can_be_gone_on_with() -> None:
    scene = Scene(["half an ", ConnectionLost(OPENAI, "cut")])
    reply = await scene.ask()
    assert reply.closing is not None
    assert reply.note.startswith(BROKEN_OFF)
    assert reply.closing.unfinished
    assert reply.closing.footer == "OpenAI · fake · the only one"


def stopped(scene: Scene, question: Question) -> bool:
    """Whether there was something to stop."""
    address, person, place = question.address, question.person, question.place
    return scene.answer_service.cancel(address.interaction_id, person.id, place.guild_id)


async def test_a_stopped_question_keeps_its_part_and_the_provider_stops_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene(["beginning", 1000.0, "never"])
    question, reply = scene.question(), FakeReply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, question, reply)
        await trio.sleep(1)
        assert stopped(scene, question)
    assert trio.current_time() == pytest.approx(1.0)
    assert (reply.text, reply.note) == ("beginning", STOPPED)
    assert (scene.provider.in_flight, scene.provider.left_early) == (0, 1)
    assert scene.dispatchers["openai"].statistics().in_flight == 0
    assert await scene.remembered(question) == ["why?", "beginning"]
    assert not stopped(scene, question)


async def test_a_question_stopped_in_its_line_never_reaches_the_provider(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene([5.0, "slow"])
    first, second = scene.question("one?"), scene.question("two?")
    tickets = [scene.answer_service.enqueue(question) for question in (first, second)]
    reply = FakeReply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.answer_service.answer, first, tickets[0], FakeReply())
        nursery.start_soon(scene.answer_service.answer, second, tickets[1], reply)
        await trio.sleep(3)
        assert reply.statuses == [EARLIER_FIRST]
        assert stopped(scene, second)
    assert reply.note == STOPPED
    assert len(scene.provider.requests) == 1


async def test_a_message_that_was_deleted_stops_its_answer_and_is_not_remembered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene(["beginning", 1.0, "more", 1000.0])
    question, reply = scene.question(), FakeReply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, question, reply)
        await trio.sleep(0.5)
        reply.gone = ReplyFailed("it was deleted")
    assert trio.current_time() < 2
    assert scene.provider.left_early == 1
    assert await scene.remembered(question) == []


async def test_one_person_has_two_questions_in_work_and_others_go_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene([2.0, "text"])
    questions = [replace(scene.question(), place=Place(channel, 5)) for channel in range(4)]
    questions.append(scene.question(person=BEN))
    async with trio.open_nursery() as nursery:
        for question in questions:
            nursery.start_soon(
                scene.answer_service.answer, question, scene.answer_service.enqueue(question), FakeReply()
            )
        await trio.sleep(1)
        assert {request.number for request in scene.provider.requests} == {1, 2, 5}
    assert scene.provider.most_in_flight == 3


async def test_the_deadline_counts_from_when_the_question_came(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene([1000.0, "never"])
    replies = [FakeReply() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for reply in replies:
            nursery.start_soon(scene.ask, None, reply)
            await trio.sleep(10)
    assert trio.current_time() == pytest.approx(320.0)
    assert all(TOO_LATE in reply.note for reply in replies)


async def test_who_waits_in_the_providers_line_reads_where(autojump_clock: trio.testing.MockClock) -> None:
    scene = Scene([6.0, "text"])
    replies = [FakeReply() for _ in range(12)]
    async with trio.open_nursery() as nursery:
        for number, reply in enumerate(replies):
            nursery.start_soon(scene.ask, scene.question(person=Person(100 + number, "x")), reply)
            await trio.sleep(0.01)
    assert [reply.statuses for reply in replies[:10]] == [[]] * 10
    assert "You're next." in replies[10].statuses
    assert "Waiting: number 2 in the queue." in replies[11].statuses


async def asked_and_cancelled(scene: Scene, question: Question) -> FakeReply:
    reply = FakeReply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, question, reply)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return reply


async def test_a_protected_question_is_pending_until_all_is_shown(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene([1000.0], ["text"])
    question = replace(scene.question(), protected=True)
    await scene.store.accept(question)
    assert (await asked_and_cancelled(scene, question)).note == COMING_BACK
    (left,) = await scene.store.unfinished()
    assert (left.question.text, left.complete) == ("why?", False)
    await scene.ask(question)
    assert await scene.store.unfinished() == ()


async def test_nobody_waits_for_an_answer_whose_place_takes_nothing_at_the_moment(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Delayed(FakeReply):
        async def finish(self, turn: TurnId | None = None) -> None:
            await trio.sleep(1000)
            await super().finish(turn)

    scene = Scene(["text"], ["more"])
    first, second = scene.question(), scene.question("and then?")
    tickets = [scene.answer_service.enqueue(question) for question in (first, second)]
    slow, reply, began = Delayed(), FakeReply(), trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.answer_service.answer, first, tickets[0], slow)
        await scene.answer_service.answer(second, tickets[1], reply)
        assert reply.finished
        assert not slow.finished
        assert trio.current_time() - began < 15.0
    assert slow.finished
    assert await scene.remembered(first) == ["why?", "text", "and then?", "more"]


async def test_the_answer_is_stored_whole_before_its_last_edit() -> None:
    class Watching(FakeReply):
        async def finish(self, turn: TurnId | None = None) -> None:
            seen.extend(await scene.store.unfinished())
            await super().finish(turn)

    seen: list[PendingQuestion] = []
    scene = Scene(["text"])
    question = scene.question()
    await scene.store.accept(question)
    await scene.ask(question, Watching())
    assert [(entry.text, entry.complete) for entry in seen] == [("text", True)]
    assert await scene.remembered(question) == ["why?", "text"]


async def test_an_answer_that_cannot_be_shown_is_not_taken_up_again() -> None:
    scene = Scene(["text"])
    question, reply = scene.question(), FakeReply()
    await scene.store.accept(question)
    reply.failure = ReplyFailed("the message is gone")
    await scene.ask(question, reply)
    assert await scene.store.unfinished() == ()


async def test_in_a_shared_conversation_everybody_is_named() -> None:
    rules = replace(BRIEF, conversations=ConversationOptions(scope="channel"))
    scene = Scene(["first"], ["second"], rules=rules)
    await scene.ask(scene.question("one?"))
    await scene.ask(scene.question("two?", BEN))
    asked = scene.provider.requests[1]
    assert [turn.text for turn in asked.turns] == [marked("Ann", "one?"), "first", marked("Ben", "two?")]
    assert "names who wrote it" in asked.instructions


async def test_what_goes_along_fits_the_model_and_begins_with_a_person() -> None:
    rules = replace(BRIEF, models={"fake": ModelOptions(context_tokens=260)})
    scene = Scene(["answer " * 60], rules=rules)
    for number in range(5):
        await scene.ask(scene.question(f"question {number}"))
    turns = scene.provider.requests[-1].turns
    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert turns[0].text == "question 3"


async def test_a_question_that_does_not_fit_is_refused_in_words_and_nobody_is_asked() -> None:
    """What goes along is left out first; what is too long alone is said to be, with how much."""
    rules = replace(BRIEF, conversations=ConversationOptions(context_tokens=1000))
    scene = Scene(["an answer"], rules=rules)
    reply = await scene.ask(scene.question("word " * 2000))
    assert "about 2,636 tokens, and my limit is about 743" in reply.note
    assert "shorten it" in reply.note
    assert scene.provider.requests == []
    assert (await scene.ask(scene.question("word " * 500))).text == "an answer"


async def test_what_a_provider_counts_beside_the_text_does_not_make_a_question_too_long() -> None:
    """A provider that counts what it finds on the web seems to need four times as much for each text."""
    scene = Scene(["an answer"], rules=ContextRules(SILENT, ConversationOptions(context_tokens=1000)))
    for _ in range(20):
        scene.estimator.learn("fake", ["why?" * 100], 10_000)
    assert (await scene.ask(scene.question("word " * 500))).text == "an answer"


async def test_pictures_take_room_too() -> None:
    """No text may go along where pictures fill the context."""
    scene = Scene(["an answer"], rules=ContextRules(SILENT, ConversationOptions(context_tokens=4000)))
    few, many = (replace(scene.question(), images=("https://cdn/x",) * count) for count in (2, 4))
    assert (await scene.ask(few)).text == "an answer"
    assert "too long" in (await scene.ask(many)).note


async def test_of_a_file_only_what_is_to_be_remembered_is_kept() -> None:
    """The model reads the whole file once; the conversation keeps its beginning."""
    scene = Scene(["an answer"])
    question = replace(scene.question("what?"), file_text="the whole file", file_excerpt="its beginning")
    await scene.ask(question)
    assert scene.provider.requests[0].turns[-1].text == "what?\n\nthe whole file"
    assert await scene.remembered(question) == ["what?\n\nits beginning", "an answer"]


QUOTED = Quotation("The message, written by “Ann”:\n> llamas spit", "The message:\n> llamas spit")


async def test_what_a_question_points_at_is_asked_along_and_kept_without_its_authors_name() -> None:
    scene = Scene(["an answer"])
    question = replace(scene.question("what?"), quotation=QUOTED)
    await scene.ask(question)
    assert scene.provider.requests[0].turns[-1].text == f"what?\n\n{QUOTED.text}"
    assert await scene.remembered(question) == [f"what?\n\n{QUOTED.excerpt}", "an answer"]


async def test_a_reply_to_the_last_answer_does_not_repeat_it_and_one_to_an_older_answer_does() -> None:
    """The model is shown the last one anyway; small print and links make no difference."""
    scene = Scene(["See [1]: llamas **spit**."], ["They hum."], ["indeed"], ["indeed"])
    shown = "See [1](<https://example.com/a>): llamas **spit**.\n\n-# OpenAI · gpt · by default"
    own = Quotation("Your answer:\n> See", "Your answer:\n> See", own=shown)
    await scene.ask()
    await scene.ask(replace(scene.question("why?"), quotation=own))
    assert scene.provider.requests[1].turns[-1].text == "why?"
    await scene.ask(replace(scene.question("why?"), quotation=own))
    assert scene.provider.requests[2].turns[-1].text == "why?\n\nYour answer:\n> See"


PICTURE = Attachment("a.png", "https://cdn.discordapp.com/a.png", 5, kind=FileKind.IMAGE)
PAPER = Attachment("a.pdf", "https://cdn.discordapp.com/a.pdf", 5, kind=FileKind.DOCUMENT)


async def test_a_follow_up_is_asked_with_the_newest_files_and_told_of_those_that_it_cannot_have() -> None:
    """Those that have expired at Discord, and older ones."""
    scene = Scene(["one"], ["two"], ["three"], ["four"])
    first = replace(scene.question("this?"), images=(PICTURE.url,), readable_again=(PICTURE,))
    await scene.ask(first)
    await scene.ask(scene.question("and its colour?"))
    earlier = scene.provider.requests[1].turns[0]
    assert (earlier.text, earlier.images) == ("this?", (PICTURE.url,))
    gone = replace(PICTURE, name="gone.png", expires_at=1.0)
    await scene.ask(replace(scene.question("these?"), readable_again=(gone, PAPER)))
    await scene.ask(scene.question("and now?"))
    turns = scene.provider.requests[3].turns
    assert [turn.images for turn in turns] == [()] * 7
    assert turns[4].files == (FileLink("a.pdf", PAPER.url, 5),)
    assert turns[0].text == f"this?\n\n{NOT_SHOWN.format(names='a.png')}"
    assert turns[4].text == f"these?\n\n{NOT_SHOWN.format(names='gone.png')}"


async def test_where_an_earlier_file_is_refused_the_question_is_asked_without_it() -> None:
    """Its message can be deleted, and its address dead, long before it expires: that must not end the
    conversation. A question whose own file is refused is told so."""
    scene = Scene(["a llama"], [FileRefused(OPENAI, "404")], ["brown"], [FileRefused(OPENAI, "404")])
    first = replace(scene.question("this?"), images=(PICTURE.url,), readable_again=(PICTURE,))
    await scene.ask(first)
    assert (await scene.ask(scene.question("and its colour?"))).text == "brown"
    assert [turn.images for turn in scene.provider.requests[1].turns] == [(PICTURE.url,), (), ()]
    again = scene.provider.requests[2].turns
    assert [turn.images for turn in again] == [(), (), ()]
    assert again[0].text == f"this?\n\n{NOT_SHOWN.format(names='a.png')}"
    alone = Scene([FileRefused(OPENAI, "404")])
    assert "couldn't read the file" in (await alone.ask(replace(first))).note
    assert len(alone.provider.requests) == 1


async def test_what_an_answer_costs_is_charged_to_who_asked_by_the_providers_count() -> None:
    models = {"fake": ModelOptions(input_price=1.0, output_price=2.0)}
    scene = Scene(["text"], accounting=AccountingOptions(models))
    await scene.ask()
    (line,) = await scene.store.spending("2000-01-01", person_id=ANN.id, guild_id=5)
    assert (line.spent.input_tokens, line.spent.output_tokens) == (10, 20)
    assert line.spent.cost == 50_000  # 10 + 40 millionths


async def test_a_call_of_the_tool_and_the_search_are_both_charged() -> None:
    call = ToolCall(WEB_SEARCH.name, "llamas")
    scene = Scene([call], others=[perplexity()])
    await scene.ask()
    lines = await scene.store.spending("2000-01-01")
    assert {line.provider for line in lines} == {"openai", "perplexity"}


async def test_what_is_searched_for_is_shown() -> None:
    """The query of the model that calls for a search, then that of the provider that searches."""
    call = ToolCall(WEB_SEARCH.name, "llamas")
    scene = Scene([call], others=[FakeProvider([SearchQuery("llama news"), "found"], provider=PERPLEXITY)])
    reply = await scene.ask()
    assert reply.queries == ["llamas", "llama news"]
    assert reply.text == "found"


async def test_a_model_that_is_only_listed_is_asked_at_its_provider() -> None:
    """What the settings name counts first, where two have a model of that name."""
    options = {"openai": offering("usual"), "perplexity": offering("sonar")}
    rules = replace(BRIEF, providers=options, listed={"perplexity": ("llama", "usual"), "openai": ("extra",)})
    scene = Scene(["text"], others=[perplexity()], rules=rules)
    await scene.ask(replace(scene.question(), model="extra"))
    assert scene.provider.requests[-1].model == "extra"
    assert rules.provider_of("llama") == "perplexity"
    assert rules.provider_of("usual") == "openai"
    assert rules.provider_of("unheard of") is None


@pytest.mark.parametrize(("search", "most"), [(WebSearch.NEVER, "$4.00"), (WebSearch.ALWAYS, "$4.50")])
async def test_who_may_not_spend_so_much_reads_what_is_left_and_what_it_may_cost(
    search: WebSearch, most: str
) -> None:
    """A quarter of the context is kept for an answer, and a provider that searches may do so five times."""
    models = {"fake": ModelOptions(input_price=0.0, output_price=1000.0, search_price=100.0)}
    scene = Scene(
        provider=FakeProvider(provider=replace(OPENAI, web_search=search)),
        accounting=AccountingOptions(models, person=Limit(money=3.0)),
    )
    assert (await scene.ask()).note == (
        f"You have $3.00 left of your daily limit; this question may cost up to {most}."
        " It resets at midnight UTC. (error 1)"
    )
    assert scene.provider.requests == []


async def test_a_provider_that_fails_takes_no_room_from_the_one_that_stands_in() -> None:
    """It costs nothing: what is left has to do for one answer, not for two."""
    models = dict.fromkeys(("fake", "another"), ModelOptions(input_price=0.0, output_price=1000.0))
    other = FakeProvider(["text"], provider=FOREIGN, model="another")
    limited = AccountingOptions(models, person=Limit(money=5.0))
    scene = Scene([Overloaded(OPENAI, "503")], accounting=limited, others=(other,))
    await scene.ask()
    assert len(other.requests) == 1
    (line,) = await scene.store.spending("2000-01-01")
    assert line.model == "another"


async def test_an_answers_own_limit_is_the_most_that_it_may_cost() -> None:
    """Not a quarter of the context, which is only a guess."""
    models = {"fake": ModelOptions(input_price=0.0, output_price=1000.0)}
    limited = AccountingOptions(models, person=Limit(money=0.1))
    options = ProviderOptions(base_url="http://127.0.0.1", model="fake", max_answer_tokens=100)
    rules = replace(BRIEF, providers={"openai": options})
    assert (await Scene(["text"], rules=rules, accounting=limited).ask()).note == ""


async def test_the_footer_has_tokens_and_cost_where_the_operator_wants_them() -> None:
    """Of all requests that an answer took; of what nobody knows the price, the tokens alone."""
    told = replace(BRIEF, assistant=AssistantOptions("be brief", show_usage=True))
    priced = AccountingOptions({"fake": ModelOptions(input_price=1000.0, output_price=2000.0)})

    async def footer(rules: ContextRules, accounting: AccountingOptions, *others: FakeProvider) -> str:
        script: list[Step] = [ToolCall(WEB_SEARCH.name, "llamas")] if others else ["text"]
        closing = (await Scene(script, rules=rules, accounting=accounting, others=others).ask()).closing
        assert closing is not None
        return closing.footer

    other = FakeProvider(["found"], provider=PERPLEXITY, model="another")
    assert (await footer(told, priced)).endswith(" · 30 tokens · $0.0500")
    assert (await footer(told, AccountingOptions())).endswith(" · 30 tokens")
    assert (await footer(told, priced, other)).endswith(" tokens · $0.0500 and more")
    assert "tokens" not in await footer(BRIEF, priced)


class DeletedReply(FakeReply):
    """Somebody deletes the answer when it begins."""

    def write(self, text: str) -> None:
        self.gone = ReplyFailed("deleted")
        super().write(text)


async def test_an_answer_that_nobody_can_see_any_more_is_charged(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Or whoever deletes each answer would have no limit. So is one during which the bot ends."""
    scene = Scene(["text", "more"], ["text", 1000.0])
    await scene.ask(reply=DeletedReply())
    (line,) = await scene.store.spending("2000-01-01")
    assert line.spent.answers == 1
    assert line.spent.output_tokens > 0
    with trio.move_on_after(0.1) as scope:
        await scene.ask()
    assert scope.cancelled_caught
    (line,) = await scene.store.spending("2000-01-01")
    assert line.spent.answers == 2


async def test_a_stopped_answer_costs_what_came_of_it_and_a_failed_try_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene(["beginning of an answer", 1000.0])
    await asked_and_stopped(scene)
    (line,) = await scene.store.spending("2000-01-01")
    assert 0 < line.spent.output_tokens < 20
    assert line.spent.input_tokens > 0
    scene = Scene([Overloaded(OPENAI, "503")])
    await scene.ask()
    assert await scene.store.spending("2000-01-01") == ()


async def test_a_question_that_is_only_thought_about_is_charged(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Reasoning is billed, although nothing of it was shown when the answer failed."""
    scene = Scene([OutputBegan(), TimedOut(OPENAI, "no text in time")])
    await scene.ask()
    (line,) = await scene.store.spending("2000-01-01")
    assert line.spent.input_tokens > 0


async def asked_and_stopped(scene: Scene) -> None:
    question = scene.question()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, question)
        await trio.sleep(1)
        stopped(scene, question)


async def test_who_has_used_up_the_day_is_told_and_others_go_on() -> None:
    scene = Scene(["text"], accounting=AccountingOptions(person=Limit(tokens=800)))
    assert (await scene.ask()).note == ""
    for _ in range(20):
        reply = await scene.ask()
    assert "You have reached your daily limit. It resets at midnight UTC." in reply.note
    noted = len(scene.limited)
    assert scene.limited[-1].person == ANN
    assert (await scene.ask(scene.question(person=BEN))).note == ""
    assert len(scene.limited) == noted
    asked = len(scene.provider.requests)
    await scene.ask()
    assert len(scene.provider.requests) == asked


async def test_questions_at_the_same_moment_do_not_share_one_remainder(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene([1.0, "text"], accounting=AccountingOptions(guild=Limit(tokens=1200)))
    replies = [FakeReply() for _ in range(6)]
    async with trio.open_nursery() as nursery:
        for number, reply in enumerate(replies):
            nursery.start_soon(scene.ask, scene.question(person=Person(100 + number, "x")), reply)
    refused = [reply for reply in replies if "This server has reached" in reply.note]
    assert len(refused) == 4


async def test_what_was_answered_can_be_named_to_be_asked_again() -> None:
    scene = Scene(["text"])
    question = scene.question()
    await scene.store.accept(question)
    reply = await scene.ask(question)
    assert reply.turn is not None
    said = await scene.store.said(reply.turn)
    assert said is not None
    assert said.text == "why?"


async def test_a_channel_has_instructions_and_a_model_of_its_own_and_a_thread_has_its_channels() -> None:
    rules = replace(BRIEF, providers={"openai": offering("better")})
    scene = Scene(["text"], rules=rules)
    await scene.channels.set(Place(7, 5), 1, ChannelSettings("Be a pirate.", "better"))
    thread = replace(scene.question(), place=Place(8, 5, parent_id=7))
    for question in (scene.question(), thread, replace(scene.question(), place=Place(9, 5))):
        await scene.ask(question)
    asked = [(request.instructions, request.model) for request in scene.provider.requests]
    assert asked == [("be brief\nBe a pirate.", "better")] * 2 + [("be brief", "fake")]


async def test_a_model_that_another_provider_has_takes_the_question_there() -> None:
    rules = replace(BRIEF, providers={"perplexity": offering("sonar")})
    other = perplexity()
    scene = Scene(["text"], others=[other], rules=rules)
    await scene.channels.set(Place(7, 5), 1, ChannelSettings(model="sonar"))
    assert (await scene.ask()).text == "found"
    assert other.requests[0].model == "sonar"


async def test_pictures_go_along_once_and_are_not_remembered() -> None:
    scene = Scene(["a cat"], ["yes"])
    await scene.ask(replace(scene.question(), images=("https://cdn.example/cat.png",)))
    await scene.ask()
    images = [[turn.images for turn in request.turns] for request in scene.provider.requests]
    assert images == [[("https://cdn.example/cat.png",)], [(), (), ()]]


async def test_a_note_from_before_stands_below_the_answer() -> None:
    scene = Scene(["text"])
    question, reply = scene.question(), FakeReply()
    await scene.answer_service.answer(question, scene.answer_service.enqueue(question), reply, "No thread.")
    assert reply.note == "No thread."


@pytest.mark.parametrize(
    ("script", "complete"),
    [
        (["words"], True),
        (["words", End(FinishReason.LENGTH)], False),
        (["words", End(FinishReason.FILTERED)], False),
        ([" "], False),
        (["words", Overloaded(OPENAI, "status 500")], False),
    ],
)
async def test_the_log_says_whether_an_answer_is_complete_whatever_stands_below_it(
    script: list[Step], complete: bool
) -> None:
    """A note to the person, such as that nobody else can read it, cuts no answer short."""
    structlog.reset_defaults()  # the suite's own logging leaves out INFO
    scene = Scene(script)
    question = scene.question()
    with capture_logs() as logs:
        ticket = scene.answer_service.enqueue(question)
        await scene.answer_service.answer(question, ticket, FakeReply(), "Only you can see this.")
    assert [log["complete"] for log in logs if log["event"] == "answered"] == [complete]
