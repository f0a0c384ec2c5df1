"""What is taken and what is refused before the acknowledgement."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import pytest
import trio

from discordianai.answering.open_questions import OpenQuestions
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.pending_questions import StoredQuestion, TurnId
from discordianai.conversations.speakers import marked
from discordianai.discord.commands import forget, history
from discordianai.discord.commands.command import (
    Command,
    CommandReply,
    HandledCommand,
    Invocation,
    MessageCommand,
    QuestionCommand,
    QuestionDraft,
)
from discordianai.discord.commands.declaration import Offer
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.interaction import (
    AutocompleteInteraction,
    ComponentInteraction,
    EventOrigin,
    Interaction,
    Lineage,
    MessageCommandInteraction,
    ModalInteraction,
    parse,
)
from discordianai.discord.events.message_content import MessageContent
from discordianai.discord.events.message_event import IncomingMessage
from discordianai.discord.interactions import admission
from discordianai.discord.interactions import router as routing
from discordianai.discord.interactions.access import (
    BLOCKED,
    NOT_YOURS,
    NOT_YOURS_TO_STOP,
    UNKNOWN_PLACE,
    WRONG_PLACE,
)
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.outcomes import (
    AskQuestion,
    CancelAnswer,
    InteractionOutcome,
    OpenModal,
    Refuse,
    Regenerate,
    RunCommand,
    SuggestChoices,
)
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.buttons import Action, Button, about_turn
from discordianai.discord.options import BotOptions
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.option import Live
from discordianai.records import Attachment, Person, Question, WebSearch
from tests.discord.builders import ANN, command, origin, press
from tests.discord.commands.builders import OFFER
from tests.known_providers import OPENAI

NO_SEARCHER = Offer({replace(OPENAI, web_search=WebSearch.NEVER): ("gpt-6-luna",)})
ONE = Offer({OPENAI: ("gpt-6-luna",)})


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Way:
    """What a router and an admission make of an event, one after the other."""

    def __init__(self, router: InteractionRouter, taking: Admission) -> None:
        self._router = router
        self._taking = taking

    def route(self, interaction: Interaction) -> Question | InteractionOutcome:
        return self._admitted(interaction.origin, self._router.route(interaction))

    def route_message(self, said: IncomingMessage, bot_id: int) -> Question | InteractionOutcome | None:
        outcome = self._router.route_message(said, bot_id)
        return outcome and self._admitted(said.origin, outcome)

    def regenerate(self, wanted: Regenerate, said: StoredQuestion | None) -> Question | InteractionOutcome:
        return self._admitted(wanted.press.origin, self._router.regenerate(wanted, said))

    def _admitted(self, where: EventOrigin, outcome: InteractionOutcome) -> Question | InteractionOutcome:
        if isinstance(outcome, AskQuestion):
            return self._taking.admit(outcome.origin, outcome.draft)
        if isinstance(outcome, RunCommand):
            return self._taking.activity.count_command(where) or outcome
        return outcome


async def make_router(
    capacity: int = 100,
    clock: Clock | None = None,
    *,
    each: int = 100,
    user: UserRateOptions | None = None,
    server: ServerRateOptions | None = None,
    offer: Offer = ONE,
    options: BotOptions | None = None,
    guild_cache: GuildCache | None = None,
    commands: Sequence[Command] = COMMANDS,
) -> tuple[Way, OpenQuestions]:
    rate = Live(user or UserRateOptions(in_flight=each, waiting=0))
    open_questions = OpenQuestions(capacity, rate, trio.lowlevel.current_trio_token())
    limits = Live(server or ServerRateOptions())
    taking = Admission(offer, rate, limits, open_questions, count(1), clock or Clock())
    offered = OfferedCommands(commands, offer)
    known = GuildCache() if guild_cache is None else guild_cache  # an empty one is false
    router = InteractionRouter(Live(options or BotOptions()), offered, known)
    return Way(router, taking), open_questions


async def test_a_question_is_taken_as_it_was_typed_and_counted_as_open() -> None:
    router, open_questions = await make_router()
    question = router.route(command({"prompt": "  why? @everyone  ", "private": True}))
    assert isinstance(question, Question)
    assert question.text == "why? @everyone"
    assert question.address.private
    assert open_questions.open == 1


@pytest.mark.parametrize(
    "prompt", ["", "   \n\t", "\u200b\u200d\u2060", "\u202e\u200f", "\u3000", "\u3164\u2800"]
)
async def test_a_question_that_shows_nothing_is_refused(prompt: str) -> None:
    router, open_questions = await make_router(offer=OFFER)
    for name, option in (("ask", "prompt"), ("search", "query")):
        assert router.route(command({option: prompt}, name)) == Refuse(admission.EMPTY)
    assert open_questions.open == 0


async def test_what_discord_lets_through_is_taken_and_more_is_refused() -> None:
    router, _ = await make_router()
    assert isinstance(router.route(command({"prompt": "x" * 6000})), Question)
    assert router.route(command({"prompt": "x" * 6001})) == Refuse(admission.TOO_LONG)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, None), ({"provider": "auto"}, None), ({"provider": "openai"}, "openai")],
)
async def test_the_provider_is_the_one_asked_for(options: Mapping[str, str], expected: str | None) -> None:
    router, _ = await make_router()
    question = router.route(command({"prompt": "why?", **options}))
    assert isinstance(question, Question)
    assert question.provider == expected


async def test_a_provider_that_is_not_set_up_is_refused() -> None:
    router, _ = await make_router()
    refused = router.route(command({"prompt": "why?", "provider": "perplexity"}))
    assert isinstance(refused, Refuse)
    assert "isn't set up" in refused.reason


async def test_who_asks_too_often_reads_how_long_to_wait_and_others_go_on() -> None:
    clock = Clock()
    router, open_questions = await make_router(clock=clock)
    for _ in range(10):
        assert isinstance(router.route(command()), Question)
    clock.now = 18.5
    assert router.route(command()) == Refuse("That's a lot of questions. Please wait 42 seconds.")
    assert isinstance(router.route(command(person=Person(11, "Bob"))), Question)
    clock.now = 60.0
    assert isinstance(router.route(command()), Question)
    assert open_questions.open == 12


async def test_a_whole_server_has_a_limit_too_and_other_places_go_on() -> None:
    clock = Clock()
    server = ServerRateOptions(questions=2)
    router, open_questions = await make_router(clock=clock, server=server)
    for number in range(2):
        assert isinstance(router.route(command(person=Person(number, "x"))), Question)
    clock.now = 20.0
    refused = router.route(command(person=Person(3, "x")))
    assert refused == Refuse("This server is asking a lot of questions. Please wait 40 seconds.")
    assert isinstance(router.route(command(person=Person(3, "x"), guild_id=6)), Question)
    assert isinstance(router.route(command(person=Person(3, "x"), guild_id=None)), Question)
    assert open_questions.open == 4


async def test_who_has_a_full_line_of_their_own_is_told_and_it_counts_as_no_question() -> None:
    user = UserRateOptions(questions=6, in_flight=5, waiting=0)
    router, open_questions = await make_router(user=user)
    for _ in range(5):
        assert isinstance(router.route(command()), Question)
    for _ in range(10):
        assert router.route(command()) == Refuse(admission.PERSON_FULL.format(most=5))
    assert isinstance(router.route(command(person=Person(11, "Bob"))), Question)
    open_questions.release(ANN.id)
    assert isinstance(router.route(command()), Question)


async def test_a_search_is_taken_where_anybody_searches() -> None:
    """Who that is, the routing decides."""
    router, _ = await make_router(offer=OFFER)
    question = router.route(command({"query": "llamas", "private": True}, "search"))
    assert isinstance(question, Question)
    assert (question.text, question.provider, question.search) == ("llamas", None, True)
    assert question.address.private
    router, _ = await make_router(offer=NO_SEARCHER)
    assert router.route(command({"query": "llamas"}, "search")) == Refuse(routing.UNKNOWN)


async def test_a_search_is_refused_in_words_where_nobody_searches() -> None:
    """The button stands below answers of a time when somebody did."""
    router, _ = await make_router(offer=NO_SEARCHER)
    wanted = router.route(press(SEARCH))
    assert isinstance(wanted, Regenerate)
    assert router.regenerate(wanted, SAID) == Refuse(admission.NO_SEARCH)


BOB, ADMIN = Person(11, "Bob"), Person(12, "Admin")
HELLO = MessageContent("hello")
STOP, GO_ON = Button(Action.STOP, ANN.id, "77").custom_id, Button(Action.GO_ON, ANN.id).custom_id


async def test_stop_cancels_the_answer_that_it_stands_under() -> None:
    router, open_questions = await make_router()
    stopped = router.route(press(STOP))
    assert isinstance(stopped, CancelAnswer)
    assert stopped.interaction_id == 77
    assert open_questions.open == 0


async def test_going_on_is_a_question_as_private_as_the_answer() -> None:
    router, open_questions = await make_router(each=1)
    question = router.route(press(GO_ON, private=True))
    assert isinstance(question, Question)
    assert question.person == ANN
    assert question.address.private
    assert router.route(press(GO_ON)) == Refuse(admission.PERSON_FULL.format(most=1))
    open_questions.release(ANN.id)


@pytest.mark.parametrize(("custom_id", "why"), [(STOP, NOT_YOURS_TO_STOP), (GO_ON, NOT_YOURS)])
async def test_a_stranger_presses_in_vain(custom_id: str, why: str) -> None:
    router, open_questions = await make_router()
    assert router.route(press(custom_id, person=BOB)) == Refuse(why)
    assert open_questions.open == 0


@pytest.mark.parametrize("person", [BOB, ADMIN])
async def test_nobody_asks_on_in_the_name_of_somebody_else(person: Person) -> None:
    """Neither moderators nor admins: it would show what the asker said in other servers, at their cost."""
    options = BotOptions(admin_user_ids=(ADMIN.id,))
    router, open_questions = await make_router(options=options, offer=OFFER)
    for custom_id in (GO_ON, AGAIN, SEARCH):
        pressed = press(custom_id, person=person, permissions=1 << 13)
        assert router.route(pressed) == Refuse(NOT_YOURS)
    assert isinstance(router.route(press(STOP, person=person, permissions=1 << 13)), CancelAnswer)
    assert open_questions.open == 0


OLD_BUTTONS = (
    *("", "stop", "stop:10", "stop:x:1", "stop:10:x", "stop:10:", "stop:²:1"),
    *("dance:10:2", "again:10:7"),
)


@pytest.mark.parametrize("custom_id", OLD_BUTTONS)
async def test_a_button_of_another_version_says_so(custom_id: str) -> None:
    router, _ = await make_router()
    assert router.route(press(custom_id)) == Refuse(routing.OLD_BUTTON)


OWN_DATA = ("forget", "export", "reset")
SHUT_OUT = (
    BotOptions(blocked_user_ids=(ANN.id,)),
    BotOptions(guild_ids=(6,)),
    BotOptions(blocked_guild_ids=(5,), direct_messages=False, guests=False),
    BotOptions(allowed_channel_ids=(2,), allowed_role_ids=(3,)),
)


@pytest.mark.parametrize("options", SHUT_OUT)
@pytest.mark.parametrize("guild_id", [5, None])
@pytest.mark.parametrize("as_member", [True, False])
async def test_people_get_at_their_own_data_whoever_and_wherever_they_are(
    options: BotOptions, guild_id: int | None, as_member: bool
) -> None:
    """By the commands that say so, and the buttons below them; nothing else, and not without end."""
    router, _ = await make_router(options=options)
    where = replace(origin(guild_id=guild_id), as_member=as_member)
    for name in OWN_DATA:
        assert isinstance(router.route(replace(command({}, name), origin=where)), RunCommand)
    for action in (forget.DELETE, forget.KEEP):
        pressed = replace(press(Button(action, ANN.id).custom_id), origin=where)
        assert isinstance(router.route(pressed), RunCommand)
    for other in ("ask", "history", "usage", "persona", "help"):
        used = command(None if other == "ask" else {}, other)
        assert isinstance(router.route(replace(used, origin=where)), Refuse)
    outcomes = [router.route(replace(command({}, "export"), origin=where)) for _ in range(20)]
    assert isinstance(outcomes[-1], Refuse)


async def test_the_commands_for_ones_own_data_are_these() -> None:
    """A new one that gives or deletes what is stored about a person belongs to them."""
    assert {found.name for found in COMMANDS if found.own_data} == set(OWN_DATA)


async def test_whoever_is_blocked_gets_the_same_answer_to_each_way_of_asking() -> None:
    """Suggestions tell nothing, and a form that was opened before is no way round."""
    live = Live(BotOptions())
    offered = OfferedCommands(COMMANDS, Offer({OPENAI: ("gpt-6-luna", "gpt-5")}))
    router = InteractionRouter(live, offered, GuildCache())
    opened = router.route(MessageCommandInteraction(origin(), "Ask about this", HELLO))
    assert isinstance(opened, OpenModal)
    suggestions = AutocompleteInteraction(origin(), "ask", "model", "5")
    assert router.route(suggestions) == SuggestChoices(("gpt-5",))
    live.reconfigure(BotOptions(blocked_user_ids=(ANN.id,)))
    uses: tuple[Interaction, ...] = (
        command(),
        command({}, "history"),
        MessageCommandInteraction(origin(), "Summarize", HELLO),
        MessageCommandInteraction(origin(), "Ask about this", HELLO),
        submitted(opened.custom_id, "who says that?"),
        *(press(custom_id) for custom_id in (STOP, GO_ON, AGAIN, SEARCH)),
    )
    for done in uses:
        assert router.route(done) == Refuse(BLOCKED)
    assert router.route(suggestions) == SuggestChoices(())
    assert router.route_message(message(mentions_bot=True), BOT) == Refuse(BLOCKED, silent=True)
    assert router.route_message(message(origin=origin(guild_id=None)), BOT) == Refuse(BLOCKED)


async def test_a_channel_that_is_not_known_yet_goes_by_what_its_event_says() -> None:
    """Its server has not been told of, or is away."""
    router, _ = await make_router(options=BotOptions(blocked_channel_ids=(50,)))
    above = {50: Refuse(WRONG_PLACE), 51: None}
    for category, expected in above.items():
        where = replace(origin(), above=Lineage((category,), complete=True))
        outcome = router.route(replace(command(), origin=where))
        assert outcome == expected if expected else isinstance(outcome, Question)
    assert router.route(command()) == Refuse(UNKNOWN_PLACE)


async def test_a_blocked_person_uses_up_nothing() -> None:
    router, open_questions = await make_router(options=BotOptions(blocked_user_ids=(10,)))
    assert isinstance(router.route(command()), Refuse)
    assert open_questions.open == 0


async def test_when_too_many_are_open_or_the_bot_stops_new_ones_are_told_which() -> None:
    router, open_questions = await make_router(capacity=1)
    assert isinstance(router.route(command()), Question)
    assert router.route(command()) == Refuse(admission.BUSY)
    open_questions.close()
    assert router.route(command()) == Refuse(admission.STOPPING)


async def test_a_command_of_an_older_version_is_refused_in_words() -> None:
    router, _ = await make_router()
    assert router.route(command(name="gone")) == Refuse(routing.UNKNOWN)


TURN = TurnId("4294967296.1700000000")
AGAIN = about_turn(Action.AGAIN, ANN.id, TURN).custom_id
SEARCH = about_turn(Action.SEARCH, ANN.id, TURN).custom_id
SAID = StoredQuestion("why?", ANN.id, 5, ConversationKey(1, ANN.id))


async def test_asking_again_first_wants_to_know_what_was_asked() -> None:
    router, open_questions = await make_router(offer=OFFER)
    for custom_id, search in ((AGAIN, False), (SEARCH, True)):
        wanted = router.route(press(custom_id))
        assert isinstance(wanted, Regenerate)
        assert wanted.turn == TURN
        assert open_questions.open == 0
        question = router.regenerate(wanted, SAID)
        assert isinstance(question, Question)
        assert (question.text, question.person, question.search) == ("why?", ANN, search)
        assert question.provider is None
        open_questions.release(ANN.id)


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
async def test_what_is_forgotten_or_said_elsewhere_is_not_asked_again(said: StoredQuestion | None) -> None:
    router, open_questions = await make_router()
    wanted = router.route(press(AGAIN))
    assert isinstance(wanted, Regenerate)
    assert router.regenerate(wanted, said) == Refuse(routing.TOO_OLD)
    assert open_questions.open == 0


async def test_of_a_shared_conversation_the_name_is_not_asked_along() -> None:
    router, _ = await make_router()
    wanted = router.route(press(AGAIN))
    assert isinstance(wanted, Regenerate)
    question = router.regenerate(wanted, replace(SAID, text=marked("Ann", "why?"), key=ConversationKey(1, 0)))
    assert isinstance(question, Question)
    assert question.text == "why?"


async def test_handled_commands_are_for_the_person_alone_and_have_a_limit_of_their_own() -> None:
    router, open_questions = await make_router()
    for name in ("history", "forget", "help"):
        run = router.route(command({}, name))
        assert isinstance(run, RunCommand)
        assert (run.name, run.address.private, run.invocation.admin) == (name, True, False)
    decisions = [router.route(command({}, "help")) for _ in range(20)]
    assert isinstance(decisions[-1], Refuse)
    assert isinstance(router.route(command({}, "help", person=BOB)), RunCommand)
    assert isinstance(router.route(command()), Question)
    assert open_questions.open == 1


async def test_how_the_bot_is_only_admins_may_see() -> None:
    router, _ = await make_router(options=BotOptions(admin_user_ids=(BOB.id,)))
    assert router.route(command({}, "status")) == Refuse(routing.ADMINS_ONLY)
    run = router.route(command({}, "status", person=BOB))
    assert isinstance(run, RunCommand)
    assert run.invocation.admin


async def nothing(_invocation: Invocation, _services: object) -> CommandReply:
    return CommandReply("")


SECRET = HandledCommand(name="secret", admins_only=True, handle=nothing, components={"more": nothing})
SECRET_QUESTION = QuestionCommand(name="question", admins_only=True, draft=lambda _: QuestionDraft("why?"))
SECRET_MENU = MessageCommand(name="Menu", admins_only=True, draft=lambda _: QuestionDraft("why?"))


async def test_a_command_for_admins_is_for_them_whatever_its_kind() -> None:
    """Its buttons are, too."""
    rules = BotOptions(admin_user_ids=(BOB.id,))
    router, _ = await make_router(options=rules, commands=(SECRET, SECRET_QUESTION, SECRET_MENU))
    for done in (
        command({}, "secret"),
        command({}, "question"),
        MessageCommandInteraction(origin(), "Menu", HELLO),
        press(Button("more", ANN.id).custom_id),
    ):
        assert router.route(done) == Refuse(routing.ADMINS_ONLY)
        theirs: Interaction = replace(done, origin=origin(person=BOB))
        if isinstance(theirs, ComponentInteraction):
            theirs = replace(theirs, custom_id=Button("more", BOB.id).custom_id)
        assert isinstance(router.route(theirs), RunCommand | Question)


async def test_the_button_of_a_command_replaces_its_reply_and_counts_as_a_command() -> None:
    """Whoever asked presses it, and nobody else."""
    router, _ = await make_router()
    older = Button(history.PAGE, ANN.id, "1").custom_id
    assert router.route(press(older, person=BOB)) == Refuse(NOT_YOURS)
    run = router.route(press(older))
    assert isinstance(run, RunCommand)
    assert (run.name, run.in_place, run.address.private) == ("history", True, True)
    assert run.invocation.button == Button(history.PAGE, ANN.id, "1")
    outcomes = [router.route(press(older)) for _ in range(20)]
    assert isinstance(outcomes[-2], RunCommand)
    assert outcomes[-1] == Refuse("That's a lot at once. Please wait 60 seconds.")


async def test_a_command_is_found_only_by_its_own_kind_of_interaction() -> None:
    """Discord sends no other; what does is refused in words."""
    router, _ = await make_router()
    assert router.route(command(name="Summarize")) == Refuse(routing.UNKNOWN)
    assert router.route(MessageCommandInteraction(origin(), "ask", HELLO)) == Refuse(routing.UNKNOWN)


async def test_the_menu_of_a_message_asks_about_it_in_private() -> None:
    router, _ = await make_router()
    question = router.route(MessageCommandInteraction(origin(locale="de"), "Translate", HELLO))
    assert isinstance(question, Question)
    assert "German" in question.text
    assert question.quotation is not None
    assert question.quotation.text.endswith("\n> hello")
    assert question.address.private
    nothing = MessageCommandInteraction(origin(), "Summarize", MessageContent(" "))
    assert router.route(nothing) == Refuse(routing.NOTHING_SAID)


def submitted(custom_id: str, words: str) -> ModalInteraction:
    return ModalInteraction(replace(origin(), form_text=words), custom_id)


async def test_asking_about_a_message_takes_a_form_which_is_good_for_once() -> None:
    router, _ = await make_router()
    opened = router.route(MessageCommandInteraction(origin(), "Ask about this", HELLO))
    assert isinstance(opened, OpenModal)
    question = router.route(submitted(opened.custom_id, "who says that?"))
    assert isinstance(question, Question)
    assert question.text == "who says that?"
    assert question.quotation is not None
    assert question.quotation.text.endswith("\n> hello")
    assert router.route(submitted(opened.custom_id, "again?")) == Refuse(routing.OLD_MODAL)


async def test_models_are_suggested_while_one_types() -> None:
    router, _ = await make_router(offer=Offer({OPENAI: ("gpt-6-luna", "gpt-5", "o9")}))
    assert router.route(AutocompleteInteraction(origin(), "ask", "model", "5")) == SuggestChoices(("gpt-5",))
    assert router.route(AutocompleteInteraction(origin(), "ask", "other", "5")) == SuggestChoices(())
    question = router.route(command({"prompt": "why?", "model": "o9"}))
    assert isinstance(question, Question)
    assert (question.model, question.provider) == ("o9", "openai")
    assert isinstance(router.route(command({"prompt": "why?", "model": "gpt-99"})), Refuse)


BOT = 99
FILE = Attachment("a.png", "https://cdn.discordapp.com/a.png", 5)


def message(text: str = "why?", **more: object) -> IncomingMessage:
    said = IncomingMessage(origin(), MessageContent(text))
    made: IncomingMessage = replace(said, **more)  # type: ignore[arg-type]  # by name
    return made


async def test_messages_for_the_bot_are_questions_and_others_are_none() -> None:
    guild_cache = GuildCache()
    thread = {"id": "30", "type": 11, "parent_id": "1", "owner_id": str(BOT)}
    guild_cache.hear("GUILD_CREATE", {"id": "5", "channels": [{"id": "1"}], "threads": [thread]})
    router, _ = await make_router(guild_cache=guild_cache)
    for said in (
        message(mentions_bot=True),
        message(replied_to=MessageContent("because", author_id=BOT)),
        message(origin=origin(guild_id=None)),
        message(origin=origin(channel_id=30)),
    ):
        question = router.route_message(said, BOT)
        assert isinstance(question, Question)
        assert question.address.message_id == 100
    assert isinstance(question, Question)
    assert question.place.parent_id == 1
    for said in (
        message(),
        message(mentions_bot=True, author_is_bot=True),
        message(replied_to=MessageContent("because", author_id=98)),
        message(mentioned_role_ids=frozenset({70})),
    ):
        assert router.route_message(said, BOT) is None


async def test_a_mention_with_nothing_to_read_is_answered_by_a_sentence() -> None:
    """And where it replies to something that Discord does not show, by another one; words stand for
    themselves."""
    router, open_questions = await make_router()
    bare = message("", mentions_bot=True)
    assert router.route_message(bare, BOT) == Refuse(routing.NOTHING_ASKED)
    assert router.route_message(replace(bare, reply_missing=True), BOT) == Refuse(routing.REPLY_MISSING)
    assert open_questions.open == 0
    assert isinstance(router.route_message(message(mentions_bot=True, reply_missing=True), BOT), Question)


async def test_a_mention_beside_which_nothing_can_be_seen_is_a_bare_one() -> None:
    """Keyboards and copied texts leave characters there that nobody sees, nor wants answered."""
    router, _ = await make_router()
    replied_to = MessageContent("0.999… = 1", author="Ben", author_id=11)
    for unseen in ("\u200b", "\u200e \ufe0f", "\u2800"):
        bare = message(unseen, mentions_bot=True)
        assert router.route_message(bare, BOT) == Refuse(routing.NOTHING_ASKED)
        for pointing in (
            replace(bare, replied_to=replied_to),
            replace(bare, content=replace(bare.content, attachments=(FILE,))),
        ):
            question = router.route_message(pointing, BOT)
            assert isinstance(question, Question)
            assert question.text == routing.LOOK_AT_IT


async def test_whoever_mentions_the_bots_own_role_means_the_bot() -> None:
    """Only as long as it has that role, and no other bot's."""
    guild_cache = GuildCache()
    roles = [{"id": "70", "tags": {"bot_id": str(BOT)}}, {"id": "71", "tags": {"bot_id": "98"}}, {"id": "72"}]
    guild_cache.hear("GUILD_CREATE", {"id": "5", "channels": [{"id": "1"}], "roles": roles})
    router, _ = await make_router(guild_cache=guild_cache)

    def mentioning(role_id: int) -> IncomingMessage:
        return message(f"<@&{role_id}> why?", mentioned_role_ids=frozenset({role_id}))

    question = router.route_message(mentioning(70), BOT)
    assert isinstance(question, Question)
    assert question.text == "why?"
    for other in (71, 72):
        assert router.route_message(mentioning(other), BOT) is None
    guild_cache.hear("GUILD_ROLE_DELETE", {"guild_id": "5", "role_id": "70"})
    assert router.route_message(mentioning(70), BOT) is None
    role = {"id": "73", "bot_id": str(BOT)}  # as the library leaves it
    guild_cache.hear("GUILD_ROLE_CREATE", {"guild_id": "5", "role": role})
    assert isinstance(router.route_message(mentioning(73), BOT), Question)
    guild_cache.hear("GUILD_DELETE", {"id": "5"})
    assert router.route_message(mentioning(73), BOT) is None


async def test_what_a_message_points_at_becomes_a_part_of_its_question() -> None:
    """A bare mention asks about it; a file of it goes along as somebody else's."""
    router, _ = await make_router()
    replied_to = MessageContent("0.999… = 1", (FILE,), author="Ben", author_id=11)
    for text, asked in (("", routing.LOOK_AT_IT), ("is that so?", "is that so?")):
        question = router.route_message(message(text, mentions_bot=True, replied_to=replied_to), BOT)
        assert isinstance(question, Question)
        assert question.text == asked
        assert question.quotation is not None
        assert "“Ben”" in question.quotation.text
        assert "> 0.999… = 1" in question.quotation.text
        assert "Ben" not in question.quotation.excerpt
        assert question.quotation.own == ""
        assert question.attachments == (replace(FILE, quoted=True),)
    own = MessageContent("because", (FILE,), author="Bot", author_id=BOT)
    question = router.route_message(message(replied_to=own), BOT)
    assert isinstance(question, Question)
    assert question.quotation is not None
    assert question.quotation.own == "because"
    assert question.attachments == ()  # it is an answer, which the conversation has


async def test_a_question_is_asked_again_with_its_files() -> None:
    """They are the asker's to send again where they have expired, whoever wrote the message then."""
    router, _ = await make_router()
    wanted = router.route(press(AGAIN))
    assert isinstance(wanted, Regenerate)
    question = router.regenerate(wanted, replace(SAID, attachments=(replace(FILE, quoted=True),)))
    assert isinstance(question, Question)
    assert question.attachments == (FILE,)


async def test_who_may_not_ask_is_not_answered_in_the_channel_and_who_asks_too_much_is() -> None:
    user = UserRateOptions(questions=1)
    router, _ = await make_router(user=user, options=BotOptions(blocked_user_ids=(BOB.id,)))
    silent = Refuse(BLOCKED, silent=True)
    assert router.route_message(message(mentions_bot=True, origin=origin(person=BOB)), BOT) == silent
    assert isinstance(router.route_message(message(mentions_bot=True), BOT), Question)
    refused = router.route_message(message(mentions_bot=True), BOT)
    assert isinstance(refused, Refuse)


BLOCKED_CATEGORY = BotOptions(blocked_channel_ids=(20,))


@pytest.mark.parametrize(
    ("channel", "refused"),
    [
        ({"type": 0, "parent_id": "20"}, True),
        ({"type": 0, "parent_id": "21"}, False),
        ({"type": 0, "parent_id": None}, False),
        ({"type": 11, "parent_id": "2"}, True),  # the category of its channel is not named
        ({"type": 0}, True),
        (None, True),
    ],
)
async def test_a_blocked_category_holds_also_where_discord_has_not_sent_the_server(
    channel: dict[str, object] | None, refused: bool
) -> None:
    """Of a channel the event names the category itself; where nobody does, nobody is let into it."""
    router, _ = await make_router(options=BLOCKED_CATEGORY)
    payload = {
        "id": "1",
        "application_id": "2",
        "token": "token",
        "channel_id": "1",
        "guild_id": "5",
        "type": 2,
        "data": {"name": "ask", "type": 1, "options": [{"name": "prompt", "value": "why?"}]},
        "member": {"user": {"id": "10", "username": "ann"}, "roles": [], "permissions": "0"},
        "channel": channel,
    }
    parsed = parse(payload)
    assert parsed is not None
    assert isinstance(router.route(parsed), Refuse) is refused


async def test_a_mention_is_answered_once_it_is_known_not_to_be_in_a_blocked_category() -> None:
    """A message names nothing above its channel: only the server's list of channels does."""
    guild_cache = GuildCache()
    router, _ = await make_router(options=BLOCKED_CATEGORY, guild_cache=guild_cache)
    assert router.route_message(message(mentions_bot=True), BOT) == Refuse(UNKNOWN_PLACE, silent=True)
    channels = [{"id": "20", "type": 4}, {"id": "2", "type": 0, "parent_id": "20"}, {"id": "1", "type": 0}]
    guild_cache.hear("GUILD_CREATE", {"id": "5", "channels": channels})
    assert isinstance(router.route_message(message(mentions_bot=True), BOT), Question)
    there = message(mentions_bot=True, origin=origin(channel_id=2))
    assert router.route_message(there, BOT) == Refuse(WRONG_PLACE, silent=True)


async def test_an_option_that_is_longer_than_its_field_is_refused() -> None:
    """Discord does not let people do that; instructions that long would fill each question of a channel."""
    way, _ = await make_router()
    outcome = way.route(command({"instructions": "x" * 2001}, name="persona"))
    assert outcome == Refuse("That's too long. It can have up to 2000 characters.")
    assert isinstance(way.route(command({"instructions": "x" * 2000}, name="persona")), RunCommand)
