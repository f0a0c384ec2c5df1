"""How the long runs judge what they have seen."""

import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from benchmarks.answers import TOLD, WHOLE
from benchmarks.discord_streams import behind
from benchmarks.harness import Report
from benchmarks.soak import Result, early_and_late, show
from benchmarks.soak_discord_faults import BANNED, CLOSED, LONGEST_TURN, turn_of_each
from benchmarks.soak_faults import (
    ACKNOWLEDGEMENT_ERRORS,
    OTHER_GAP,
    STALLED,
    FaultLog,
    Gap,
    Spell,
    drop_gateway,
    note_other_gaps,
    note_stalls,
)
from benchmarks.soak_mutations import KINDS, Mutations
from benchmarks.soak_verdicts import (
    ALTERED,
    IN_PART_REFUSED,
    MOVED,
    NOT_WRITABLE,
    PRIVATE_AND_ERRORS,
    TOLD_DIRECTLY,
    TOO_LATE,
    UNDELIVERED,
    WITHOUT_LINKS,
    Asked,
    Verdicts,
)
from benchmarks.soak_warnings import AFTERWARDS, EXPECTED
from discordianai.discord.messages.fallbacks import LINK_REMOVED, NOT_TAKEN
from discordianai.discord.messages.posting import heading_for
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, LocalDiscord, direct_messages, person
from discordianai.sandbox.discord.gateway_control import SandboxSession
from discordianai.sandbox.discord.user_actions import type_into
from discordianai.sandbox.launcher import Sandbox
from discordianai.sandbox.providers.scripted_answers import compose


def test_a_screen_is_as_far_behind_as_its_oldest_unseen_token_is_old() -> None:
    """Looked at just before each edit; a screen that shows all that was sent is not behind."""
    sent = [10.0, 11.0, 12.0]
    late = behind(sent, [(10.5, 1), (14.0, 3), (20.0, 3)])
    assert max(late) == pytest.approx(3.0)
    assert late[-1] == 0.0


def test_early_figures_are_taken_when_all_is_warm() -> None:
    """The second third, in which caches are full, not the first, beside the last."""
    samples = [1.0] * 60 + [100.0] * 40 + [500.0] * 20 + [110.0] * 60
    assert early_and_late(samples) == (100.0, 110.0)
    assert early_and_late([7.0]) == (7.0, 7.0)


@pytest.mark.parametrize("minutes", [10, 14, 22, 30, 60])
def test_each_third_of_a_run_has_every_fault_equally_often(minutes: int) -> None:
    """Memory is compared between them."""
    rotations = 60 * minutes / 3 / (16 * turn_of_each(60.0 * minutes, 16))
    assert rotations == pytest.approx(round(rotations))
    assert turn_of_each(60.0 * minutes, 16) <= LONGEST_TURN


def test_a_run_that_is_too_short_for_it_has_every_fault_once() -> None:
    assert turn_of_each(120.0, 16) == 7.5


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


def test_what_a_sandbox_that_stood_still_had_not_sent_is_lost_with_its_session() -> None:
    """It was asked more than half a second before."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = asked_in(discord, "words")
    assert asked.interaction is not None
    asked.interaction.response_type = None
    log.gaps.append(Gap(asked.created + 1.0, asked.created + 2.0, resumable=False))
    assert Verdicts(discord, log)(asked) is None
    log.spells.append(Spell(STALLED, asked.created + 0.1, asked.created + 0.9))
    assert Verdicts(discord, log)(asked) == (UNDELIVERED, None)


def test_what_a_resumed_gateway_brought_in_a_crowd_may_be_refused_as_too_late() -> None:
    """Where the bot has tried."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = asked_in(discord, "words")
    assert asked.interaction is not None
    asked.interaction.response_type = None
    log.gaps.append(Gap(asked.created - 5.0, asked.created + 1.5, resumable=True))
    assert Verdicts(discord, log)(asked) is None
    asked.interaction.refused_acknowledgements = 1
    assert Verdicts(discord, log)(asked) == (TOO_LATE, None)


async def test_a_sandbox_that_stands_still_is_noted() -> None:
    """It is the process that judges."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(note_stalls, discord, log)
        await trio.sleep(0.3)
        began = discord.now()
        time.sleep(0.6)  # noqa: ASYNC251  # that is the stall
        ended = discord.now()
        await trio.sleep(0.3)
        nursery.cancel_scope.cancel()
    assert log.stalled(began, ended) >= 0.5
    assert log.stalled(ended + 60, ended + 70) == 0


def whole_answer(discord: LocalDiscord, number: int, size: int = 1900) -> Asked:
    """A question that could not be acknowledged, and its answer in several messages of the channel."""
    prompt = f"what about number {number}?"
    asked = asked_in(discord, "gone")
    assert asked.interaction is not None
    asked.interaction.response_type = None
    asked.interaction.messages.clear()
    text = compose("", prompt, [], sources=False).text
    for start in range(0, len(text), size):
        message = discord.message(CHANNELS[0].id)
        message.update({"content": text[start : start + size]}, {})
        discord.channel_messages.append(message)
    return Asked(prompt, asked.created, CHANNELS[0].id, asked.interaction, began=asked.began)


def test_an_answer_in_the_channel_is_judged_with_all_of_its_messages() -> None:
    """Others' messages are among them, and are not taken for a part of it."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    first, second = whole_answer(discord, 30), whole_answer(discord, 2)
    discord.channel_messages.sort(key=lambda message: message.id % 7)
    log.spells.append(Spell(BANNED, first.created - 1, first.created + 5))
    verdicts = Verdicts(discord, log)
    for asked in (first, second):
        found = verdicts(asked)
        assert found is not None
        assert found[0] == WHOLE


def test_no_answer_takes_the_rest_of_another_that_says_the_same() -> None:
    """All answers are made of the same paragraphs. The last messages are short, and end with small print."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    several = [whole_answer(discord, number, size=300) for number in (27, 30, 100)]
    for message in discord.channel_messages:
        if len(message.content) < 300:
            message.update({"content": f"{message.content}\n\n-# OpenAI · gpt-6-luna"}, {})
    log.spells.append(Spell(BANNED, several[0].created - 1, several[0].created + 5))
    verdicts = Verdicts(discord, log)
    assert [found and found[0] for found in map(verdicts, several)] == [WHOLE] * 3
    assert len(verdicts.claimed) == len(discord.channel_messages)


@pytest.mark.parametrize(("part", "verdict"), [(NOT_TAKEN, IN_PART_REFUSED), (LINK_REMOVED, WITHOUT_LINKS)])
def test_an_answer_in_the_channel_of_which_a_part_was_refused_is_one(part: str, verdict: str) -> None:
    """Each takes one such message, and a whole answer none."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    several = [whole_answer(discord, number) for number in (30, 100)]
    for message in discord.channel_messages[1::2]:
        message.update({"content": f"{part} and the rest"}, {})
    several.append(whole_answer(discord, 2))
    log.spells.append(Spell(BANNED, several[0].created - 1, several[0].created + 5))
    verdicts = Verdicts(discord, log)
    assert [found and found[0] for found in map(verdicts, several[::-1])] == [WHOLE, verdict, verdict]


def test_an_answer_in_the_channel_is_one_although_nobody_acknowledged_it() -> None:
    """Where an acknowledgement met errors for three seconds, the bot writes there, with or without a note."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    verdicts = Verdicts(discord, log)
    found = verdicts(whole_answer(discord, 30))
    assert found is not None
    assert found[0] == WHOLE
    silent = whole_answer(discord, 2)
    discord.channel_messages.clear()
    assert verdicts(silent) is None
    vague = discord.message(CHANNELS[0].id)
    assert silent.interaction is not None
    heading = heading_for(silent.interaction.user.id)
    vague.update({"content": f"{heading}-# OpenAI couldn't answer. (error 7)"}, {})
    discord.channel_messages.append(vague)
    assert verdicts(silent) is None  # it may be about another question
    for began in (silent.created, silent.created + 1.0):
        log.spells.append(Spell(ACKNOWLEDGEMENT_ERRORS, began, began + 0.3))
    found = verdicts(silent)
    assert found is not None
    assert found[0].startswith(TOLD)


def test_an_answer_that_moved_to_the_channel_is_its_persons() -> None:
    """Where mutated events have lost the question that it quotes; that of an earlier one may be there, and
    others' messages before it."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = whole_answer(discord, 1)
    discord.channel_messages.clear()
    assert asked.interaction is not None
    log.spells.append(Spell(BANNED, asked.created - 1, asked.created + 5))
    person = asked.interaction.user.id
    for text in (
        "The rest of somebody's answer.",
        f"{MOVED}{person + 1}>\nYou asked 2 things",
    ):
        message = discord.message(CHANNELS[0].id)
        message.update({"content": text}, {})
        discord.channel_messages.append(message)
        assert Verdicts(discord, log)(asked) is None
    clean = replace(asked, prompt="what about number 2?")
    for quoted in (
        "the last “what about number 5?” You asked",
        "the last was: “what about number 5?” You asked",
    ):
        message.update({"content": f"{MOVED}{person}>\n{quoted}"}, {})
        verdicts = Verdicts(discord, log)
        assert verdicts(clean) is None
        found = verdicts(asked)
        assert found is not None
        assert found[0] == ALTERED
        assert verdicts.claimed == {message.id}
    message.update({"content": f"{MOVED}{person}>\nYou asked: “what about number 6?”"}, {})
    assert Verdicts(discord, log, waiting=["what about number 6?"])(asked) is None  # it is that one's
    assert Verdicts(discord, log)(asked) is not None


def test_a_private_answer_is_shown_nowhere_else() -> None:
    """Discord says that the bot did not respond; only two errors keep it from that."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = whole_answer(discord, 2)
    discord.channel_messages.clear()
    asked.private = True
    for began in (asked.created, asked.created + 1.0):
        assert Verdicts(discord, log)(asked) is None
        log.spells.append(Spell(ACKNOWLEDGEMENT_ERRORS, began, began + 0.3))
    assert Verdicts(discord, log)(asked) == (PRIVATE_AND_ERRORS, None)


def test_a_mention_that_came_while_the_gateway_was_away_is_heard_when_it_is_back() -> None:
    """Its last word is not late for that."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = Asked("why?", 100.0, CHANNELS[0].id, message_id=1, began=500.0)
    log.gaps.append(Gap(90.0, 160.0, resumable=True))
    assert Verdicts(discord, log).heard_at(asked) == 560.0
    assert Verdicts(discord, FaultLog()).heard_at(asked) == 500.0


async def test_a_gateway_that_is_lost_by_no_fault_is_noted(autojump_clock: MockClock) -> None:
    """And one that a fault has ended is not noted twice."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    session = SandboxSession("a")
    discord.sessions["a"] = session
    async with trio.open_nursery() as nursery:
        nursery.start_soon(note_other_gaps, discord, log)
        for fault in (False, True):
            began = discord.now()
            discord.connected(session)
            await trio.sleep(1)
            discord.disconnected(session)
            await trio.sleep(1)
            discord.connected(session)
            if fault:
                log.gaps.append(Gap(began, discord.now(), resumable=True))
            await trio.sleep(5)
            assert log.counts[OTHER_GAP] == 1
        nursery.cancel_scope.cancel()
    assert [gap.resumable for gap in log.gaps] == [True, True]


@pytest.mark.parametrize("invalid", [False, True])
async def test_a_dropped_session_is_not_resumed_where_another_fault_has_ended_it(
    autojump_clock: MockClock, invalid: bool
) -> None:
    """What it would have brought is not delivered."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    session = discord.sessions["a"] = SandboxSession("a")
    discord.connected(session)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drop_gateway, discord, log, True, random.Random(1))
        await trio.sleep(0.01)
        discord.disconnected(session)
        await trio.sleep(1)
        if invalid:
            discord.invalidate_sessions()
            session = discord.sessions["b"] = SandboxSession("b")
        discord.connected(session)
    assert [gap.resumable for gap in log.gaps] == [not invalid]


def test_a_missing_permission_explains_no_silence_that_lasts_long_before() -> None:
    """It has to come within the time of an answer."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = Asked("why?", 100.0, CHANNELS[0].id, message_id=1, began=time.monotonic() - 61.0)
    log.spells.append(Spell(CLOSED, 150.0, 158.0))
    assert Verdicts(discord, log, within=60.0)(asked) == (NOT_WRITABLE, None)
    assert Verdicts(discord, log, within=70.0)(asked) is None  # it may be shown yet
    assert Verdicts(discord, log, within=40.0)(asked) is None


def test_a_mention_whose_answer_was_cut_off_is_told_in_a_direct_message() -> None:
    """The message with the button stays where the bot may not even edit it; the permission explains that."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    cut_off, direct = discord.message(CHANNELS[0].id), discord.message(direct_messages(person(3)).id)
    row = {"type": 1, "components": [{"type": 2, "label": "Stop", "custom_id": "stop"}]}
    cut_off.update({"content": "You", "components": [row]}, {})
    cut_off.reply_to = 1
    direct.update({"content": f"About your question in <#{CHANNELS[0].id}>: it was refused."}, {})
    discord.channel_messages = [cut_off, direct]
    asked = Asked("why?", 100.0, CHANNELS[0].id, message_id=1, user=person(3), began=0.0)
    verdicts = Verdicts(discord, log, within=60.0)
    assert verdicts(asked) is None
    log.spells.append(Spell(CLOSED, 150.0, 158.0))
    found = verdicts(asked)
    assert found is not None
    assert found[0] == TOLD_DIRECTLY
    discord.channel_messages.remove(direct)
    assert verdicts(asked) is None


def test_a_command_that_only_the_channel_was_left_for_is_told_directly_or_nowhere_where_that_closed() -> None:
    """It waits in the channel's line after a ban, and the bot loses its permission meanwhile."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = whole_answer(discord, 1)
    discord.channel_messages.clear()
    assert asked.interaction is not None
    log.spells.append(Spell(BANNED, asked.created - 1, asked.created + 5))
    verdicts = Verdicts(discord, log, within=60.0)
    late = replace(asked, began=time.monotonic() - 61.0)
    assert verdicts(late) is None
    log.spells.append(Spell(CLOSED, asked.created + 50.0, asked.created + 58.0))
    assert verdicts(asked) is None  # its message may come yet
    assert verdicts(late) == (NOT_WRITABLE, None)
    direct = discord.message(direct_messages(asked.interaction.user).id)
    direct.update({"content": f"About your question in <#{CHANNELS[0].id}>: it was refused."}, {})
    discord.channel_messages.append(direct)
    found = verdicts(asked)
    assert found is not None
    assert found[0] == TOLD_DIRECTLY


def test_what_comes_after_any_last_word_is_another_questions() -> None:
    """Of two questions of a person, one after the next ban, say."""
    discord, log = LocalDiscord(DiscordOptions()), FaultLog()
    asked = replace(whole_answer(discord, 1), began=time.monotonic() - 61.0)
    discord.channel_messages.clear()
    assert asked.interaction is not None
    log.spells.append(Spell(BANNED, asked.created - 1, asked.created + 5))
    vague = discord.message(CHANNELS[0].id)
    vague.update({"content": f"{heading_for(asked.interaction.user.id)}-# It failed. (error 7)"}, {})
    discord.channel_messages.append(vague)
    assert Verdicts(discord, log, within=60.0)(asked) is None
    assert Verdicts(discord, log, within=70.0)(asked) is not None


def test_a_message_is_not_forgotten_while_its_question_has_no_last_word() -> None:
    """What is shown must be seen, however long the run lasts."""
    discord, result = LocalDiscord(DiscordOptions()), Result()
    message = discord.message(CHANNELS[0].id)
    message.update({"content": "Well"}, {})
    message.reply_to, message.history = 7, [(-10_000.0, "Well")]
    discord.channel_messages = [message]
    result.note(Asked("what about number 2?", 0.0, CHANNELS[0].id, message_id=7, began=-10_000.0))
    sandbox = cast("Sandbox", SimpleNamespace(discord=discord))
    result.settle(sandbox, Verdicts(discord, FaultLog()))
    assert discord.channel_messages == [message]
    assert result.open
    result.open.clear()
    result.settle(sandbox, Verdicts(discord, FaultLog()))
    assert discord.channel_messages == []


def test_a_warning_is_explained_by_its_reason_and_by_what_went_wrong_then() -> None:
    """The same event with another reason, or at another time, is one that has to be looked into."""
    log = FaultLog(spells=[Spell(BANNED, 1000.0, 1008.0)])

    def explained(seconds: float, reason: str) -> bool:
        when = datetime.fromtimestamp(seconds, UTC).isoformat()
        entry = {"event": "interaction not acknowledged", "reason": reason, "timestamp": when}
        return any(known.explains(entry, log) for known in EXPECTED)

    assert explained(1004.0, "RestUnavailable")
    assert not explained(900.0, "RestUnavailable")
    assert not explained(1008.0 + AFTERWARDS + 2.0, "RestUnavailable")
    assert not explained(1004.0, "Discord answered 401, code 0")
    assert not explained(1004.0, "Discord answered 404, code 10062")
    log.gaps.append(Gap(990.0, 1003.0, resumable=True))
    assert explained(1004.0, "Discord answered 404, code 10062")


@pytest.mark.parametrize("kind", KINDS)
def test_every_second_question_meets_mutated_events(kind: str) -> None:
    """The events of the others come as they are."""
    mutations = Mutations(1, 1.0, (kind,))
    events = [b'data: {"type":"a","delta":"word %d"}\n\n' % number for number in range(20)]
    clean, hostile = mutations("what about number 2?"), mutations("what about number 1?")
    assert [clean(event) for event in events] == events
    assert [hostile(event) for event in events] != events
    assert mutations.counts == {kind: 20}
