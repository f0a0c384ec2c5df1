"""The system clock jumps by an hour: nothing expires, is freed or is blocked for it."""

import time
from pathlib import Path

import pytest

from discordianai.conversations.accounting import Limit, day_of
from discordianai.conversations.ledger import DailyLimitReached, Ledger
from discordianai.conversations.options import AccountingOptions, ConversationOptions
from discordianai.conversations.sqlite.maintenance import MaintenanceSchedule
from discordianai.conversations.sqlite.store import open_store
from discordianai.option import Live
from discordianai.records import Usage
from discordianai.steady_clock import SteadyClock
from tests.conversations.builders import ANN, DATABASE, SLOW, exchange, question

HOUR = 3600.0
MIDNIGHT = 20_000 * 86_400.0
STEPS = MaintenanceSchedule(tick=60, retention=60, step=0)
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR])


class System:
    """A system clock that can be set; no time passes otherwise."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.clock = SteadyClock(lambda: self.now, lambda: 0.0)


@JUMPS
async def test_turns_are_remembered_and_replays_refused_as_before(tmp_path: Path, jump: float) -> None:
    """Where turns live for half an hour, an hour's jump would expire all of them."""
    system = System(MIDNIGHT)
    options = ConversationOptions(ttl_days=0.5 / 24)
    async with open_store(tmp_path / DATABASE, options, pace=STEPS, clock=system.clock) as store:
        await store.append(ANN, exchange(1, MIDNIGHT))
        await store.accept(question(1))
        await store.finish(1)
        system.now += 3 * jump
        await store.maintenance.remove_expired()
        assert await store.recent(ANN, 50) == exchange(1, MIDNIGHT)
        assert not await store.accept(question(1))


@pytest.mark.parametrize(("now", "jump"), [(MIDNIGHT - 60, HOUR), (MIDNIGHT + 60, -HOUR)])
async def test_a_daily_limit_is_neither_lifted_nor_yesterdays(
    tmp_path: Path, now: float, jump: float
) -> None:
    """The jump goes over midnight, in either direction."""
    system = System(now)
    options = AccountingOptions(person=Limit(tokens=100))
    async with open_store(tmp_path / DATABASE, pace=SLOW, clock=system.clock) as store:
        ledger = Ledger(store, Live(options), system.clock)
        await store.charge(ledger.charge(10, 7, "openai", "gpt", Usage(90, 0)))
        system.now += jump
        with pytest.raises(DailyLimitReached):
            async with ledger.reserve(10, 7, "openai", "gpt", Usage(20, 0)):
                pass
        assert ledger.charge(10, 7, "openai", "gpt", Usage(1, 0)).day == day_of(now)


@JUMPS
async def test_a_question_that_was_left_is_as_old_as_it_is_after_a_restart_with_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """Its age decides whether its interaction still takes an answer."""
    asked = question(1)
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        await store.accept(asked)
    system = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: system() + jump)
        async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
            (left,) = await store.take_over()
    before, after = asked.address.acknowledged_at, left.question.address.acknowledged_at
    assert after - before == pytest.approx(jump, abs=1)


@pytest.mark.parametrize("years", [-50, 6, 10, 60])
async def test_a_start_with_a_clock_that_is_years_wrong_deletes_nothing(tmp_path: Path, years: int) -> None:
    """Nobody knows until it is corrected; then all is remembered as before."""
    options, said = ConversationOptions(ttl_days=30), exchange(1, time.time() - 86_400)
    async with open_store(tmp_path / DATABASE, options, pace=SLOW) as store:
        await store.append(ANN, said)
    wrong = time.time() + years * 365 * 24 * HOUR
    async with open_store(tmp_path / DATABASE, options, pace=STEPS, clock=lambda: wrong) as store:
        await store.maintenance.remove_expired()
    async with open_store(tmp_path / DATABASE, options, pace=STEPS) as store:
        assert await store.recent(ANN, 50) == said
