"""What every store must do: the fake, the file and the server."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trio
import trio.testing

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import (
    NOTHING_POSTED,
    FinishedAnswer,
    PendingQuestion,
    Posted,
    QuestionAndAnswer,
    StoredQuestion,
    TurnId,
)
from discordianai.conversations.store import ChannelSettings, Store
from discordianai.records import Attachment, FileKind, Quotation, Role, Turn, Usage
from tests.conversations.builders import ANN, BOB, NOW, answer, exchange, question
from tests.conversations.openers import SERVERS, STORES, Opener

DAY = 86_400.0

OPTIONS = ConversationOptions()


BEHIND_PGBOUNCER = {
    "test_turns_come_back_oldest_first",
    "test_no_more_than_max_turns_are_kept",
    "test_any_text_comes_back_as_it_was",
    "test_a_long_memory_is_forgotten_whole",
    "test_dropping_a_server_leaves_the_others",
    "test_a_question_is_taken_over_until_it_is_finished",
    "test_starts_are_counted_while_a_question_is_open",
    "test_an_answer_is_remembered_once",
    "test_an_append_survives_being_cancelled",
    "test_many_at_once_keep_their_own_order",
    "test_all_that_a_question_has_is_there_after_a_restart",
    "test_what_is_set_for_a_channel_stays_until_it_is_cleared_or_its_server_dropped",
}
"""Each kind of statement, and many at once; the others would tell nothing new."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test with each store."""
    if "opener" in metafunc.fixturenames:
        servers = SERVERS if metafunc.function.__name__ in BEHIND_PGBOUNCER else ["postgres"]
        opened = [pytest.param(make, id=name) for name, make in STORES.items()]
        opened += [pytest.param(SERVERS[name], id=name, marks=pytest.mark.postgres) for name in servers]
        metafunc.parametrize("opener", opened, indirect=True)


@pytest.fixture
def opener(request: pytest.FixtureRequest) -> Opener:
    made: Opener = request.param(request)
    return made


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[Store]:
    async with opener(OPTIONS) as store:
        yield store


async def left_open(opener: Opener) -> tuple[PendingQuestion, ...]:
    """What the next process takes over."""
    async with opener(OPTIONS) as store:
        return await store.take_over()


async def test_turns_come_back_oldest_first(store: Store) -> None:
    await store.append(ANN, exchange(1))
    assert await store.recent(ANN, 50) == exchange(1)
    await store.append(ANN, exchange(2))
    assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_people_do_not_see_each_others_turns(store: Store) -> None:
    await store.append(ANN, exchange(1))
    assert await store.recent(BOB, 50) == ()


async def test_what_was_private_is_a_conversation_of_its_own(store: Store) -> None:
    private = ConversationKey(ANN.channel_id, ANN.person_id, private=True)
    await store.append(ANN, exchange(1))
    await store.append(private, exchange(2))
    assert await store.recent(ANN, 50) == exchange(1)
    assert await store.recent(private, 50) == exchange(2)


async def test_only_the_newest_are_given_and_the_first_is_a_persons(store: Store) -> None:
    for number in range(5):
        await store.append(ANN, exchange(number))
    assert await store.recent(ANN, 4) == (*exchange(3), *exchange(4))
    assert await store.recent(ANN, 3) == exchange(4)
    assert await store.recent(ANN, 0) == ()


async def test_no_more_than_max_turns_are_kept(opener: Opener) -> None:
    async with opener(ConversationOptions(max_turns=4)) as store:
        for number in range(5):
            await store.append(ANN, exchange(number))
            await store.recent(ANN, 50)
        assert await store.recent(ANN, 50) == (*exchange(3), *exchange(4))


async def test_with_max_turns_0_nothing_is_kept(opener: Opener) -> None:
    async with opener(ConversationOptions(max_turns=0)) as store:
        await store.append(ANN, exchange(1))
        assert await store.recent(ANN, 50) == ()


async def test_turns_older_than_the_time_to_live_are_not_given(opener: Opener) -> None:
    async with opener(ConversationOptions(ttl_days=2)) as store:
        await store.append(ANN, exchange(1, NOW - 3 * DAY))
        await store.append(ANN, exchange(2, NOW - 1 * DAY))
        assert await store.recent(ANN, 50) == exchange(2, NOW - 1 * DAY)


async def test_any_text_comes_back_as_it_was(store: Store) -> None:
    """NUL, DLE, line separators, emoji, what SQL and its drivers read; half a surrogate pair, which UTF-8
    cannot write, as U+FFFD."""
    text = "a\0b\x10c\x10@\u2028d\n👩‍👩‍👧 ‮ '; DROP TABLE turns; -- \\' \\0 %(limit)s %s $1 ? :at \ud800"
    await store.append(ANN, [Turn(Role.USER, text, NOW)])
    (read,) = await store.recent(ANN, 1)
    assert read.text in {text, text.replace("\ud800", "\ufffd")}


async def test_a_reset_forgets_this_conversation_and_no_other(store: Store) -> None:
    for key in (ANN, BOB):
        await store.append(key, exchange(1))
        await store.recent(key, 50)
    assert (await store.reset(ANN)).turns == 2
    assert (await store.reset(ANN)).turns == 0
    assert await store.recent(ANN, 50) == ()
    assert await store.recent(BOB, 50) == exchange(1)


async def test_a_conversation_goes_on_after_a_reset(store: Store) -> None:
    await store.append(ANN, exchange(1))
    await store.reset(ANN)
    await store.append(ANN, exchange(2))
    assert await store.recent(ANN, 50) == exchange(2)


async def test_forgetting_a_person_leaves_the_others_in_a_shared_conversation(store: Store) -> None:
    shared = ConversationKey(channel_id=1, person_id=0)
    for number, person in enumerate((10, 11, 10)):
        await store.append(shared, exchange(number), person_id=person, guild_id=7)
    await store.append(ANN, exchange(9))
    assert (await store.forget(10)).turns == 6
    assert await store.recent(shared, 50) == exchange(1)
    assert await store.recent(ANN, 50) == ()


async def test_dropping_a_server_leaves_the_others(store: Store) -> None:
    everywhere = ConversationKey(channel_id=0, person_id=10)
    for number, guild_id in enumerate((7, 8, None)):
        await store.append(everywhere, exchange(number), guild_id=guild_id)
    assert (await store.drop_guild(7)).turns == 2
    assert await store.recent(everywhere, 50) == (*exchange(1), *exchange(2))


async def test_a_long_memory_is_forgotten_whole(opener: Opener) -> None:
    """More turns than one step removes."""
    async with opener(ConversationOptions(max_turns=700)) as store:
        turns = [turn for number in range(350) for turn in exchange(number)]
        await store.append(ANN, turns)
        assert len(await store.recent(ANN, 700)) == 700
        assert (await store.forget(ANN.person_id)).turns == 700
        assert await store.recent(ANN, 700) == ()


async def test_the_same_interaction_is_accepted_once(store: Store) -> None:
    assert await store.accept(question(1))
    assert not await store.accept(question(1))
    await store.answered(1, answer(1))
    assert not await store.accept(question(1))
    await store.finish(1)
    assert not await store.accept(question(1))


async def test_a_question_is_taken_over_until_it_is_finished(opener: Opener) -> None:
    """By each later process, with what the earlier ones have done; never by the one that has it."""
    asked = question(1, "what?")
    async with opener(OPTIONS) as store:
        await store.accept(asked)
        assert await store.take_over() == ()
    async with opener(OPTIONS) as store:
        (left,) = await store.take_over()
        assert left.question.address == asked.address
        assert (left.question.text, left.question.person, left.question.place) == (
            "what?",
            asked.person,
            asked.place,
        )
        assert (left.question.number, left.posted, left.text, left.complete) == (0, NOTHING_POSTED, "", False)
        assert await store.take_over() == ()
        await store.note_posted(1, Posted(further_ids=(501,)), "first part")
        await store.note_posted(1, Posted(further_ids=(501, 502)), "first part, second part")
    async with opener(OPTIONS) as store:
        (left,) = await store.take_over()
        posted = Posted(further_ids=(501, 502))
        assert (left.posted, left.text, left.complete) == (posted, "first part, second part", False)
        await store.answered(1, FinishedAnswer("all of it"))
    async with opener(OPTIONS) as store:
        (left,) = await store.take_over()
        assert (left.posted, left.text, left.complete) == (posted, "all of it", True)
        await store.finish(1)
    assert await left_open(opener) == ()


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("message_id", [None, 44])
@pytest.mark.parametrize(
    "posted",
    [
        Posted(),
        Posted(thread_id=1),
        Posted(thread_id=1, original_id=2),
        Posted(1, 2, (3, 4)),
        Posted(original_id=2),
        Posted(None, 2, (3,)),
        Posted(further_ids=(3, 4)),
    ],
)
async def test_what_was_posted_comes_back_as_it_was_noted(
    opener: Opener, posted: Posted, message_id: int | None, in_thread: bool
) -> None:
    """Also where a thread was wanted and there is none: a later process must not take a message for it."""
    asked = question(1)
    asked = replace(
        asked,
        in_thread=in_thread or posted.thread_id is not None,
        address=replace(asked.address, message_id=message_id),
    )
    async with opener(OPTIONS) as store:
        await store.accept(asked)
        await store.note_posted(1, posted, "so far")
    (left,) = await left_open(opener)
    assert left.posted == posted


async def test_starts_are_counted_while_a_question_is_open(opener: Opener) -> None:
    """The first process counts from the moment it took the question."""
    async with opener(OPTIONS) as store:
        await store.accept(question(1))
        await store.accept(question(2))
    async with opener(OPTIONS) as store:
        assert [left.starts for left in await store.take_over()] == [1, 1]
        assert await store.count_start(1)
        assert await store.count_start(2)
        await store.take_back_start(2)
    async with opener(OPTIONS) as store:
        assert [left.starts for left in await store.take_over()] == [2, 1]
        await store.finish(1)
        assert not await store.count_start(1)  # it was forgotten meanwhile, or answered
        assert not await store.count_start(3)


async def test_open_questions_come_oldest_first(opener: Opener) -> None:
    async with opener(OPTIONS) as store:
        for number in (3, 1, 2):
            await store.accept(question(number))
    ids = [left.question.address.interaction_id for left in await left_open(opener)]
    assert ids == [1, 2, 3]


async def test_a_replayed_interaction_is_still_the_earlier_processs(opener: Opener) -> None:
    """Discord sends it to the next process before that has taken what was left."""
    async with opener(OPTIONS) as store:
        await store.accept(question(1))
    async with opener(OPTIONS) as store:
        assert not await store.accept(question(1))
        assert await store.accept(question(2))
        assert [left.question.address.interaction_id for left in await store.take_over()] == [1]


async def test_an_answer_is_remembered_once(store: Store) -> None:
    await store.accept(question(1))
    for _ in range(2):
        await store.answered(1, answer(1))
    await store.finish(1)
    await store.answered(1, answer(1))
    assert await store.recent(ANN, 50) == exchange(1)


async def test_the_answer_to_an_unprotected_question_is_remembered_once_too(opener: Opener) -> None:
    async with opener(OPTIONS) as store:
        for _ in range(2):
            await store.answered(1, answer(1))
        assert await store.recent(ANN, 50) == exchange(1)
        assert not await store.accept(question(1))
    assert await left_open(opener) == ()


async def test_a_question_open_while_its_person_is_forgotten_is_not_remembered(opener: Opener) -> None:
    async with opener(OPTIONS) as store:
        await store.accept(question(1))
        await store.accept(question(2, person_id=11))
        await store.forget(10)
        await store.answered(1, answer(1))
        assert await store.recent(ANN, 50) == ()
    assert [left.question.person.id for left in await left_open(opener)] == [11]


async def test_a_cached_conversation_learns_what_was_answered(store: Store) -> None:
    await store.append(ANN, exchange(1))
    await store.recent(ANN, 50)
    await store.accept(question(1))
    await store.answered(1, answer(2))
    await store.answered(1, answer(2))
    assert await store.recent(ANN, 50) == (*exchange(1), *exchange(2))


async def test_an_append_survives_being_cancelled(store: Store) -> None:
    """It is done or not done, and the store goes on."""
    for number in range(20):
        with trio.move_on_after(0.0005 * (number % 5)):
            await store.append(ANN, exchange(number))
    await store.append(ANN, exchange(99))
    turns = await store.recent(ANN, 50)
    assert len(turns) % 2 == 0
    assert turns[-2:] == exchange(99)
    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT] * (len(turns) // 2)


async def test_many_at_once_keep_their_own_order(store: Store) -> None:
    keys = [ConversationKey(1, person) for person in range(20)]

    async def talk(key: ConversationKey) -> None:
        for number in range(10):
            await store.append(key, exchange(number))
            assert (await store.recent(key, 2)) == exchange(number)

    async with trio.open_nursery() as nursery:
        for key in keys:
            nursery.start_soon(talk, key)
    for key in keys:
        assert await store.recent(key, 50) == tuple(turn for number in range(10) for turn in exchange(number))


async def test_an_exchange_without_anything_to_remember_changes_nothing(store: Store) -> None:
    await store.answered(1, FinishedAnswer("a note", QuestionAndAnswer(ANN, (), 10)))
    assert await store.recent(ANN, 50) == ()


async def test_a_persons_turn_can_be_looked_up_until_it_is_forgotten(store: Store) -> None:
    private = ConversationKey(ANN.channel_id, ANN.person_id, private=True)
    await store.accept(question(1))
    await store.accept(question(2))
    first = await store.answered(1, answer(1))
    second = await store.answered(2, answer(2, private))
    assert first is not None
    assert second is not None
    assert await store.said(first) == StoredQuestion("question 1", 10, 7, ANN)
    assert await store.said(second) == StoredQuestion("question 2", 10, 7, private)
    number, _, at = first.partition(".")
    assert await store.said(TurnId(f"{number}.{int(at) + 1}")) is None  # another turn of that number
    for forged in ("", "7", "1.2.3", "9999999999999999999.1", "-1.2"):
        assert await store.said(TurnId(forged)) is None
    await store.reset(ANN)
    assert await store.said(first) is None
    assert await store.said(second) is not None


async def test_the_files_of_a_turn_are_kept_with_it_and_go_with_it(store: Store) -> None:
    """Without them, what is asked again would be another question."""
    file = Attachment("a.png", "https://cdn/a?ex=1", 99, "image/png", True, 1.5, FileKind.IMAGE)
    asked, told = exchange(1)
    turns = (replace(asked, attachments=(file,)), told)
    await store.accept(question(1))
    turn = await store.answered(1, FinishedAnswer("", QuestionAndAnswer(ANN, turns, 10, 7)))
    assert turn is not None
    for _ in range(2):  # read from the store, then from what it has in memory
        assert await store.recent(ANN, 50) == turns
    assert await store.said(turn) == StoredQuestion("question 1", 10, 7, ANN, (file,))
    await store.forget(10)
    assert await store.recent(ANN, 50) == ()
    assert await store.said(turn) is None


async def test_what_added_no_turn_names_none(store: Store) -> None:
    await store.accept(question(1))
    assert await store.answered(1, FinishedAnswer("an error")) is None
    await store.accept(question(2))
    assert await store.answered(2, answer(2)) is not None
    assert await store.answered(2, answer(2)) is None


async def test_all_that_a_question_has_is_there_after_a_restart(opener: Opener) -> None:
    """Any text of it, too."""
    asked = question(1, "a\0b\x10c\u2028")
    asked = replace(
        asked,
        number=0,
        provider="local-llm",
        search=True,
        model="sonar",
        place=replace(asked.place, parent_id=77),
        address=replace(asked.address, message_id=78, as_member=False),
        attachments=(Attachment("a.png", "https://cdn.example/a.png?x=1", 99, "image/png", True, 7.5),),
        quotation=Quotation("Ann:\n> all\0 of it", "> a part", own="mine"),
        in_thread=True,
        from_form=True,
        may_attach=False,
        person=replace(asked.person, name="An\0n"),
    )
    async with opener(OPTIONS) as store:
        await store.accept(asked)
    (left,) = await left_open(opener)
    assert left.question == asked


@pytest.mark.parametrize("most_bytes", [0, 700, 2500, 10**6])
async def test_an_export_that_is_cut_has_the_last_lines_of_the_whole_one(
    opener: Opener, most_bytes: int
) -> None:
    async with opener(OPTIONS) as store:
        for channel_id in (1, 2, 3):
            for number in range(3):
                key = ConversationKey(channel_id, 10)
                await store.append(key, exchange(number, NOW), person_id=10, guild_id=7)
        whole, complete = await store.export(10, 10**7)
        cut, is_all = await store.export(10, most_bytes)
    assert complete
    assert len(cut) <= most_bytes
    assert whole.endswith(cut)
    assert is_all == (cut == whole)
    longest = max(len(line) for line in whole.splitlines(keepends=True))
    assert len(cut) > min(most_bytes, len(whole)) - longest - 1


async def test_the_key_of_the_identifiers_is_made_once(opener: Opener) -> None:
    """People are told apart by it, today as yesterday; nobody could guess it, and it is about nobody."""
    async with opener(OPTIONS) as store:
        key = await store.identifier_key()
        assert len(key) == 32
        assert await store.identifier_key() == key
        await store.forget(10)
        await store.drop_guild(7)
    async with opener(OPTIONS) as store:
        assert await store.identifier_key() == key


async def test_forgetting_a_person_or_dropping_a_server_erases_its_open_questions_and_no_others(
    opener: Opener,
) -> None:
    async with opener(OPTIONS) as store:
        await store.accept(question(1, person_id=10))
        await store.accept(question(2, person_id=11, guild_id=8))
        await store.accept(question(3, person_id=11, guild_id=None))
        await store.accept(question(4, person_id=12))
        await store.forget(10)
        await store.drop_guild(8)
        for number in (1, 2):
            assert not await store.accept(question(number))  # its id is kept, against replays
    assert [left.question.address.interaction_id for left in await left_open(opener)] == [3, 4]


async def test_what_answers_cost_stays_when_its_person_is_forgotten_and_counts_for_the_day(
    store: Store,
) -> None:
    """The daily limit needs today's sum with the name; the days before lose it."""
    for day, tokens in ((day_of(NOW), 30), (day_of(NOW - DAY), 7)):
        await store.charge(Charge(10, 7, "openai", "gpt", Usage(tokens, 0), day, None))
    await store.forget(10)
    assert (await store.spent(day_of(NOW), person_id=10)).tokens == 30
    assert (await store.spent(day_of(NOW - DAY), person_id=10)).tokens == 0
    assert (await store.spent(day_of(NOW - DAY))).tokens == 7


async def test_a_question_that_is_being_answered_while_its_person_is_forgotten_is_still_paid_for(
    store: Store,
) -> None:
    """Forgetting does not lift the daily limit; nothing else of it is kept."""
    await store.accept(question(1))
    await store.forget(10)
    charge = Charge(10, 7, "openai", "gpt", Usage(5, 6), day_of(time.time()), 3)
    assert await store.answered(1, replace(answer(1), charges=(charge, charge))) is None
    assert (await store.spent(day_of(time.time()), person_id=10)).answers == 2
    assert await store.recent(ANN, 50) == ()


async def test_nothing_is_lost_that_waits_for_its_turn_when_the_bot_ends(opener: Opener) -> None:
    """What was called before the end is written, whether anybody waits for it or not."""
    async with opener(OPTIONS) as store, trio.open_nursery() as nursery:
        for person_id in range(1, 41):
            nursery.start_soon(store.append, ConversationKey(1, person_id), exchange(person_id))
        await trio.testing.wait_all_tasks_blocked()
    async with opener(OPTIONS) as store:
        for person_id in range(1, 41):
            assert await store.recent(ConversationKey(1, person_id), 50) == exchange(person_id)


async def test_what_is_set_for_a_channel_stays_until_it_is_cleared_or_its_server_dropped(
    store: Store,
) -> None:
    await store.set_channel(1, 7, 10, ChannelSettings("Be a pirate.", "gpt-5"))
    await store.set_channel(2, 8, 10, ChannelSettings(model="gpt-5"))
    await store.set_channel(1, 7, 10, ChannelSettings("Be a poet."))
    assert await store.channels() == {1: ChannelSettings("Be a poet."), 2: ChannelSettings(model="gpt-5")}
    await store.set_channel(2, 8, 10, ChannelSettings())
    assert await store.channels() == {1: ChannelSettings("Be a poet.")}
    await store.drop_guild(7)
    assert await store.channels() == {}


async def test_what_is_set_for_direct_messages_is_forgotten_with_its_person(store: Store) -> None:
    await store.set_channel(1, None, 10, ChannelSettings("Be a pirate."))
    await store.set_channel(2, None, 11, ChannelSettings("Be a poet."))
    await store.set_channel(3, 7, 10, ChannelSettings("Be a clerk."))
    await store.forget(10)
    assert await store.channels() == {2: ChannelSettings("Be a poet."), 3: ChannelSettings("Be a clerk.")}


async def test_servers_that_were_left_are_known_until_they_are_dropped_or_joined_again(
    store: Store,
) -> None:
    for guild_id in (7, 8, 9):
        await store.joined(guild_id)
    for guild_id in (7, 8):
        await store.left(guild_id)
    assert await store.present() == {9}
    late = time.time() + 60
    assert await store.left_before(late) == (7, 8)
    assert await store.left_before(time.time() - 60) == ()
    await store.joined(8)
    await store.drop_guild(7)
    await store.drop_guild(9)  # an operator's wish: the bot is still there
    assert await store.left_before(late) == ()
    assert await store.present() == {8, 9}


@pytest.mark.parametrize(("days", "known"), [(0, True), (1, False)])
async def test_costs_of_a_forgotten_question_are_the_persons_on_that_day_only(
    store: Store, days: int, known: bool
) -> None:
    """The daily limit needs today's sum; nothing else may tell what a forgotten person asked."""
    day = day_of(time.time() - days * DAY)
    await store.accept(question(1, person_id=ANN.person_id))
    await store.forget(ANN.person_id)
    await store.charge(Charge(ANN.person_id, None, "openai", "gpt", Usage(1, 2), day, 3), 1)
    assert (await store.spent(day, person_id=ANN.person_id)).answers == int(known)
    assert (await store.spent(day)).answers == 1
