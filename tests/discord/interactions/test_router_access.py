"""Each way of using the bot asks the same table who may: every cell of it, through the router."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.audit_log import RefusalCause
from discordianai.discord.commands.declaration import Offer
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.interaction import (
    AutocompleteInteraction,
    CommandInteraction,
    ComponentInteraction,
    EventOrigin,
    Interaction,
    Lineage,
    MessageCommandInteraction,
    ModalInteraction,
)
from discordianai.discord.events.message_content import MessageContent
from discordianai.discord.events.message_event import IncomingMessage
from discordianai.discord.interactions.outcomes import (
    AskQuestion,
    CancelAnswer,
    OpenModal,
    Refuse,
    Regenerate,
    RunCommand,
    SuggestChoices,
)
from discordianai.discord.interactions.router import OLD_MODAL, InteractionRouter
from discordianai.discord.messages.buttons import Action
from discordianai.discord.options import BotOptions
from discordianai.option import Live
from discordianai.records import Person
from tests.discord.builders import ANN
from tests.discord.interactions.test_access import ABOVE, ADMIN, OPTIONS, PLACES, ROLES, may_ask
from tests.known_providers import OPENAI

BOT = 97
HELLO = MessageContent("hello")
OWN_DATA = ("forget", "export", "reset")


def place(where: EventOrigin, who: Person, roles: frozenset[int]) -> EventOrigin:
    """That person there; the event says what is above the channel."""
    channel_id = where.place.channel_id
    above = Lineage(ABOVE.get(channel_id, (channel_id,))[1:], complete=True)
    return replace(where, person=who, role_ids=roles if where.place.guild_id else frozenset(), above=above)


def router(options: BotOptions) -> InteractionRouter:
    offered = OfferedCommands(COMMANDS, Offer({OPENAI: ("gpt-6-luna", "gpt-5")}))
    return InteractionRouter(Live(options), offered, GuildCache())


WHERE = st.builds(place, st.sampled_from(PLACES), st.sampled_from([ANN, ADMIN]), ROLES)


def ways(where: EventOrigin) -> dict[type, tuple[Interaction, ...]]:
    """What somebody may do who may ask, by what comes of it."""
    person = where.person.id
    pressed = {
        action: ComponentInteraction(where, f"{action}:{person}:5.5", private=False) for action in Action
    }
    return {
        AskQuestion: (
            CommandInteraction(where, "ask", {"prompt": "why?"}),
            MessageCommandInteraction(where, "Summarize", HELLO),
            pressed[Action.GO_ON],
        ),
        RunCommand: (CommandInteraction(where, "history"), CommandInteraction(where, "model")),
        OpenModal: (MessageCommandInteraction(where, "Ask about this", HELLO),),
        Regenerate: (pressed[Action.AGAIN], pressed[Action.SEARCH]),
        CancelAnswer: (ComponentInteraction(where, f"{Action.STOP}:{person}:5", private=False),),
    }


@given(WHERE, OPTIONS)
def test_every_way_of_asking_goes_by_the_table(where: EventOrigin, options: BotOptions) -> None:
    """Commands, menus, forms and buttons; a refusal is accounted for as one of access."""
    allowed = may_ask(where, options)
    for expected, uses in ways(where).items():
        for use in uses:
            outcome = router(options).route(use)
            assert isinstance(outcome, expected if allowed else Refuse), use
            assert allowed or (isinstance(outcome, Refuse) and outcome.cause is RefusalCause.ACCESS)
    form = router(options).route(ModalInteraction(where, "modal:1"))
    assert isinstance(form, Refuse)
    assert (form.reason == OLD_MODAL) is allowed


@given(WHERE, OPTIONS)
def test_suggestions_tell_nothing_to_who_may_not_ask(where: EventOrigin, options: BotOptions) -> None:
    """The names of models are the operator's."""
    outcome = router(options).route(AutocompleteInteraction(where, "ask", "model", "gpt"))
    assert isinstance(outcome, SuggestChoices)
    assert bool(outcome.choices) is may_ask(where, options)


@given(WHERE, OPTIONS)
def test_ones_own_data_is_everybodys_everywhere(where: EventOrigin, options: BotOptions) -> None:
    """Whatever the lists are, with the buttons that confirm it."""
    for name in OWN_DATA:
        assert isinstance(router(options).route(CommandInteraction(where, name)), RunCommand)
    confirmed = ComponentInteraction(where, f"forget:{where.person.id}:", private=False)
    assert isinstance(router(options).route(confirmed), RunCommand)


@given(WHERE, OPTIONS)
def test_status_is_for_admins_alone(where: EventOrigin, options: BotOptions) -> None:
    outcome = router(options).route(CommandInteraction(where, "status"))
    assert isinstance(outcome, RunCommand) is (where.person.id in options.admin_user_ids)


@given(WHERE, OPTIONS)
def test_somebody_elses_answer_is_nobodys_to_go_on_with(where: EventOrigin, options: BotOptions) -> None:
    """An admin stops it, and does no more."""
    for action in Action:
        outcome = router(options).route(ComponentInteraction(where, f"{action}:4242:5.5", private=False))
        assert isinstance(outcome, Refuse), action
    stopped = router(options).route(ComponentInteraction(where, f"{Action.STOP}:4242:5", private=False))
    assert isinstance(stopped, CancelAnswer) is (where.person.id in options.admin_user_ids)


@given(WHERE, OPTIONS)
def test_mentions_go_by_the_table_too(where: EventOrigin, options: BotOptions) -> None:
    """A message comes from where the bot is; in a channel its refusal is told to nobody."""
    if not where.as_member:
        return
    where = replace(where, interaction_id=77)
    outcome = router(options).route_message(IncomingMessage(where, MessageContent("why?"), True), BOT)
    if may_ask(where, options):
        assert isinstance(outcome, AskQuestion)
    else:
        assert isinstance(outcome, Refuse)
        assert outcome.silent is (where.place.guild_id is not None)
