"""What is taken and what is refused before the acknowledgement."""

from collections.abc import Mapping
from itertools import count

import pytest
import trio

from discordianai.discord import gate
from discordianai.discord.access import NOT_YOURS
from discordianai.discord.admissions import Admissions
from discordianai.discord.buttons import Action, Button
from discordianai.discord.gate import Gate, Refusal, Withdrawal
from discordianai.model import Person, ProviderName, Question
from discordianai.settings import DiscordSettings, RateLimitSettings, ServerRateSettings, UserRateSettings
from tests.discord.builders import ANN, command, press, settings


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
) -> tuple[Gate, Admissions]:
    admissions = Admissions(capacity, each, trio.lowlevel.current_trio_token())
    made = settings(limits=limits, perplexity=perplexity)
    return Gate(made, admissions, count(1), clock or Clock()), admissions


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
        assert door.decide(command({option: prompt}, name)) == Refusal(gate.EMPTY.format(option=option))
    assert admissions.open == 0


async def test_what_discord_lets_through_is_taken_and_more_is_refused() -> None:
    door, _ = await make_gate()
    assert isinstance(door.decide(command({"prompt": "x" * 6000})), Question)
    assert door.decide(command({"prompt": "x" * 6001})) == Refusal(gate.TOO_LONG)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, None), ({"provider": "auto"}, None), ({"provider": "openai"}, ProviderName.OPENAI)],
)
async def test_the_provider_is_the_one_asked_for(
    options: Mapping[str, str], expected: ProviderName | None
) -> None:
    door, _ = await make_gate()
    question = door.decide(command({"prompt": "why?", **options}))
    assert isinstance(question, Question)
    assert question.provider is expected


async def test_a_provider_that_is_not_set_up_is_refused_by_name() -> None:
    door, _ = await make_gate()
    refused = door.decide(command({"prompt": "why?", "provider": "perplexity"}))
    assert isinstance(refused, Refusal)
    assert "Perplexity is not set up" in refused.reason


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
        assert door.decide(command()) == Refusal(gate.OWN_LINE_FULL.format(most=5))
    assert isinstance(door.decide(command(person=Person(11, "Bob"))), Question)
    admissions.release(ANN.id)
    assert isinstance(door.decide(command()), Question)


async def test_a_search_goes_to_perplexity_or_says_that_there_is_none() -> None:
    door, _ = await make_gate(perplexity=True)
    question = door.decide(command({"query": "llamas", "private": True}, "search"))
    assert isinstance(question, Question)
    assert (question.text, question.provider) == ("llamas", ProviderName.PERPLEXITY)
    assert question.address.private
    door, _ = await make_gate()
    refused = door.decide(command({"query": "llamas"}, "search"))
    assert isinstance(refused, Refusal)
    assert "Perplexity is not set up" in refused.reason


BOB = Person(11, "Bob")
STOP, GO_ON = Button(Action.STOP, ANN.id, 77).custom_id, Button(Action.GO_ON, ANN.id, 77).custom_id


async def test_stop_withdraws_the_question_it_stands_under() -> None:
    door, admissions = await make_gate()
    stopped = door.decide(press(STOP))
    assert isinstance(stopped, Withdrawal)
    assert stopped.interaction_id == 77
    assert stopped.address.private
    assert admissions.open == 0


async def test_going_on_is_a_question_of_who_asked_and_as_private_as_the_answer() -> None:
    door, admissions = await make_gate(each=1)
    question = door.decide(press(GO_ON, person=BOB, permissions=1 << 13, private=True))
    assert isinstance(question, Question)
    assert question.person == ANN
    assert question.address.private
    assert door.decide(press(GO_ON)) == Refusal(gate.OWN_LINE_FULL.format(most=5))
    admissions.release(ANN.id)


@pytest.mark.parametrize("custom_id", [STOP, GO_ON])
async def test_a_stranger_presses_in_vain(custom_id: str) -> None:
    door, admissions = await make_gate()
    assert door.decide(press(custom_id, person=BOB)) == Refusal(NOT_YOURS)
    assert admissions.open == 0


@pytest.mark.parametrize("custom_id", ["", "stop", "stop:1", "stop:x:1", "dance:1:2", "stop:²:1", ":1:2"])
async def test_a_button_of_another_version_says_so(custom_id: str) -> None:
    door, _ = await make_gate()
    assert door.decide(press(custom_id)) == Refusal(gate.OLD_BUTTON)


async def test_a_blocked_person_uses_up_nothing() -> None:
    admissions = Admissions(1, 1, trio.lowlevel.current_trio_token())
    door = Gate(settings(DiscordSettings(blocked_user_ids=(10,))), admissions, count(1))
    assert isinstance(door.decide(command()), Refusal)
    assert admissions.open == 0


async def test_when_too_many_are_open_or_the_bot_stops_new_ones_are_told_which() -> None:
    door, admissions = await make_gate(capacity=1)
    assert isinstance(door.decide(command()), Question)
    assert door.decide(command()) == Refusal(gate.BUSY)
    admissions.close()
    assert door.decide(command()) == Refusal(gate.STOPPING)


async def test_a_command_of_an_older_version_is_refused_in_words() -> None:
    door, _ = await make_gate()
    assert door.decide(command(name="gone")) == Refusal(gate.UNKNOWN)
