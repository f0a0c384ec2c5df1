"""Ids that somebody makes up: in a button, and of what was said."""

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.pending_questions import StoredQuestion, TurnId
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.interaction import ComponentInteraction
from discordianai.discord.interactions.outcomes import (
    AskQuestion,
    CancelAnswer,
    Refuse,
    Regenerate,
    RunCommand,
)
from discordianai.discord.interactions.router import TOO_OLD, InteractionRouter
from discordianai.discord.messages.buttons import Action
from discordianai.discord.options import BotOptions
from discordianai.option import Live
from tests.answering import builders as answering
from tests.discord.builders import ANN, origin
from tests.discord.commands.builders import OFFER
from tests.doubles.reply import FakeReply

ROUTER = InteractionRouter(Live(BotOptions()), OfferedCommands(COMMANDS, OFFER), GuildCache())
ODD = (
    "",
    "0",
    "-1",
    "1" * 100,
    "1 OR 1=1",
    "'; DROP TABLE turns; --",
    "\0",
    "١٠",
    "²",
    "1.5",
    "5.5.5",
    "10\n",
)
PARTS = st.one_of(st.sampled_from(ODD), st.text(max_size=20), st.integers(-1, 2**70).map(str))
ACTIONS = st.one_of(st.sampled_from([*Action, "page", "forget", "keep"]), st.text(max_size=12))


@given(ACTIONS, PARTS, PARTS)
def test_no_custom_id_reaches_what_is_another_persons(action: str, person: str, subject: str) -> None:
    """What is pressed is one's own, or refused in words; nothing fails."""
    press = ComponentInteraction(origin(), f"{action}:{person}:{subject}", private=False)
    outcome = ROUTER.route(press)
    if not isinstance(outcome, Refuse):
        assert isinstance(outcome, AskQuestion | CancelAnswer | Regenerate | RunCommand)
        assert person == str(ANN.id)


SAID = st.builds(
    StoredQuestion,
    st.just("a secret"),
    st.sampled_from([ANN.id, 11]),
    st.sampled_from([5, 6, None]),
    st.builds(ConversationKey, st.sampled_from([0, 1, 2]), st.sampled_from([0, ANN.id, 11]), st.booleans()),
)


@given(SAID, st.booleans())
def test_a_guessed_turn_gives_only_what_its_asker_said_in_that_place(
    said: StoredQuestion, private: bool
) -> None:
    """Not what another person said, in another server or channel, nor in private what was public."""
    press = ComponentInteraction(origin(), f"{Action.AGAIN}:{ANN.id}:5.5", private=private)
    outcome = ROUTER.regenerate(Regenerate(press, TurnId("5.5")), said)
    same_place = said.guild_id == 5 and said.key.channel_id in {0, 1} and said.key.private is private
    if said.person_id == ANN.id and same_place:
        assert isinstance(outcome, AskQuestion)
    else:
        assert outcome == Refuse(TOO_OLD)


async def test_a_guessed_interaction_stops_nobody_elses_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Not under one's own name, nor as a moderator of another server, nor from direct messages."""
    scene = answering.Scene(["beginning", 10.0, "end"])
    question, reply = scene.question(), FakeReply()
    asked, asker, guild = question.address.interaction_id, question.person.id, question.place.guild_id
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, question, reply)
        await trio.sleep(1)
        for person_id, guild_id in ((answering.BEN.id, guild), (asker, 6), (asker, None)):
            assert not scene.answer_service.cancel(asked, person_id, guild_id)
        assert not scene.answer_service.cancel(asked + 1, asker, guild)
    assert reply.text == "beginningend"


def test_what_is_stopped_is_of_whom_the_button_names_where_it_was_pressed() -> None:
    """So that its custom id can name nothing else."""
    press = ComponentInteraction(origin(), f"{Action.STOP}:{ANN.id}:5", private=False)
    assert ROUTER.route(press) == CancelAnswer(5, ANN.id)
