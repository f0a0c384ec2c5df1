"""A month of made-up usage: every place that shows costs agrees with a calculation of its own.

The rows are what providers would send. The calculation goes over them by fractions, with prices that are
written here as the providers' pages have them; it shares nothing with the bot's.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import trio
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from discordianai.conversations.accounting import NANO, Charge, Spent
from discordianai.conversations.ledger import Ledger, Sums
from discordianai.conversations.options import AccountingOptions, ConversationOptions, ModelOptions
from discordianai.conversations.prices import bundled
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.discord.commands import usage
from discordianai.operations.metrics import make_registry
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot, spending_of
from discordianai.option import Live
from discordianai.providers.chat import ChatDecoder
from discordianai.providers.json_values import Json
from discordianai.providers.port import UsageReport
from discordianai.providers.responses import ResponsesDecoder
from discordianai.records import Person, Usage
from tests.conversations.builders import DATABASE, SLOW
from tests.discord.commands.builders import invocation, services
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY
from tests.operations.builders import well

ROWS = 2500
PEOPLE = range(101, 141)
MONTH = "2026-11"
HOSTS = {
    "openai": "api.openai.com",
    "perplexity": "api.perplexity.ai",
    "router": "openrouter.ai",
    "home": "127.0.0.1",
}
OWN = {
    "gpt-6.1-terra": ModelOptions(input_price=0.9, output_price=4.7, cached_price=0.033),
    "my-model": ModelOptions(input_price=0.07, output_price=0.0),
}

PRICES: Mapping[tuple[str, str], tuple[str, ...] | None] = {
    ("openai", "gpt-6-luna"): ("0.10", "0.01", "0.125", "0.50", "0.010"),
    ("openai", "gpt-6.1-terra"): ("0.9", "0.033", "0.9", "4.7", "0.010"),  # our own, but for the search
    ("perplexity", "fast"): ("0.10", "0.01", "0.125", "0.50", "0.0025"),
    ("perplexity", "perplexity/sonar"): ("0.25", "0.0625", "0.25", "2.50", "0.0025"),
    ("router", "unheard/of"): None,
    ("home", "my-model"): ("0.07", "0.07", "0.07", "0", "0"),
    ("home", "gpt-6-luna"): None,
}
"""Input, cached, written and output for a million; one search. None: nobody knows."""


@dataclass
class Row:
    """An answer as its provider sends it; what its own account of the cost is, is `told`."""

    at: datetime
    person: int
    guild: int | None
    provider: str
    model: str
    plain: int
    cached: int
    written: int
    output: int
    searches: int
    told: str | None
    body: Json = field(repr=False)


def rows(chance: random.Random) -> Iterator[Row]:
    """In the order of their times: from the last hours of October to the first of December."""
    zones = [
        UTC,
        timezone(timedelta(hours=14)),
        timezone(timedelta(hours=-12)),
        timezone(timedelta(hours=5.5)),
    ]
    first = datetime(2026, 10, 31, 20, tzinfo=UTC)
    spans = sorted(chance.uniform(0, 30.3 * 86400) for _ in range(ROWS))
    times = [first + timedelta(seconds=round(span, 3)) for span in spans]
    for day in range(1, 31):  # the last and the first moment of each day
        border = datetime(2026, 11, day, tzinfo=UTC)
        times += [border - timedelta(milliseconds=1), border]
    for at in sorted(times):
        yield row(chance, at.astimezone(chance.choice(zones)))


def row(chance: random.Random, at: datetime) -> Row:
    provider, model = chance.choice(list(PRICES))
    plain, cached, output = (
        chance.randint(1, 9000),
        chance.choice([0, 1024, 3 * 1024]),
        chance.randint(0, 4000),
    )
    if provider == "openai" and chance.random() < 0.02:
        plain = chance.randint(271_000, 274_000)
    written = chance.choice([0, 512]) if provider == "openai" else 0
    searches = chance.choice([0, 0, 1, 3]) if provider in {"openai", "perplexity"} else 0
    told = None
    if provider == "router" or (provider == "perplexity" and chance.random() < 0.7):
        told = f"{chance.randint(0, 90_000_000) / 10**9:.9f}"
    found = Row(
        at, chance.choice(PEOPLE), chance.choice([None, 7, 8]), provider, model,
        plain, cached, written, output, searches, told, {},
    )  # fmt: skip
    found.body = BODIES[provider](found)
    return found


def of_openai(row: Row) -> Json:
    """Its searches are told beside the usage."""
    return {
        "status": "completed",
        "output": [],
        "tool_usage": {"web_search": {"num_requests": row.searches}},
        "usage": {
            "input_tokens": row.plain + row.cached + row.written,
            "input_tokens_details": {"cached_tokens": row.cached, "cache_write_tokens": row.written},
            "output_tokens": row.output,
            "output_tokens_details": {"reasoning_tokens": row.output // 2},
            "total_tokens": row.plain + row.cached + row.written + row.output,
        },
    }


def of_perplexity(row: Row) -> Json:
    """With its own account of the cost, or without."""
    cost = {"cost": {"currency": "USD", "total_cost": float(row.told)}} if row.told else {}
    calls = {"tool_calls_details": {"search_web": {"invocation": row.searches}}} if row.searches else {}
    told = {
        "input_tokens": row.plain + row.cached,
        "input_tokens_details": {"cached_tokens": row.cached, "cache_read_input_tokens": row.cached},
        "output_tokens": row.output,
    }
    return {"status": "completed", "output": [], "usage": told | cost | calls}


def of_others(row: Row) -> Json:
    """A chat completion, whose thoughts are in its total alone."""
    thoughts = row.output // 3
    told: Json = {
        "prompt_tokens": row.plain + row.cached,
        "completion_tokens": row.output - thoughts,
        "total_tokens": row.plain + row.cached + row.output,
        "prompt_tokens_details": {"cached_tokens": row.cached},
    }
    if row.told:
        told["cost"] = float(row.told)
    return {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}], "usage": told}


BODIES: Mapping[str, Callable[[Row], Json]] = {
    "openai": of_openai,
    "perplexity": of_perplexity,
    "router": of_others,
    "home": of_others,
}


def read(row: Row) -> Usage:
    """As the bot reads it."""
    known = {"openai": OPENAI, "perplexity": PERPLEXITY}.get(row.provider)
    decoder = ResponsesDecoder(known, ()) if known else ChatDecoder(FOREIGN, ())
    (report,) = (event for event in decoder.decode_whole(row.body) if isinstance(event, UsageReport))
    return report.usage


# The calculation


@dataclass
class Total:
    """By fractions of a dollar."""

    answers: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    searches: int = 0
    unpriced: int = 0
    dollars: Fraction = Fraction(0)


def calculated(of: Iterable[Row]) -> Total:
    total = Total()
    for row in of:
        cost = calculated_cost(row)
        total.answers += 1
        total.input += row.plain + row.cached + row.written
        total.output += row.output
        total.cached += row.cached
        total.searches += row.searches
        total.unpriced += cost is None
        total.dollars += cost or 0
    return total


def calculated_cost(row: Row) -> Fraction | None:
    if row.told:
        return Fraction(row.told)
    prices = PRICES[row.provider, row.model]
    if prices is None:
        return None
    plain, cached, written, output, search = map(Fraction, prices)
    longer = row.model == "gpt-6-luna" and row.plain + row.cached + row.written > 272_000
    more, more_out = (2, Fraction(3, 2)) if longer else (1, 1)
    of_input = (row.plain * plain + row.cached * cached + row.written * written) * more
    return (of_input + row.output * output * more_out) / 1_000_000 + row.searches * search


def utc_day(row: Row) -> str:
    """By the days since 1970."""
    return date.fromordinal(719_163 + int(row.at.timestamp() // 86_400)).isoformat()


def grouped(of: Iterable[Row], key: Callable[[Row], object]) -> Mapping[object, list[Row]]:
    groups: defaultdict[object, list[Row]] = defaultdict(list)
    for each in of:
        groups[key(each)].append(each)
    return groups


# The comparison


def agree(spent: Spent, of: Iterable[Row]) -> None:
    total = calculated(of)
    counts = (spent.answers, spent.input_tokens, spent.output_tokens, spent.cached_tokens, spent.searches)
    assert counts == (total.answers, total.input, total.output, total.cached, total.searches)
    assert spent.unpriced == total.unpriced
    same_amount(Fraction(spent.cost, NANO), total.dollars)


def same_amount(shown: Fraction, calculated: Fraction) -> None:
    """Much closer than a cent: half a nano-dollar for each answer, or a float's last digits."""
    assert abs(shown - calculated) < Fraction(1, 100_000)


def charged(found: Mapping[object, list[Row]], sums: Sums) -> None:
    assert sums.keys() == found.keys()
    for key, spent in sums.items():
        agree(spent, found[key])


def by_model(row: Row) -> tuple[str, str]:
    return row.provider, row.model


def snapshot(ledger: Ledger) -> Snapshot:
    spent: defaultdict[str, dict[str, Spent]] = defaultdict(dict)
    for (provider, model), each in ledger.charged.items():
        spent[provider][model] = each
    like = next(iter(well().providers.values()))
    providers: dict[str, ProviderSnapshot] = {name: replace(like, spent=spent[name]) for name in HOSTS}
    return replace(well(), providers=providers, spending=spending_of(ledger))


def scraped(ledger: Ledger, metric: str) -> dict[object, Fraction]:
    """The figures of a metric by provider and model, as Prometheus reads them."""
    text = generate_latest(make_registry(lambda: snapshot(ledger))).decode()
    return {
        (sample.labels["provider"], sample.labels["model"]): Fraction(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"discordianai_{metric}"
    }


AT_ONCE = 200
"""Charges that are written in one moment."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def charge_all(store: SqliteStore, ledger: Ledger, clock: Clock, some: Iterable[Row]) -> None:
    """As answers are charged: many at once, in the order of their times."""
    waiting: list[Charge] = []
    for each in some:
        clock.now = each.at.timestamp()
        waiting.append(ledger.charge(each.person, each.guild, each.provider, each.model, read(each)))
    for start in range(0, len(waiting), AT_ONCE):  # so that none takes as long as on a slow disk
        async with trio.open_nursery() as nursery:
            for charge in waiting[start : start + AT_ONCE]:
                nursery.start_soon(store.charge, charge)


async def shown_to(store: SqliteStore, ledger: Ledger, person: int) -> tuple[str, str]:
    """What `/usage` says of today and of this month."""
    by_name = services(store, ledger, ConversationOptions())
    reply = await usage.handle(invocation(person=Person(person, "Ann")), by_name)
    today, month = reply.text.splitlines()[:2]
    assert len(reply.text) < 2000
    return today, month


def agrees_in_words(words: str, of: list[Row]) -> None:
    """Each figure of a line of `/usage`: the cost to the cent."""
    total = calculated(of)
    for figure, word in (
        (total.answers, "answer"),
        (total.input + total.output, "token"),
        (total.searches, "web search"),
        (total.unpriced, "without a known price"),
    ):
        if figure or word in {"answer", "token"}:
            assert re.search(rf"\b{figure:,} {word}", words), (figure, word, words)
    cost = re.search(r"cost \$([\d,.]+)", words)
    assert abs(Decimal(cost[1].replace(",", "")) if cost else 0) == to_the_cent(total.dollars)


def to_the_cent(dollars: Fraction) -> Decimal:
    """Below a dollar to a hundredth of a cent."""
    exact = Decimal(dollars.numerator) / Decimal(dollars.denominator)
    return round(exact, 2 if dollars >= 1 else 4)


async def test_a_month_of_usage_is_the_same_in_all_places_and_by_another_calculation(tmp_path: Path) -> None:
    """`/usage`, Prometheus, the status page and the database agree to the cent, over a restart, too."""
    found = list(rows(random.Random(17)))
    december = [each for each in found if utc_day(each) > "2026-12"]
    found = found[: -len(december)]
    middle = len(found) * 2 // 3
    clock = Clock()
    options = Live(AccountingOptions(OWN, hosts=HOSTS, table=bundled()))
    async with open_store(tmp_path / DATABASE, pace=SLOW, clock=clock) as store:
        before = Ledger(store, options, clock)
        await before.open()
        await charge_all(store, before, clock, found[:middle])
    async with open_store(tmp_path / DATABASE, pace=SLOW, clock=clock) as store:
        ledger = Ledger(store, options, clock)
        await ledger.open()
        await charge_all(store, ledger, clock, found[middle:])
        clock.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp()
        await agrees_with_the_database(store, found)
        agrees_with_the_pages([before, ledger], found)
        await agrees_with_each_person(store, ledger, found)
        await charge_all(store, ledger, clock, december)
        charged(grouped(december, by_model), ledger.spent_this_month)


async def agrees_with_the_database(store: SqliteStore, found: list[Row]) -> None:
    """Line by line."""
    same = grouped(found, lambda each: (utc_day(each), *by_model(each)))
    lines = await store.spending("2026-10-01")
    assert {(line.day, line.provider, line.model) for line in lines} == same.keys()
    for line in lines:
        agree(line.spent, same[line.day, line.provider, line.model])


def agrees_with_the_pages(processes: list[Ledger], found: list[Row]) -> None:
    """The counters of all processes together, and what the last one has of this month and of today."""
    month = grouped([each for each in found if utc_day(each).startswith(MONTH)], by_model)
    today = grouped([each for each in found if utc_day(each) == "2026-11-30"], by_model)
    *_, ledger = processes
    charged(month, ledger.spent_this_month)
    charged(today, ledger.spent_today)
    counted: defaultdict[object, Fraction] = defaultdict(Fraction)
    for process in processes:
        for key, amount in scraped(process, "cost_total").items():
            counted[key] += amount
    for shown, rows_of in (
        (counted, grouped(found, by_model)),
        (scraped(ledger, "cost_this_month"), month),
        (scraped(ledger, "cost_today"), today),
    ):
        assert shown.keys() == rows_of.keys()
        for key, amount in shown.items():
            same_amount(amount, calculated(rows_of[key]).dollars)


async def agrees_with_each_person(store: SqliteStore, ledger: Ledger, found: list[Row]) -> None:
    """What `/usage` tells them."""
    month = [each for each in found if utc_day(each).startswith(MONTH)]
    of_people = grouped(month, lambda each: each.person)
    assert of_people.keys() == set(PEOPLE)
    for person in PEOPLE:
        told_today, told_month = await shown_to(store, ledger, person)
        agrees_in_words(told_month, of_people[person])
        agrees_in_words(told_today, [each for each in of_people[person] if utc_day(each) == "2026-11-30"])
