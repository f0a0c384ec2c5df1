"""What answers cost: prices, daily limits, and how much each person and server has spent.

Money is counted in nano-units (a billionth) of whatever currency the prices are in: a token costs down to
fractions of a millionth, and integers add up without a remainder. A day is a day in UTC.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Protocol

from annotated_types import Ge, Gt, Lt

from discordianai.metric import Metric
from discordianai.option import Key
from discordianai.records import Usage

NANO = 10**9
MILLION = 10**6


@dataclass(frozen=True, slots=True)
class Price:
    """Money for a million tokens of a model."""

    input: float
    output: float

    def of(self, usage: Usage) -> int:
        """What `usage` costs, in nano-units."""
        per_token = NANO // MILLION
        return round((usage.input_tokens * self.input + usage.output_tokens * self.output) * per_token)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one answer used. `provider` is the name of who gave it.

    `cost` is in nano-units, None where the model has no price.
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
    """A sum: `cost` in nano-units; `unpriced` answers are in the tokens only."""

    answers: Annotated[int, Metric("charged_answers_total", "Answers charged")] = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    unpriced: Annotated[
        int, Metric("unpriced_answers_total", "Answers charged without a price for their model")
    ] = 0

    @property
    def money(
        self,
    ) -> Annotated[float, Metric("cost_total", "Cost of the answers, in the currency of the prices")]:
        """The cost in whole units."""
        return self.cost / NANO

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, usage: Usage, cost: int | None) -> "Spent":
        """The sum with one more answer."""
        return Spent(
            self.answers + 1,
            self.input_tokens + usage.input_tokens,
            self.output_tokens + usage.output_tokens,
            self.cost + (cost or 0),
            self.unpriced + (cost is None),
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
        float | None, Gt(0), Lt(math.inf), Key("in the currency of the prices in [models]", live=True)
    ] = None

    def __bool__(self) -> bool:
        return self.tokens is not None or self.money is not None

    def allows(self, tokens: int, cost: int) -> bool:
        """Whether a day's sum of `tokens`, and of `cost` nano-units, is within it."""
        within_tokens = self.tokens is None or tokens <= self.tokens
        return within_tokens and (self.money is None or cost <= self.money * NANO)


class Accounts(Protocol):
    """The repository of charges. Every call raises `StoreError`."""

    async def charge(self, charge: Charge) -> None:
        """Store a charge that belongs to no question; one that does comes with `answered`."""

    async def spent(self, day: str, *, person_id: int | None = None, guild_id: int | None = None) -> Spent:
        """A day's sum of a person, of a server, of a person in a server, or of all."""

    async def spending(
        self, first_day: str, *, person_id: int | None = None, guild_id: int | None = None
    ) -> tuple[SpentOn, ...]:
        """The sums by day, provider and model since `first_day`."""


def day_of(at: float) -> str:
    """The day in UTC, as in 2026-11-24, of a time in seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
