"""Daily limits: what is reserved before a request, what is charged after it, and what is left whatever
happens."""

import signal
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from discordianai.conversations.accounting import NANO, Charge, Limit, Price, Spent
from discordianai.conversations.ledger import (
    COST_AGE,
    LONGEST_SETTLING,
    MOST_MODELS,
    OTHER_MODELS,
    DailyLimitReached,
    Ledger,
)
from discordianai.conversations.options import AccountingOptions, ModelOptions
from discordianai.conversations.sqlite.store import open_store
from discordianai.conversations.store import KeptInMemory, StoreError
from discordianai.option import Live
from discordianai.records import Usage
from tests.conversations.builders import DATABASE, SLOW
from tests.doubles.store import MemoryStore

ANN, BEN, SERVER = 10, 11, 7
A_CENT = ModelOptions(input_price=0.0, output_price=10.0)
"""A thousand output tokens cost a cent."""

ONE = Usage(0, 1000)
NO_LIMIT = Limit()


def ledger(
    *,
    store: MemoryStore | None = None,
    clock: Callable[[], float] = lambda: 1.8e9,
    person: Limit = NO_LIMIT,
    guild: Limit = NO_LIMIT,
) -> Ledger:
    options = AccountingOptions({"priced": A_CENT}, person, guild)
    return Ledger(store or MemoryStore(), Live(options), clock)


def at(moment: str) -> float:
    return datetime.fromisoformat(f"{moment}+00:00").timestamp()


async def reserved(of: Ledger, most: Usage, person: int = ANN) -> None:
    async with of.reserve(person, SERVER, "openai", "priced", ONE, most):
        pass


async def test_a_limit_in_money_reserves_the_most_and_one_in_tokens_what_is_expected() -> None:
    """Nobody knows before how long an answer gets; money is not to be spent that is not there."""
    most = Usage(0, 5000)
    await reserved(ledger(person=Limit(money=0.05)), most)
    with pytest.raises(DailyLimitReached):
        await reserved(ledger(person=Limit(money=0.049)), most)
    await reserved(ledger(person=Limit(tokens=1000)), most)
    with pytest.raises(DailyLimitReached):
        await reserved(ledger(person=Limit(tokens=999)), most)


async def test_who_is_refused_is_told_what_is_left_and_what_it_may_cost() -> None:
    """Where nothing is left, there is no more to say."""
    store = MemoryStore()
    limited = ledger(store=store, person=Limit(money=0.05))
    await store.charge(limited.charge(ANN, None, "openai", "priced", Usage(0, 3500)))
    with pytest.raises(DailyLimitReached) as refused:
        await reserved(limited, Usage(0, 2000))
    assert (refused.value.whose, refused.value.most, refused.value.left) == ("person", "$0.0200", "$0.0150")
    await store.charge(limited.charge(ANN, None, "openai", "priced", Usage(0, 1500)))
    with pytest.raises(DailyLimitReached) as refused:
        await reserved(limited, ONE)
    assert (refused.value.most, refused.value.left) == ("", "")


async def test_a_search_is_reserved_with_the_question() -> None:
    """Five searches at a cent each cost more than the answer."""
    model = ModelOptions(input_price=0.0, output_price=10.0, search_price=10.0)
    options = AccountingOptions({"searching": model}, person=Limit(money=0.04))
    limited = Ledger(MemoryStore(), Live(options), lambda: 1.8e9)
    async with limited.reserve(ANN, None, "openai", "searching", ONE, Usage(0, 1000, searches=3)):
        pass
    with pytest.raises(DailyLimitReached):
        async with limited.reserve(ANN, None, "openai", "searching", ONE, Usage(0, 1000, searches=5)):
            pass


def charge_told(of: Ledger, *costs: int, model: str = "high") -> list[int | None]:
    return [of.charge(BEN, None, "perplexity", model, Usage(9, 9, cost=cost)).cost for cost in costs]


async def passes(of: Ledger, model: str = "high") -> bool:
    try:
        async with of.reserve(ANN, None, "perplexity", model, ONE):
            return True
    except DailyLimitReached:
        return False


async def test_what_a_provider_does_by_itself_is_reserved_by_what_it_cost_lately() -> None:
    """A preset has no price, and each of its answers tells what it cost."""
    limited = ledger(person=Limit(money=0.10))
    assert charge_told(limited, NANO // 5, 5, NANO // 6) == [NANO // 5, 5, NANO // 6]
    assert not await passes(limited)
    assert await passes(limited, model="low")


async def test_one_absurd_cost_keeps_nobody_away() -> None:
    """Neither the first figure that is told nor one among others; the next ones still count."""
    limited = ledger(person=Limit(money=0.10))
    charge_told(limited, 199 * NANO)
    assert await passes(limited)
    charge_told(limited, *[NANO // 100] * 10)
    assert await passes(limited)
    charge_told(limited, NANO // 5)
    assert not await passes(limited)


async def test_absurd_costs_are_forgotten_although_nobody_can_ask_any_more() -> None:
    """No answer comes that would tell another cost: it is time that ends it."""
    now = 1.8e9
    limited = ledger(person=Limit(money=0.10), clock=lambda: now)
    charge_told(limited, *[199 * NANO] * 2)
    assert not await passes(limited)
    now += COST_AGE
    assert await passes(limited)


async def test_costs_are_remembered_of_a_bounded_number_of_models() -> None:
    """Those beyond share what is told of any of them."""
    limited = ledger(person=Limit(money=0.10))
    for number in range(MOST_MODELS):
        charge_told(limited, 5, model=f"model {number}")
    charge_told(limited, NANO, NANO, model="one more")
    assert not await passes(limited, model="one more")
    assert await passes(limited, model="model 1")


async def test_questions_of_one_moment_cannot_share_what_is_left_of_the_money() -> None:
    """Of ten that may cost a cent each, five fit into five cents; once they are left, others do."""
    limited = ledger(guild=Limit(money=0.05))
    let_in: list[int] = []
    leave = trio.Event()

    async def ask(person: int) -> None:
        try:
            async with limited.reserve(person, SERVER, "openai", "priced", ONE):
                let_in.append(person)
                await leave.wait()
        except DailyLimitReached:
            pass

    async with trio.open_nursery() as nursery:
        for person in range(10):
            nursery.start_soon(ask, person)
        await trio.testing.wait_all_tasks_blocked()
        assert len(let_in) == 5
        leave.set()
    await reserved(limited, Usage(0, 5000))


class SlowStore(MemoryStore):
    """One that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = trio.Event()

    async def spent(self, day: str, *, person_id: int | None = None, guild_id: int | None = None) -> Spent:
        await self.answers.wait()
        return await super().spent(day, person_id=person_id, guild_id=guild_id)


async def test_a_cancelled_question_holds_nothing_wherever_it_is_cancelled() -> None:
    """While it is checked, while it is asked, or by a bug within."""
    store = SlowStore()
    limited = ledger(store=store, person=Limit(money=0.01), guild=Limit(money=0.01))
    with trio.move_on_after(0.01) as while_checked:
        await reserved(limited, ONE)
    assert while_checked.cancelled_caught
    store.answers.set()
    with trio.move_on_after(0.01) as while_asked:
        async with limited.reserve(ANN, SERVER, "openai", "priced", ONE):
            await trio.sleep_forever()
    assert while_asked.cancelled_caught
    with pytest.raises(ZeroDivisionError):
        async with limited.reserve(ANN, SERVER, "openai", "priced", ONE):
            raise ZeroDivisionError
    with pytest.raises(DailyLimitReached):
        await reserved(limited, Usage(0, 1001))
    await reserved(limited, ONE)


async def test_what_was_used_is_stored_although_its_question_is_cancelled() -> None:
    """Its provider has charged it already."""
    store = MemoryStore()
    ours = ledger(store=store)
    with trio.CancelScope() as scope:
        scope.cancel()
        await ours.settle(1, [ours.charge(ANN, None, "openai", "priced", ONE)])
    (line,) = await store.spending("2000-01-01")
    assert line.spent.cost == NANO // 100


async def test_a_store_that_hangs_does_not_keep_a_cancelled_question(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The bot would not stop."""

    class Hanging(MemoryStore):
        async def charge(self, charge: Charge, interaction_id: int | None = None) -> None:
            await trio.sleep_forever()

    ours = ledger(store=Hanging())
    began = trio.current_time()
    await ours.settle(1, [ours.charge(ANN, None, "openai", "priced", ONE)])
    assert trio.current_time() - began == LONGEST_SETTLING


@pytest.mark.parametrize("trouble", ["kept", "slow"])
async def test_each_charge_of_a_cancelled_question_reaches_a_store_in_trouble(
    autojump_clock: trio.testing.MockClock, trouble: str
) -> None:
    reached: list[str] = []

    class InTrouble(MemoryStore):
        async def charge(self, charge: Charge, interaction_id: int | None = None) -> None:
            reached.append(charge.model)
            if trouble == "kept":
                raise KeptInMemory("the disk is full")
            await trio.sleep_forever()

    ours = ledger(store=InTrouble())
    charges = [ours.charge(ANN, None, "openai", model, ONE) for model in ("one", "two")]
    await ours.settle(1, charges)
    assert sorted(reached) == ["one", "two"]


async def test_a_model_without_a_price_counts_in_tokens_and_is_named_once() -> None:
    """An operator is not to read the same line with each answer."""
    ours = ledger(person=Limit(money=0.01))
    with capture_logs() as logs:
        models = ("llama", "llama", "qwen")
        charges = [ours.charge(ANN, None, "home", model, Usage(10**6, 1)) for model in models]
    assert {charge.cost for charge in charges} == {None}
    assert [line["model"] for line in logs] == ["llama", "qwen"]
    async with ours.reserve(ANN, None, "home", "llama", Usage(10**6, 10**6)):
        pass


async def test_models_without_end_do_not_make_figures_without_end() -> None:
    """Each figure is a series in Prometheus, for as long as the bot runs."""
    ours = ledger()
    for number in range(3 * MOST_MODELS):
        ours.charge(ANN, None, "home", f"model-{number}", Usage(1, 1, cost=1))
    for sums in (ours.charged, ours.spent_today, ours.spent_this_month):
        assert len(sums) == MOST_MODELS + 1
        assert sums["home", OTHER_MODELS].answers == 2 * MOST_MODELS
        assert sum(spent.cost for spent in sums.values()) == 3 * MOST_MODELS


async def test_today_and_this_month_begin_anew_at_midnight_utc() -> None:
    """And the database has what was charged before a restart."""
    store, times = MemoryStore(), [at("2026-11-30T23:59")]
    ours = ledger(store=store, clock=lambda: times[-1])
    await store.charge(ours.charge(ANN, None, "openai", "priced", ONE))
    key = ("openai", "priced")
    assert ours.spent_today[key].cost == ours.spent_this_month[key].cost == NANO // 100
    again = ledger(store=store, clock=lambda: times[-1])
    await again.open()
    assert again.spent_this_month == ours.spent_this_month
    assert again.charged == {}
    times.append(at("2026-12-01T00:00"))
    assert again.spent_today == again.spent_this_month == {}
    again.charge(ANN, None, "openai", "priced", ONE)
    times.append(at("2026-12-02T00:00"))
    again.charge(ANN, None, "openai", "priced", ONE)
    assert again.spent_today[key].answers == 1
    assert again.spent_this_month[key].answers == 2


async def test_a_store_that_cannot_be_read_keeps_no_bot_from_starting() -> None:
    """The sums of the month begin at nothing then; health tells why."""

    class Unreadable(MemoryStore):
        async def spending(self, first_day: str, **_: object) -> tuple[()]:
            raise StoreError("disk I/O error")

    ours = ledger(store=Unreadable())
    await ours.open()
    assert ours.spent_this_month == {}


async def test_a_new_price_holds_from_the_next_answer_on() -> None:
    """Settings are read again while the bot runs; what was charged stays."""
    options = Live(AccountingOptions({"priced": A_CENT}))
    ours = Ledger(MemoryStore(), options, lambda: 1.8e9)
    before = ours.charge(ANN, None, "openai", "priced", ONE)
    options.reconfigure(AccountingOptions({"priced": ModelOptions(input_price=0.0, output_price=20.0)}))
    after = ours.charge(ANN, None, "openai", "priced", ONE)
    assert (before.cost, after.cost) == (NANO // 100, NANO // 50)
    assert Price(Decimal(0), Decimal(20)).cost(ONE) == NANO // 50


SCRIPT = """
import sys, trio
from pathlib import Path
from discordianai.conversations.accounting import Limit
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.options import AccountingOptions
from discordianai.conversations.sqlite.store import open_store
from discordianai.conversations.store import KeptInMemory
from discordianai.option import Live
from tests.conversations.builders import SLOW
from tests.conversations.test_ledger import A_CENT, ANN, ONE

async def main():
    async with open_store(Path(sys.argv[1]), pace=SLOW) as store:
        options = Live(AccountingOptions({"priced": A_CENT}, person=Limit(money=0.02)))
        ledger = Ledger(store, options, lambda: 1.8e9)
        async with ledger.reserve(ANN, None, "openai", "priced", ONE):
            await store.charge(ledger.charge(ANN, None, "openai", "priced", ONE))
        async with ledger.reserve(ANN, None, "openai", "priced", ONE):
            print("reserved", flush=True)
            await trio.sleep_forever()

trio.run(main)
"""


@pytest.mark.slow
async def test_a_killed_process_leaves_nothing_reserved_and_what_was_charged(tmp_path: Path) -> None:
    """Killed between the reservation and the charge of its second question."""
    path = tmp_path / DATABASE
    process = await trio.lowlevel.open_process([sys.executable, "-c", SCRIPT, str(path)], stdout=-1)
    assert process.stdout is not None
    with trio.fail_after(30):
        async with process.stdout:
            assert (await process.stdout.receive_some()).startswith(b"reserved")
            process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
    async with open_store(path, pace=SLOW) as store:
        options = Live(AccountingOptions({"priced": A_CENT}, person=Limit(money=0.02)))
        after = Ledger(store, options, lambda: 1.8e9)
        await after.open()
        async with after.reserve(ANN, None, "openai", "priced", ONE):
            pass
        with pytest.raises(DailyLimitReached):
            async with after.reserve(ANN, None, "openai", "priced", Usage(0, 1001)):
                pass
        assert after.spent_today["openai", "priced"] == Spent(1, 0, 1000, NANO // 100)
