"""What answers cost: prices, daily limits, and how much each person and server has spent.

Money is in US dollars, and counted in whole nano-dollars, billionths of one: a token costs down to fractions
of a millionth, and integers add up without a remainder. The cost of a request is exact until it is rounded,
once, to a nano-dollar. A day and a month are those in UTC.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Protocol

from annotated_types import Ge, Gt, Lt

from discordianai.metric import Metric
from discordianai.option import Key
from discordianai.records import Usage

NANO = 10**9
"""Nano-dollars in a dollar."""

NANO_IN_MICRO = 1000
MICRO_IN_MILLI = 1000


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens of a model, and for a thousand of its web searches.

    Without a price for caching, cached input costs what all input does. `above` has the prices of longer
    requests: for all tokens of a request that has more input tokens than the number, the longest last.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    searches: Decimal = Decimal(0)
    above: tuple[tuple[int, "Price"], ...] = ()

    def cost(self, usage: Usage) -> int:
        """What `usage` costs by this price, in nano-dollars, regardless of the provider's own figure."""
        rates = self
        for tokens, longer in self.above:
            rates = longer if usage.input_tokens > tokens else rates
        cached = rates.input if rates.cached is None else rates.cached
        written = rates.input if rates.cache_write is None else rates.cache_write
        plain = usage.input_tokens - usage.cached_tokens - usage.cache_writes
        # A dollar for a million of something is a millionth of one for each.
        micro = (
            plain * rates.input
            + usage.cached_tokens * cached
            + usage.cache_writes * written
            + usage.output_tokens * rates.output
            + usage.searches * self.searches * MICRO_IN_MILLI
        )
        return int((micro * NANO_IN_MICRO).to_integral_value(ROUND_HALF_EVEN))


def dollars(nano: int) -> str:
    """An amount of nano-dollars for people: to the cent; below one dollar, to a hundredth of a cent."""
    smallest = NANO // 10_000
    if 0 < nano < smallest:
        return "under $0.0001"
    places = 2 if nano >= NANO or nano == 0 else 4
    return f"${Decimal(nano).scaleb(-9):,.{places}f}"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one answer used. `provider` is the name of the provider that gave it.

    `cost` is in nano-dollars, None where nobody knows the model's price.
    """

    person_id: int
    guild_id: int | None
    provider: str
    model: str
    usage: Usage
    day: str
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """A sum: `cost` in nano-dollars; `unpriced` answers contribute only their tokens."""

    answers: Annotated[int, Metric("charged_answers_total", "Answers charged")] = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    unpriced: Annotated[
        int, Metric("unpriced_answers_total", "Answers charged without a price for their model")
    ] = 0
    cached_tokens: Annotated[
        int, Metric("cached_tokens_total", "Input tokens that providers read from their caches")
    ] = 0
    searches: Annotated[int, Metric("searches_total", "Web searches that providers charge for")] = 0

    @property
    def money(self) -> Annotated[float, Metric("cost_total", "Cost of the answers, in US dollars")]:
        """The cost in dollars: a float for display, not for sums."""
        return self.cost / NANO

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def plus(self, usage: Usage, cost: int | None) -> "Spent":
        """The sum with one more answer."""
        return self.with_sum(
            Spent(
                1,
                usage.input_tokens,
                usage.output_tokens,
                cost or 0,
                int(cost is None),
                usage.cached_tokens,
                usage.searches,
            )
        )

    def with_sum(self, other: "Spent") -> "Spent":
        """Both sums together."""
        return Spent(
            self.answers + other.answers,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost + other.cost,
            self.unpriced + other.unpriced,
            self.cached_tokens + other.cached_tokens,
            self.searches + other.searches,
        )


@dataclass(frozen=True, slots=True)
class SpentOn:
    """A line of the accounts."""

    day: str
    provider: str
    model: str
    spent: Spent


@dataclass(frozen=True, slots=True)
class Limit:
    """`[daily_limits.user]` and `.server`: what may be spent in a day (UTC); None is no limit."""

    tokens: Annotated[int | None, Ge(1), Key("input and output together", live=True)] = None
    money: Annotated[
        float | None,
        Gt(0),
        Lt(math.inf),
        Key("US dollars: the most that a question may cost must fit", live=True),
    ] = None

    def __bool__(self) -> bool:
        return self.tokens is not None or self.money is not None

    def allows(self, tokens: int, cost: int) -> bool:
        """Whether a day's sum of `tokens`, and of `cost` nano-dollars, is within it."""
        within_tokens = self.tokens is None or tokens <= self.tokens
        return within_tokens and (self.nano is None or cost <= self.nano)

    @property
    def nano(self) -> int | None:
        """`money` of the settings in nano-dollars."""
        return None if self.money is None else int(exact(self.money) * NANO)


class Accounts(Protocol):
    """The repository of charges. Every call raises `StoreError`."""

    async def charge(self, charge: Charge, interaction_id: int | None = None) -> None:
        """Store a charge of that question, whose answer is not stored; `answered` stores those of others.

        Where the question was forgotten, it is the person's only on that same day.
        """

    async def spent(self, day: str, *, person_id: int | None = None, guild_id: int | None = None) -> Spent:
        """A day's sum of a person, of a server, of a person in a server, or of all."""

    async def spending(
        self, first_day: str, *, person_id: int | None = None, guild_id: int | None = None
    ) -> tuple[SpentOn, ...]:
        """The sums by day, provider and model since `first_day`."""


def exact(written: float) -> Decimal:
    """The exact decimal that the settings contain, although their numbers are read as floats."""
    return Decimal(repr(written))


def day_of(at: float) -> str:
    """The day in UTC, as in 2026-11-24, of a time in seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def month_of(day: str) -> str:
    """The month of a day, as in 2026-11."""
    return day[:7]
