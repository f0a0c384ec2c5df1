"""What is taken and what is refused before the acknowledgement."""

from collections.abc import Mapping

import pytest
import trio

from discordianai.discord import gate
from discordianai.discord.admissions import Admissions
from discordianai.discord.gate import Gate, Refusal
from discordianai.model import Person, ProviderName, Question
from discordianai.settings import DiscordSettings
from tests.discord.builders import invocation, settings


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def make_gate(capacity: int = 100, clock: Clock | None = None) -> tuple[Gate, Admissions]:
    admissions = Admissions(capacity, trio.lowlevel.current_trio_token())
    return Gate(settings(), admissions, clock or Clock()), admissions


async def test_a_question_is_taken_as_it_was_typed_and_counted_as_open() -> None:
    door, admissions = await make_gate()
    question = door.decide(invocation({"prompt": "  why? @everyone  ", "private": True}))
    assert isinstance(question, Question)
    assert question.text == "why? @everyone"
    assert question.address.private
    assert admissions.open == 1


@pytest.mark.parametrize("prompt", ["", "   \n\t", "\u200b\u200d\u2060", "\u202e\u200f", "\u3000"])
async def test_a_question_that_shows_nothing_is_refused(prompt: str) -> None:
    door, admissions = await make_gate()
    assert door.decide(invocation({"prompt": prompt})) == Refusal(gate.EMPTY)
    assert admissions.open == 0


async def test_what_discord_lets_through_is_taken_and_more_is_refused() -> None:
    door, _ = await make_gate()
    assert isinstance(door.decide(invocation({"prompt": "x" * 6000})), Question)
    assert door.decide(invocation({"prompt": "x" * 6001})) == Refusal(gate.TOO_LONG)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, None), ({"provider": "auto"}, None), ({"provider": "openai"}, ProviderName.OPENAI)],
)
async def test_the_provider_is_the_one_asked_for(
    options: Mapping[str, str], expected: ProviderName | None
) -> None:
    door, _ = await make_gate()
    question = door.decide(invocation({"prompt": "why?", **options}))
    assert isinstance(question, Question)
    assert question.provider is expected


async def test_a_provider_that_is_not_set_up_is_refused_by_name() -> None:
    door, _ = await make_gate()
    refused = door.decide(invocation({"prompt": "why?", "provider": "perplexity"}))
    assert isinstance(refused, Refusal)
    assert "Perplexity is not set up" in refused.reason


async def test_who_asks_too_often_reads_how_long_to_wait_and_others_go_on() -> None:
    clock = Clock()
    door, admissions = await make_gate(clock=clock)
    for _ in range(10):
        assert isinstance(door.decide(invocation()), Question)
    clock.now = 18.5
    assert door.decide(invocation()) == Refusal("That's a lot of questions. Please wait 42 seconds.")
    assert isinstance(door.decide(invocation(person=Person(11, "Bob"))), Question)
    clock.now = 60.0
    assert isinstance(door.decide(invocation()), Question)
    assert admissions.open == 12


async def test_a_blocked_person_uses_up_nothing() -> None:
    admissions = Admissions(1, trio.lowlevel.current_trio_token())
    door = Gate(settings(DiscordSettings(blocked_user_ids=(10,))), admissions)
    assert isinstance(door.decide(invocation()), Refusal)
    assert admissions.open == 0


async def test_when_too_many_are_open_or_the_bot_stops_new_ones_are_told_which() -> None:
    door, admissions = await make_gate(capacity=1)
    assert isinstance(door.decide(invocation()), Question)
    assert door.decide(invocation()) == Refusal(gate.BUSY)
    admissions.close()
    assert door.decide(invocation()) == Refusal(gate.STOPPING)


async def test_a_command_of_an_older_version_is_refused_in_words() -> None:
    door, _ = await make_gate()
    assert door.decide(invocation(command="gone")) == Refusal(gate.UNKNOWN)
