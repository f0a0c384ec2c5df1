"""How the long runs judge what they have seen."""

import pytest

from benchmarks.discord_streams import behind
from benchmarks.harness import Report
from benchmarks.soak import Result, early_and_late, show
from benchmarks.soak_faults import FaultLog, Gap
from benchmarks.soak_mutations import KINDS, Mutations
from benchmarks.soak_verdicts import ALTERED, UNDELIVERED, Asked, Verdicts
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, LocalDiscord
from discordianai.sandbox.discord.user_actions import type_into


def test_a_screen_is_as_far_behind_as_its_oldest_unseen_token_is_old() -> None:
    """Looked at just before each edit; a screen that shows all that was sent is not behind."""
    sent = [10.0, 11.0, 12.0]
    late = behind(sent, [(10.5, 1), (14.0, 3), (20.0, 3)])
    assert max(late) == pytest.approx(3.0)
    assert late[-1] == 0.0


def test_early_figures_are_taken_when_all_is_warm() -> None:
    """The second sixth, not the first, beside the last."""
    samples = [1.0] * 30 + [100.0] * 30 + [500.0] * 90 + [110.0] * 30
    assert early_and_late(samples) == (100.0, 110.0)
    assert early_and_late([7.0]) == (7.0, 7.0)


@pytest.mark.parametrize(
    ("late", "files", "status", "missed"),
    [(104.0, 44.0, 0, 0), (106.0, 44.0, 0, 1), (104.0, 50.0, 0, 1), (104.0, 44.0, -9, 1)],
)
def test_a_run_fails_by_growth_and_by_its_end(late: float, files: float, status: int, missed: int) -> None:
    """Memory by a twentieth, descriptors by so much and a few more, or an exit status."""
    result = Result(memory=[100.0, 100.0, late], files=[38.0, 38.0, files], status=status)
    report = Report()
    show(report, result, flat=True)
    assert len(report.missed) == missed


def test_what_was_lost_and_what_nobody_explains_fail_a_run() -> None:
    """Each with its line."""
    result = Result(memory=[1.0], files=[1.0], status=0, lost=["lost: a"], unexplained=["not explained: b"])
    report = Report()
    show(report, result, flat=False)
    assert report.finish() == 1
    assert report.missed == ["lost: a", "not explained: b"]


def asked_in(discord: LocalDiscord, text: str, *buttons: str) -> Asked:
    """A question with an odd number, whose events are mutated, and what is shown in response to it."""
    discord.registered[None] = {"ask": {"id": "1"}}
    interaction = type_into(discord, "ask", "prompt", "")
    interaction.acknowledge(5, interaction.created)
    message = discord.message(CHANNELS[0].id)
    row = {"type": 1, "components": [{"type": 2, "label": label, "custom_id": label} for label in buttons]}
    message.update({"content": text, "components": [row] if buttons else []}, {})
    interaction.messages.append(message)
    return Asked("what about number 1?", interaction.created, CHANNELS[0].id, interaction)


def test_a_button_that_stops_nothing_is_no_last_word() -> None:
    """Whatever else is shown."""
    discord = LocalDiscord(DiscordOptions())
    verdicts = Verdicts(discord, FaultLog())
    assert verdicts(asked_in(discord, "words\n\n-# OpenAI", "Stop")) is None
    ended = verdicts(asked_in(discord, "words\n\n-# OpenAI", "Again"))
    assert ended is not None
    assert ended[0] == ALTERED


def test_what_nobody_acknowledged_is_lost_unless_the_gateway_was_away() -> None:
    """With a session that could not be resumed."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = asked_in(discord, "words")
    assert asked.interaction is not None
    asked.interaction.response_type = None
    assert Verdicts(discord, log)(asked) is None
    log.gaps.append(Gap(asked.created - 1.0, asked.created + 1.0, resumable=False))
    found = Verdicts(discord, log)(asked)
    assert found is not None
    assert found[0] == UNDELIVERED


@pytest.mark.parametrize("kind", KINDS)
def test_every_second_question_meets_mutated_events(kind: str) -> None:
    """The events of the others come as they are."""
    mutations = Mutations(1, 1.0, (kind,))
    events = [b'data: {"type":"a","delta":"word %d"}\n\n' % number for number in range(20)]
    clean, hostile = mutations("what about number 2?"), mutations("what about number 1?")
    assert [clean(event) for event in events] == events
    assert [hostile(event) for event in events] != events
    assert mutations.counts == {kind: 20}
