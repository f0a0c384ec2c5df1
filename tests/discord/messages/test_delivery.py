"""Where an answer goes, and what a later process finds there; against the local Discord."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from structlog.testing import capture_logs

from discordianai.answering.answer import STOPPED
from discordianai.answering.journal import Journal
from discordianai.answering.open_questions import QuestionCounter
from discordianai.conversations.pending_questions import NOTHING_POSTED, FinishedAnswer, Posted, TurnId
from discordianai.conversations.store import ClaimLost
from discordianai.discord.events.message_content import EPHEMERAL
from discordianai.discord.messages import direct_messages as direct_messages_module
from discordianai.discord.messages import failure_notice, reply, rest
from discordianai.discord.messages.attachments import AttachmentReader, Limits
from discordianai.discord.messages.delivery import MOST_AS_GUEST, NO_THREAD, Deliveries
from discordianai.discord.messages.direct_messages import ALL, DirectMessages
from discordianai.discord.messages.reply import REFUSED
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.option import Live
from discordianai.providers.errors import Overloaded
from discordianai.providers.port import SearchQuery
from discordianai.records import Attachment, Person, Question
from discordianai.sandbox.discord import (
    CHANNELS,
    DiscordOptions,
    Interaction,
    LocalDiscord,
    direct_messages,
    open_local_discord,
    person,
)
from discordianai.sandbox.discord.api_objects import BOT_ID
from tests.answering.builders import Scene as Answering
from tests.doubles.provider import OPENAI, Step

DECLARED = [{"name": "ask", "description": "Ask it"}]
LONG = "A sentence of some words, to be cut into messages.\n\n" * 640
"""33,000 characters: more than the messages hold that an answer may have."""
UNHURRIED = DiscordOptions(webhook_requests=1000)


@dataclass(frozen=True)
class Scene:
    discord: LocalDiscord
    client: httpx.AsyncClient

    async def asked(self, **changes: object) -> tuple[Interaction, Question]:
        """A question by an interaction that is acknowledged; its place is the sandbox's first channel."""
        interaction = self.discord.invoke_now("ask")
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        await self.client.post(self.discord.api_url + path, json={"type": 5})
        question = Answering().question()
        address = replace(
            question.address,
            application_id=BOT_ID,
            interaction_id=interaction.id,
            token=interaction.token,
            channel_id=CHANNELS[0].id,
            acknowledged_at=self.discord.now(),
        )
        place = replace(question.place, channel_id=CHANNELS[0].id)
        made: Question = replace(question, address=address, place=place, **changes)  # type: ignore[arg-type]  # by name
        return interaction, made

    def deliveries(self, *script: Step, max_messages: int = 2) -> tuple[Deliveries, Answering]:
        """Those of a bot whose provider answers so."""
        answering = Answering(list(script))
        api = DiscordApi(self.client, self.discord.api_url, self.discord.options.token)
        reader = AttachmentReader(self.client, self.discord.api_url, Live(Limits(1000, 1000, 1000)))
        journal = Journal(answering.store, QuestionCounter())
        options = Live(BotOptions(edit_interval=0.01, max_messages=max_messages))
        return Deliveries(
            options, False, answering.answer_service, journal, api, DirectMessages(api), reader
        ), answering


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A permission that is missing is so for good."""
    monkeypatch.setattr(reply, "ACCESS_WAITS", (0.01,))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_local_discord(UNHURRIED) as discord, httpx.AsyncClient(timeout=30) as client:
        path = f"{discord.api_url}/applications/{BOT_ID}/commands"
        await client.put(path, json=DECLARED, headers={"Authorization": f"Bot {discord.options.token}"})
        yield Scene(discord, client)


async def test_an_answer_in_a_thread_is_noted_so_that_a_later_process_finds_it(scene: Scene) -> None:
    deliver, answering = scene.deliveries("because")
    interaction, question = await scene.asked(in_thread=True)
    await answering.store.accept(question)
    noted: list[Posted] = []
    note_posted = answering.store.note_posted

    async def note(interaction_id: int, posted: Posted, text: str) -> None:
        noted.append(posted)
        await note_posted(interaction_id, posted, text)

    answering.store.note_posted = note  # type: ignore[method-assign]  # what it is told is looked at
    await deliver(question, NOTHING_POSTED).answer(None)
    (thread,) = scene.discord.threads
    (message,) = scene.discord.channel_messages
    assert noted == [Posted(thread.id), Posted(thread.id, message.id)]
    assert message.content.startswith("because")
    assert f"<#{thread.id}>" in interaction.text
    assert await answering.store.unfinished() == ()


async def test_nothing_more_is_written_once_another_process_has_taken_the_question(scene: Scene) -> None:
    """Its claim is lost when the answer's second message is noted; the other one writes the rest."""
    script: list[Step] = [LONG[:3000], 0.2] * 4
    deliver, answering = scene.deliveries(*script, max_messages=10)
    interaction, question = await scene.asked()

    async def taken(interaction_id: int, posted: Posted, text: str) -> None:
        raise ClaimLost("another process has taken the question over, and answers it")

    answering.store.note_posted = taken  # type: ignore[method-assign]  # as PostgreSQL's store says it
    with capture_logs() as logs:
        await deliver(question, NOTHING_POSTED).answer(None)
    assert len(interaction.messages) <= 2
    assert [log["event"] for log in logs if log["log_level"] in {"warning", "error"}] == [
        "answer could not be shown"
    ]


async def test_a_thread_whose_question_another_process_has_taken_is_no_bug(scene: Scene) -> None:
    deliver, answering = scene.deliveries("because")
    _, question = await scene.asked(in_thread=True)

    async def taken(interaction_id: int, posted: Posted, text: str) -> None:
        raise ClaimLost("another process has taken the question over, and answers it")

    answering.store.note_posted = taken  # type: ignore[method-assign]  # as PostgreSQL's store says it
    await deliver(question, NOTHING_POSTED).answer(None)
    assert not any("went wrong" in message.content for message in scene.discord.channel_messages)


async def test_what_was_posted_is_edited_by_a_later_process_and_nothing_is_added(scene: Scene) -> None:
    _, question = await scene.asked(in_thread=True)
    for words in ("half", "the whole"):
        deliver, answering = scene.deliveries(words)
        await answering.store.accept(question)
        posted = NOTHING_POSTED
        if scene.discord.threads:
            posted = Posted(scene.discord.threads[0].id, scene.discord.channel_messages[0].id)
        await deliver(question, posted).answer(None)
    (message,) = scene.discord.channel_messages
    assert message.content.startswith("the whole")
    assert len(scene.discord.threads) == 1


async def test_where_no_thread_can_be_opened_the_answer_says_so_where_it_was_asked(scene: Scene) -> None:
    scene.discord.fail_next("/threads", 403)
    deliver, _ = scene.deliveries("because")
    interaction, question = await scene.asked(in_thread=True)
    await deliver(question, NOTHING_POSTED).answer(None)
    assert interaction.text.startswith("because")
    assert NO_THREAD in interaction.text


async def test_who_could_not_be_led_to_a_thread_is_once_the_answer_is_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the channel, the bot would be seen to think for ever."""
    monkeypatch.setattr(rest, "ATTEMPTS", 2)
    deliver, _ = scene.deliveries("because")
    interaction, question = await scene.asked(in_thread=True)
    scene.discord.fail_next("/@original", 503, times=2)
    await deliver(question, NOTHING_POSTED).answer(None)
    (thread,) = scene.discord.threads
    assert interaction.text == f"I'm answering in <#{thread.id}>."


async def test_where_nothing_may_lead_to_a_thread_the_bot_is_not_seen_to_think_for_ever(scene: Scene) -> None:
    deliver, _ = scene.deliveries("because")
    interaction, question = await scene.asked(in_thread=True)
    scene.discord.refused_texts = {"I'm answering in": (400, 50035)}
    await deliver(question, NOTHING_POSTED).answer(None)
    assert interaction.messages[0].deleted
    (message,) = scene.discord.channel_messages
    assert message.content.startswith("because")


async def test_a_thread_has_a_name_whatever_its_question_begins_with(scene: Scene) -> None:
    """Discord refuses one that shows nothing."""
    deliver, _ = scene.deliveries("because")
    _, question = await scene.asked(in_thread=True, text="\u3164" * 90 + "why?")
    await deliver(question, NOTHING_POSTED).answer(None)
    (thread,) = scene.discord.threads
    assert thread.name == "A question"


async def test_a_thread_whose_name_discord_refuses_gets_another_one(scene: Scene) -> None:
    """AutoMod looks at names, too; the question was allowed."""
    deliver, _ = scene.deliveries("because")
    scene.discord.blocked_words.add("forbidden")
    interaction, question = await scene.asked(in_thread=True, text="why is it forbidden?")
    await deliver(question, NOTHING_POSTED).answer(None)
    (thread,) = scene.discord.threads
    assert thread.name == "A question"
    assert NO_THREAD not in interaction.text


async def test_a_threads_name_has_no_more_than_discord_takes_and_tears_no_character(scene: Scene) -> None:
    """Emoji count twice."""
    deliver, _ = scene.deliveries("because")
    family = "👨\u200d👩\u200d👧\u200d👦"
    _, question = await scene.asked(in_thread=True, text=family * 20)
    await deliver(question, NOTHING_POSTED).answer(None)
    (thread,) = scene.discord.threads
    assert thread.name == family * 7


@pytest.mark.parametrize("late", [False, True])
async def test_a_stored_answer_that_is_too_long_is_one_file_in_the_channel_too(
    scene: Scene, late: bool
) -> None:
    """The limits are those of a live answer."""
    deliver, _ = scene.deliveries()
    interaction, question = await scene.asked()
    delivery = deliver(question, NOTHING_POSTED)
    if late:
        assert await delivery.say_late("Here is the answer:", LONG)
        said, *messages = scene.discord.channel_messages
        assert said.content == f"<@{question.person.id}> Here is the answer:"
    else:
        await delivery.show(LONG)
        messages = interaction.messages
    (message,) = (message for message in messages if not message.deleted)
    assert message.files["answer.md"].decode().strip() == LONG.strip()


async def test_a_guest_never_has_more_messages_than_discord_allows_there(scene: Scene) -> None:
    deliver, _ = scene.deliveries(max_messages=MOST_AS_GUEST + 2)
    for as_member, as_file in ((True, False), (False, True)):
        interaction, question = await scene.asked()
        question = replace(question, address=replace(question.address, as_member=as_member))
        await deliver(question, NOTHING_POSTED).show(LONG[: 1900 * MOST_AS_GUEST + 1000])
        assert ("answer.md" in interaction.messages[0].files) == as_file


async def test_what_only_the_person_may_read_does_not_go_to_the_channel(scene: Scene) -> None:
    deliver, _ = scene.deliveries()
    _, question = await scene.asked()
    private = replace(question, address=replace(question.address, private=True))
    assert not await deliver(private, NOTHING_POSTED).say_late("too late", "a secret")
    assert scene.discord.channel_messages == []


async def test_a_guests_late_word_does_not_go_to_a_channel_where_the_bot_is_no_member(scene: Scene) -> None:
    """Discord would refuse it each time; it is owed instead."""
    deliver, _ = scene.deliveries()
    _, question = await scene.asked()
    guests = replace(question, address=replace(question.address, as_member=False))
    assert not await deliver(guests, NOTHING_POSTED).say_late("too late")
    assert scene.discord.channel_messages == []


async def test_an_interaction_is_open_until_its_time_is_nearly_over(scene: Scene) -> None:
    deliver, _ = scene.deliveries()
    _, question = await scene.asked()
    assert await deliver(question, NOTHING_POSTED).is_open()
    for gone in (
        replace(question, address=replace(question.address, token="another")),
        replace(question, address=replace(question.address, acknowledged_at=scene.discord.now() - 14.5 * 60)),
    ):
        assert not await deliver(gone, NOTHING_POSTED).is_open()


async def test_an_apology_comes_in_the_answers_place_and_not_after_its_end(scene: Scene) -> None:
    deliver, _ = scene.deliveries("because")
    interaction, question = await scene.asked()
    await deliver(question, NOTHING_POSTED).apologise("It broke.")
    assert interaction.text == "-# It broke."
    interaction, question = await scene.asked()
    delivery = deliver(question, NOTHING_POSTED)
    await delivery.answer(None)
    await delivery.apologise("It broke.")
    assert interaction.text.startswith("because")
    assert "It broke." not in interaction.text


@pytest.mark.parametrize("in_thread", [False, True], ids=["mention", "thread"])
@pytest.mark.parametrize("begun", ["because", SearchQuery("llamas")], ids=["text", "status"])
async def test_an_apology_leaves_no_button_for_stopping_an_answer_wherever_that_is(
    scene: Scene, in_thread: bool, begun: Step
) -> None:
    """What takes no answer that replies to something is told without. Text stays, a status does not."""
    bug: Any = object()  # no event
    deliver, _ = scene.deliveries(begun, 0.5, bug)
    scene.discord.channels_without_replies.add(CHANNELS[0].id)
    interaction, question = await scene.asked(in_thread=in_thread)
    if not in_thread:
        address = replace(question.address, message_id=77, interaction_id=77)
        question = replace(question, address=address)
    delivery = deliver(question, NOTHING_POSTED)
    with pytest.raises(BaseExceptionGroup):
        await delivery.answer(None)
    first = scene.discord.channel_messages[0]
    assert "Stop" in str(first.components)
    await delivery.apologise("It broke.")
    assert first.components == []
    told = [message.content for message in (*scene.discord.channel_messages, *interaction.messages)]
    assert len([content for content in told if content.endswith("-# It broke.")]) == 1
    assert any(content.startswith("because") for content in told) == (begun == "because")


@pytest.mark.parametrize("private", [False, True])
async def test_who_can_be_told_nowhere_else_is_told_directly_and_does_not_see_the_bot_think_for_ever(
    scene: Scene, private: bool
) -> None:
    """Discord takes no message in that channel."""
    deliver, _ = scene.deliveries("because")
    interaction, question = await scene.asked(person=Person(person(1).id, "Ann"))
    question = replace(question, address=replace(question.address, private=private, as_member=False))
    scene.discord.refused_texts = {'"flags"': (400, 50035), "-#": (400, 50035)}
    await deliver(question, NOTHING_POSTED).answer(None)
    assert interaction.messages[0].deleted
    (told,) = scene.discord.channel_messages
    assert told.content == f"About your question in <#{CHANNELS[0].id}>: {REFUSED}"


async def test_what_an_interaction_does_not_take_says_in_the_channel_for_whom_it_is(scene: Scene) -> None:
    """The answer, and that there is none. Discord has never known the interaction."""
    deliver, _ = scene.deliveries("because")
    _, question = await scene.asked()
    gone = replace(question, address=replace(question.address, token="another"))
    await deliver(gone, NOTHING_POSTED).answer(None)
    await deliver(gone, NOTHING_POSTED).apologise("It broke.")
    answer, apology = (message.content for message in scene.discord.channel_messages)
    assert answer.startswith(f"-# For <@{question.person.id}>\nbecause")
    assert apology == f"-# For <@{question.person.id}>\n-# It broke."


async def test_where_a_thread_takes_nothing_any_more_it_is_said_above_it(scene: Scene) -> None:
    """It was locked while the answer was on its way."""
    _, question = await scene.asked()
    thread = scene.discord.add_thread(CHANNELS[0], "A thread")
    scene.discord.closed_channels.add(thread.id)
    address = replace(question.address, message_id=77, interaction_id=77, channel_id=thread.id)
    place = replace(question.place, channel_id=thread.id, parent_id=CHANNELS[0].id)
    deliver, _ = scene.deliveries("because")
    await deliver(replace(question, address=address, place=place), NOTHING_POSTED).answer(None)
    (told,) = scene.discord.channel_messages
    assert told.channel_id == CHANNELS[0].id
    assert told.content == f"<@{question.person.id}> {REFUSED}"


async def test_what_the_person_is_to_be_told_stands_below_the_answer(scene: Scene) -> None:
    deliver, _ = scene.deliveries("because")
    interaction, question = await scene.asked(note="You can't write here.")
    await deliver(question, NOTHING_POSTED).answer(None)
    assert interaction.text.startswith("because")
    assert "-# You can't write here." in interaction.text


async def test_for_who_may_not_attach_files_the_answer_comes_in_messages(scene: Scene) -> None:
    deliver, _ = scene.deliveries(LONG)
    interaction, question = await scene.asked(may_attach=False)
    await deliver(question, NOTHING_POSTED).answer(None)
    assert len(interaction.messages) > 2
    assert not any(message.files for message in interaction.messages)


async def test_a_channel_and_a_discord_in_trouble_count_as_open(scene: Scene) -> None:
    """The answer is tried there."""
    deliver, _ = scene.deliveries()
    _, question = await scene.asked()
    scene.discord.fail_next("/@original", 503)
    assert await deliver(question, NOTHING_POSTED).is_open()
    old = replace(question.address, message_id=7, acknowledged_at=0.0)
    assert await deliver(replace(question, address=old), NOTHING_POSTED).is_open()


async def test_what_is_added_to_an_answer_is_for_its_person_alone(scene: Scene) -> None:
    """In a channel everybody would read it."""
    deliver, _ = scene.deliveries("because")
    interaction, question = await scene.asked()
    delivery = deliver(question, NOTHING_POSTED)
    await delivery.answer(None)
    assert await delivery.follow_up("It was not stored.")
    assert [message.private for message in interaction.messages] == [False, True]
    for elsewhere in (
        replace(question.address, message_id=7),
        replace(question.address, token="another"),
    ):
        assert not await deliver(replace(question, address=elsewhere), NOTHING_POSTED).follow_up("No.")
    assert scene.discord.channel_messages == []


FORM = ("Do they spit? " * 280).strip()


def given_back(interaction: Interaction) -> list[str]:
    embeds = [(message, embed) for message in interaction.messages for embed in message.embeds]
    assert all(message.flags & EPHEMERAL for message, _ in embeds)
    return [embed["description"] for _, embed in embeds]


@pytest.mark.parametrize("step", [Overloaded(OPENAI, "503"), " "], ids=["refused", "empty"])
async def test_what_was_written_in_a_form_is_given_back_where_it_is_not_answered(
    scene: Scene, step: Step
) -> None:
    """To the person alone: Discord shows it nowhere else."""
    deliver, _ = scene.deliveries(step)
    interaction, question = await scene.asked(from_form=True, text=FORM)
    await deliver(question, NOTHING_POSTED).answer(None)
    assert "(error " in interaction.text
    assert given_back(interaction) == [FORM]


async def test_what_was_written_in_a_form_is_given_back_after_a_bug(scene: Scene) -> None:
    deliver, _ = scene.deliveries()
    interaction, question = await scene.asked(from_form=True, text=FORM)
    await deliver(question, NOTHING_POSTED).apologise("Something went wrong.")
    assert "Something went wrong." in interaction.text
    assert given_back(interaction) == [FORM]


async def test_a_form_is_not_given_back_where_everybody_would_read_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows while the bot is still seen to think takes that place, and is public."""
    monkeypatch.setattr(rest, "ATTEMPTS", 1)
    monkeypatch.setattr(rest, "LONGEST_TROUBLE", 0.0)
    deliver, _ = scene.deliveries(Overloaded(OPENAI, "503"))
    interaction, question = await scene.asked(from_form=True, text=FORM)
    scene.discord.fail_next("/messages/@original", 503)
    await deliver(question, NOTHING_POSTED).answer(None)
    assert [message.loading for message in interaction.messages] == [True]
    assert any("(error " in message.content for message in scene.discord.channel_messages)
    assert given_back(interaction) == []


@pytest.mark.parametrize("answer", [["because"], [Overloaded(OPENAI, "503")]], ids=["answered", "refused"])
async def test_a_form_is_not_given_back_where_another_process_answers(
    scene: Scene, answer: list[Step]
) -> None:
    deliver, answering = scene.deliveries(*answer)
    interaction, question = await scene.asked(from_form=True, text=FORM)
    question = replace(question, address=replace(question.address, private=True))

    async def taken(interaction_id: int, answer: FinishedAnswer) -> TurnId | None:
        raise ClaimLost("another process has taken the question over, and answers it")

    answering.store.answered = taken  # type: ignore[method-assign]  # as PostgreSQL's store says it
    await deliver(question, NOTHING_POSTED).answer(None)
    assert given_back(interaction) == []


async def test_nothing_of_a_form_is_given_back_below_its_answer(scene: Scene) -> None:
    deliver, _ = scene.deliveries("because", Overloaded(OPENAI, "503"))
    interaction, question = await scene.asked(from_form=True, text=FORM)
    await deliver(question, NOTHING_POSTED).answer(None)
    assert "because" in interaction.text
    assert given_back(interaction) == []


async def test_a_late_word_has_nowhere_to_go_where_the_channel_is_closed(scene: Scene) -> None:
    deliver, _ = scene.deliveries()
    _, question = await scene.asked()
    scene.discord.closed_channels.add(CHANNELS[0].id)
    assert not await deliver(question, NOTHING_POSTED).say_late("too late", "the answer")


async def test_what_a_channel_does_not_take_is_not_tried_there_with_each_answer(scene: Scene) -> None:
    """Nor with each sentence about one: ten thousand refused requests, and Discord bans the address."""
    scene.discord.closed_channels.add(CHANNELS[0].id)
    deliver, _ = scene.deliveries("because", "because", "because")
    for number in (7, 8, 9):
        _, question = await scene.asked()
        mention = replace(question, address=replace(question.address, message_id=number))
        await deliver(mention, NOTHING_POSTED).answer(None)
    refused = [each for each in scene.discord.counters.refused if "403 50001" in each]
    assert len(refused) == 3  # a reply, a message that is none, and the typing indicator


async def test_an_answer_can_be_stopped_while_its_files_are_read(scene: Scene) -> None:
    """By the button that an earlier process has left; here what has the file accepts, and says nothing."""
    [silent] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{silent.socket.getsockname()[1]}"
    deliver, answering = scene.deliveries()
    deliver.reader = AttachmentReader(scene.client, f"{url}/api", Live(Limits(1000, 1000, 1000)))
    interaction, question = await scene.asked(attachments=(Attachment("a.txt", f"{url}/a.txt", 5),))
    stop = partial(answering.answer_service.cancel, interaction.id, question.person.id)
    await answering.store.accept(question)
    async with silent, trio.open_nursery() as nursery:
        nursery.start_soon(deliver(question, NOTHING_POSTED).answer, None)
        await trio.sleep(0.2)
        assert stop(question.place.guild_id)
    assert interaction.text == f"-# {STOPPED}"
    assert not stop(question.place.guild_id)
    assert await answering.store.unfinished() == ()


async def test_a_question_whose_file_is_refused_is_over_wherever_that_can_be_said(scene: Scene) -> None:
    """A later process would tell its person that it had been restarted before it got to it."""
    deliver, answering = scene.deliveries()
    for closed in (False, True):
        _, question = await scene.asked(attachments=(Attachment("a.txt", "https://elsewhere.example", 5),))
        mention = replace(question, address=replace(question.address, message_id=7))
        await answering.store.accept(mention)
        if closed:
            scene.discord.closed_channels.add(CHANNELS[0].id)
        await deliver(mention, NOTHING_POSTED).answer(None)
        assert await answering.store.unfinished() == ()


async def test_where_no_channel_takes_anything_the_person_has_a_direct_message(scene: Scene) -> None:
    """With a link to where it was asked."""
    deliver, _ = scene.deliveries("because")
    asker = Person(person(1).id, "Ann")
    _, question = await scene.asked(person=asker)
    mention = replace(question, address=replace(question.address, message_id=7))
    scene.discord.closed_channels.add(CHANNELS[0].id)
    await deliver(mention, NOTHING_POSTED).answer(None)
    (told,) = scene.discord.channel_messages
    assert told.channel_id == direct_messages(person(1)).id
    assert told.content == f"About your question in <#{CHANNELS[0].id}>: {REFUSED}"


@pytest.mark.parametrize("for_good", [True, False])
async def test_a_direct_message_waits_for_its_turn_where_discord_takes_nothing_else_for_good(
    scene: Scene, for_good: bool, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    """The answer does not. In an outage it is tried again itself, so nobody is told that it failed."""
    monkeypatch.setattr(direct_messages_module, "PERIOD", 0.5)
    monkeypatch.setattr(failure_notice, "PAUSE", 0.01)
    deliver, _ = scene.deliveries()
    for number in range(2, ALL + 2):
        assert await deliver.direct_messages.say(person(number).id, "Another one.", may_wait=False)
    _, question = await scene.asked(person=Person(person(1).id, "Ann"))
    mention = replace(question, address=replace(question.address, message_id=7))
    if for_good:
        scene.discord.closed_channels.add(CHANNELS[0].id)
    else:
        scene.discord.fail_next("/channels/", 503, 100)
    await deliver(mention, NOTHING_POSTED).apologise("It broke.")
    scene.discord.clear_failures()
    assert len(scene.discord.channel_messages) == ALL
    nursery.start_soon(deliver.direct_messages.run)
    with trio.move_on_after(20 if for_good else 1):
        while len(scene.discord.channel_messages) == ALL:  # noqa: ASYNC110  # nobody tells of it
            await trio.sleep(0.02)
    assert len(scene.discord.channel_messages) == ALL + for_good
