"""What is taken and what is refused before the acknowledgement."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import pytest
import trio
from pydantic import SecretStr

from discordianai.conversations.keys import ConversationKey
from discordianai.conversations.pending import Said, TurnId
from discordianai.discord import intake
from discordianai.discord import router as gate
from discordianai.discord.access import NOT_YOURS
from discordianai.discord.admissions import Admissions
from discordianai.discord.atlas import Atlas
from discordianai.discord.buttons import Action, Button, about_turn
from discordianai.discord.commands import message_menu as menus
from discordianai.discord.commands.command import Errand
from discordianai.discord.intake import Intake
from discordianai.discord.interaction import MenuUse, Submission, Typing
from discordianai.discord.message import Message
from discordianai.discord.outcomes import Form, Recall, Refusal, Request, Suggestions, Withdrawal
from discordianai.discord.router import Gate
from discordianai.model import Person, Question
from discordianai.settings import DiscordSettings, RateLimitSettings, ServerRateSettings, UserRateSettings
from discordianai.settings_providers import OpenAISettings, ProvidersSettings
from tests.discord.builders import ANN, command, origin, press, settings


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def make_gate(
    capacity: int = 100,
    clock: Clock | None = None,
    *,
    each: int = 100,
    limits: RateLimitSettings | None = None,
    perplexity: bool = False,
    searching: bool | None = None,
    discord: DiscordSettings | None = None,
    atlas: Atlas | None = None,
) -> tuple[Gate, Admissions]:
    admissions = Admissions(capacity, each, trio.lowlevel.current_trio_token())
    made = settings(discord, limits, perplexity=perplexity, searching=searching)
    taking = Intake(made, admissions, count(1), clock or Clock())
    return Gate(made, taking, atlas or Atlas()), admissions


async def test_a_question_is_taken_as_it_was_typed_and_counted_as_open() -> None:
    door, admissions = await make_gate()
    question = door.decide(command({"prompt": "  why? @everyone  ", "private": True}))
    assert isinstance(question, Question)
    assert question.text == "why? @everyone"
    assert question.address.private
    assert admissions.open == 1


@pytest.mark.parametrize("prompt", ["", "   \n\t", "\u200b\u200d\u2060", "\u202e\u200f", "\u3000"])
async def test_a_question_that_shows_nothing_is_refused(prompt: str) -> None:
    door, admissions = await make_gate(perplexity=True)
    for name, option in (("ask", "prompt"), ("search", "query")):
        assert door.decide(command({option: prompt}, name)) == Refusal(intake.EMPTY)
    assert admissions.open == 0


async def test_what_discord_lets_through_is_taken_and_more_is_refused() -> None:
    door, _ = await make_gate()
    assert isinstance(door.decide(command({"prompt": "x" * 6000})), Question)
    assert door.decide(command({"prompt": "x" * 6001})) == Refusal(intake.TOO_LONG)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, None), ({"provider": "auto"}, None), ({"provider": "openai"}, "openai")],
)
async def test_the_provider_is_the_one_asked_for(options: Mapping[str, str], expected: str | None) -> None:
    door, _ = await make_gate()
    question = door.decide(command({"prompt": "why?", **options}))
    assert isinstance(question, Question)
    assert question.provider == expected


async def test_a_provider_that_is_not_set_up_is_refused() -> None:
    door, _ = await make_gate()
    refused = door.decide(command({"prompt": "why?", "provider": "perplexity"}))
    assert isinstance(refused, Refusal)
    assert "not set up" in refused.reason


async def test_who_asks_too_often_reads_how_long_to_wait_and_others_go_on() -> None:
    clock = Clock()
    door, admissions = await make_gate(clock=clock)
    for _ in range(10):
        assert isinstance(door.decide(command()), Question)
    clock.now = 18.5
    assert door.decide(command()) == Refusal("That's a lot of questions. Please wait 42 seconds.")
    assert isinstance(door.decide(command(person=Person(11, "Bob"))), Question)
    clock.now = 60.0
    assert isinstance(door.decide(command()), Question)
    assert admissions.open == 12


async def test_a_whole_server_has_a_limit_too_and_other_places_go_on() -> None:
    clock = Clock()
    limits = RateLimitSettings(server=ServerRateSettings(questions=2))
    door, admissions = await make_gate(clock=clock, limits=limits)
    for number in range(2):
        assert isinstance(door.decide(command(person=Person(number, "x"))), Question)
    clock.now = 20.0
    refused = door.decide(command(person=Person(3, "x")))
    assert refused == Refusal("This server asks a lot of questions. Please wait 40 seconds.")
    assert isinstance(door.decide(command(person=Person(3, "x"), guild_id=6)), Question)
    assert isinstance(door.decide(command(person=Person(3, "x"), guild_id=None)), Question)
    assert admissions.open == 4


async def test_who_has_a_full_line_of_their_own_is_told_and_it_counts_as_no_question() -> None:
    limits = RateLimitSettings(user=UserRateSettings(questions=6))
    door, admissions = await make_gate(each=5, limits=limits)
    for _ in range(5):
        assert isinstance(door.decide(command()), Question)
    for _ in range(10):
        assert door.decide(command()) == Refusal(intake.OWN_LINE_FULL.format(most=5))
    assert isinstance(door.decide(command(person=Person(11, "Bob"))), Question)
    admissions.release(ANN.id)
    assert isinstance(door.decide(command()), Question)


async def test_a_search_is_taken_where_anybody_searches() -> None:
    """Who that is, the routing decides."""
    door, _ = await make_gate(perplexity=True)
    question = door.decide(command({"query": "llamas", "private": True}, "search"))
    assert isinstance(question, Question)
    assert (question.text, question.provider, question.search) == ("llamas", None, True)
    assert question.address.private
    door, _ = await make_gate(searching=False)
    assert door.decide(command({"query": "llamas"}, "search")) == Refusal(gate.UNKNOWN)


async def test_a_search_is_refused_in_words_where_nobody_searches() -> None:
    """The button stands below answers of a time when somebody did."""
    door, _ = await make_gate(searching=False)
    recall = door.decide(press(SEARCH))
    assert isinstance(recall, Recall)
    assert door.repeat(recall, SAID) == Refusal(intake.NO_SEARCH)


BOB = Person(11, "Bob")
STOP, GO_ON = Button(Action.STOP, ANN.id, "77").custom_id, Button(Action.GO_ON, ANN.id).custom_id


async def test_stop_withdraws_the_question_it_stands_under() -> None:
    door, admissions = await make_gate()
    stopped = door.decide(press(STOP))
    assert isinstance(stopped, Withdrawal)
    assert stopped.interaction_id == 77
    assert admissions.open == 0


async def test_going_on_is_a_question_of_who_asked_and_as_private_as_the_answer() -> None:
    door, admissions = await make_gate(each=1)
    question = door.decide(press(GO_ON, person=BOB, permissions=1 << 13, private=True))
    assert isinstance(question, Question)
    assert question.person == ANN
    assert question.address.private
    assert door.decide(press(GO_ON)) == Refusal(intake.OWN_LINE_FULL.format(most=5))
    admissions.release(ANN.id)


@pytest.mark.parametrize("custom_id", [STOP, GO_ON])
async def test_a_stranger_presses_in_vain(custom_id: str) -> None:
    door, admissions = await make_gate()
    assert door.decide(press(custom_id, person=BOB)) == Refusal(NOT_YOURS)
    assert admissions.open == 0


OLD_BUTTONS = (
    *("", "stop", "stop:10", "stop:x:1", "stop:10:x", "stop:10:", "stop:²:1"),
    *("dance:10:2", "again:10:7"),
)


@pytest.mark.parametrize("custom_id", OLD_BUTTONS)
async def test_a_button_of_another_version_says_so(custom_id: str) -> None:
    door, _ = await make_gate()
    assert door.decide(press(custom_id)) == Refusal(gate.OLD_BUTTON)


async def test_a_blocked_person_uses_up_nothing() -> None:
    door, admissions = await make_gate(discord=DiscordSettings(blocked_user_ids=(10,)))
    assert isinstance(door.decide(command()), Refusal)
    assert admissions.open == 0


async def test_when_too_many_are_open_or_the_bot_stops_new_ones_are_told_which() -> None:
    door, admissions = await make_gate(capacity=1)
    assert isinstance(door.decide(command()), Question)
    assert door.decide(command()) == Refusal(intake.BUSY)
    admissions.close()
    assert door.decide(command()) == Refusal(intake.STOPPING)


async def test_a_command_of_an_older_version_is_refused_in_words() -> None:
    door, _ = await make_gate()
    assert door.decide(command(name="gone")) == Refusal(gate.UNKNOWN)


TURN = TurnId(4_294_967_296, 1_700_000_000)
AGAIN = about_turn(Action.AGAIN, ANN.id, TURN).custom_id
SEARCH = about_turn(Action.SEARCH, ANN.id, TURN).custom_id
SAID = Said("why?", ANN.id, 5, ConversationKey(1, ANN.id))


async def test_asking_again_first_wants_to_know_what_was_asked() -> None:
    door, admissions = await make_gate(perplexity=True)
    for custom_id, search in ((AGAIN, False), (SEARCH, True)):
        recall = door.decide(press(custom_id, person=BOB, permissions=1 << 13))
        assert isinstance(recall, Recall)
        assert (recall.turn, recall.person_id) == (TURN, ANN.id)
        assert admissions.open == 0
        question = door.repeat(recall, SAID)
        assert isinstance(question, Question)
        assert (question.text, question.person, question.search) == ("why?", ANN, search)
        assert question.provider is None
        admissions.release(ANN.id)


@pytest.mark.parametrize(
    "said",
    [
        None,
        replace(SAID, person_id=BOB.id),
        replace(SAID, guild_id=6),
        replace(SAID, guild_id=None),
        replace(SAID, key=ConversationKey(2, ANN.id)),
        replace(SAID, key=ConversationKey(1, ANN.id, private=True)),
    ],
)
async def test_what_is_forgotten_or_was_said_elsewhere_is_not_asked_again(said: Said | None) -> None:
    door, admissions = await make_gate()
    recall = door.decide(press(AGAIN))
    assert isinstance(recall, Recall)
    assert door.repeat(recall, said) == Refusal(gate.TOO_OLD)
    assert admissions.open == 0


async def test_of_a_shared_conversation_the_name_is_not_asked_along() -> None:
    door, _ = await make_gate()
    recall = door.decide(press(AGAIN))
    assert isinstance(recall, Recall)
    question = door.repeat(recall, replace(SAID, text="Ann: why?", key=ConversationKey(1, 0)))
    assert isinstance(question, Question)
    assert question.text == "why?"


async def test_errands_are_for_the_person_alone_and_have_a_limit_of_their_own() -> None:
    door, admissions = await make_gate()
    for name, errand in (("history", Errand.HISTORY), ("forget", Errand.FORGET), ("help", Errand.HELP)):
        request = door.decide(command({}, name))
        assert isinstance(request, Request)
        assert (request.errand, request.address.private, request.admin) == (errand, True, False)
    decisions = [door.decide(command({}, "help")) for _ in range(20)]
    assert isinstance(decisions[-1], Refusal)
    assert isinstance(door.decide(command({}, "help", person=BOB)), Request)
    assert isinstance(door.decide(command()), Question)
    assert admissions.open == 1


async def test_how_the_bot_is_only_admins_may_see() -> None:
    door, _ = await make_gate(discord=DiscordSettings(admin_user_ids=(BOB.id,)))
    assert door.decide(command({}, "status")) == Refusal(gate.ADMINS_ONLY)
    request = door.decide(command({}, "status", person=BOB))
    assert isinstance(request, Request)
    assert request.admin


async def test_the_menu_of_a_message_asks_about_it_in_private() -> None:
    door, _ = await make_gate()
    question = door.decide(MenuUse(origin(locale="de"), "Translate", "hello\nworld"))
    assert isinstance(question, Question)
    assert "German" in question.text
    assert question.text.endswith("> hello\n> world")
    assert question.address.private
    assert door.decide(MenuUse(origin(), "Summarize", " ")) == Refusal(gate.NOTHING_SAID)


@pytest.mark.parametrize("name", ["Summarize", "Explain", "Translate"])
@pytest.mark.parametrize("locale", [*menus.LANGUAGES, "tlh"])
def test_every_menu_has_a_task_in_every_language_of_discord(name: str, locale: str) -> None:
    assert menus.task(name, locale)


async def test_asking_about_a_message_takes_a_form_which_is_good_for_once() -> None:
    door, _ = await make_gate()
    form = door.decide(MenuUse(origin(), "Ask about this", "hello"))
    assert isinstance(form, Form)
    question = door.decide(Submission(origin(), form.custom_id, "who says that?"))
    assert isinstance(question, Question)
    assert question.text == "who says that?\n\n> hello"
    assert door.decide(Submission(origin(), form.custom_id, "again?")) == Refusal(gate.OLD_FORM)


async def test_models_are_suggested_while_one_types() -> None:
    models = OpenAISettings(api_key=SecretStr("key"), more_models=("gpt-5", "o9"))
    made = settings().model_copy(update={"providers": ProvidersSettings(openai=models)})
    door = Gate(made, Intake(made, (await make_gate())[1], count(1)), Atlas())
    assert door.decide(Typing(origin(), "ask", "model", "5")) == Suggestions(("gpt-5",))
    assert door.decide(Typing(origin(), "ask", "other", "5")) == Suggestions(())
    question = door.decide(command({"prompt": "why?", "model": "o9"}))
    assert isinstance(question, Question)
    assert (question.model, question.provider) == ("o9", "openai")
    assert isinstance(door.decide(command({"prompt": "why?", "model": "gpt-99"})), Refusal)


BOT = 99


def message(text: str = "why?", **more: object) -> Message:
    made: Message = replace(Message(origin(), text), **more)  # type: ignore[arg-type]  # by name
    return made


async def test_messages_for_the_bot_are_questions_and_others_are_none() -> None:
    atlas = Atlas()
    thread = {"id": "30", "type": 11, "parent_id": "1", "owner_id": str(BOT)}
    atlas.hear("GUILD_CREATE", {"id": "5", "channels": [{"id": "1"}], "threads": [thread]})
    door, _ = await make_gate(atlas=atlas)
    for said in (
        message(mentions_bot=True),
        message(replies_to_bot=True),
        message(origin=origin(guild_id=None)),
        message(origin=origin(channel_id=30)),
    ):
        question = door.hear(said, BOT)
        assert isinstance(question, Question)
        assert question.address.message_id == 100
    assert isinstance(question, Question)
    assert question.place.parent_id == 1
    for said in (message(), message(mentions_bot=True, author_is_bot=True), message("", mentions_bot=True)):
        assert door.hear(said, BOT) is None


async def test_who_may_not_ask_is_not_answered_in_the_channel_and_who_asks_too_much_is() -> None:
    limits = RateLimitSettings(user=UserRateSettings(questions=1))
    door, _ = await make_gate(limits=limits, discord=DiscordSettings(blocked_user_ids=(BOB.id,)))
    assert door.hear(message(mentions_bot=True, origin=origin(person=BOB)), BOT) is None
    assert isinstance(door.hear(message(mentions_bot=True), BOT), Question)
    refused = door.hear(message(mentions_bot=True), BOT)
    assert isinstance(refused, Refusal)
