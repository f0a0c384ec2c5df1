"""What answers cost: prices, daily limits, and who has spent how much.

Money is counted in nano-units (a billionth) of whatever currency the prices are in: a token costs down to
fractions of a millionth, and integers add up without a remainder. A day is a day in UTC.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

from discordianai.model import ProviderName, Usage

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
    """What one answer used. `cost` is in nano-units, None where the model has no price."""

    person_id: int
    guild_id: int | None
    provider: ProviderName
    model: str
    usage: Usage
    day: str
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """A sum: `cost` in nano-units; `unpriced` answers are in the tokens only."""

    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class SpentOn:
    """A line of the accounts."""

    day: str
    provider: str
    model: str
    spent: Spent


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be spent in a day, in tokens or in money; None is no limit."""

    tokens: int | None = None
    money: float | None = None

    def __bool__(self) -> bool:
        return self.tokens is not None or self.money is not None

    def allows(self, tokens: int, cost: int) -> bool:
        """Whether a day's sum of `tokens`, and of `cost` nano-units, is within it."""
        within_tokens = self.tokens is None or tokens <= self.tokens
        return within_tokens and (self.money is None or cost <= self.money * NANO)


@dataclass(frozen=True, slots=True)
class AccountingOptions:
    """Prices by model, and the daily limits of each person and of each server."""

    prices: Mapping[str, Price] = field(default_factory=lambda: MappingProxyType({}))
    person: Limit = Limit()
    guild: Limit = Limit()


class LimitReached(Exception):
    """The day's limit does not cover another answer; `whose` is `person` or `guild`."""

    def __init__(self, whose: str) -> None:
        super().__init__(f"the daily limit of this {whose} is reached")
        self.whose = whose


class Accounts(Protocol):
    """Where charges are kept. Every call raises `StoreError`."""

    async def charge(self, charge: Charge) -> None:
        """Keep a charge that belongs to no question; one that does comes with `answered`."""

    async def spent(self, day: str, *, person_id: int | None = None, guild_id: int | None = None) -> Spent:
        """A day's sum of a person, of a server, of a person in a server, or of all."""

    async def spending(
        self, first_day: str, *, person_id: int | None = None, guild_id: int | None = None
    ) -> tuple[SpentOn, ...]:
        """The sums by day, provider and model since `first_day`."""


def day_of(at: float) -> str:
    """The day in UTC, as in 2026-11-24, of a time in seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


class Ledger:
    """Holds answers to the daily limits: reserve before a call, charge after it.

    The day's sums are in `accounts`; what is reserved and not yet charged is counted here, so that questions
    that come at the same moment cannot share one remainder. A reservation counts until it is left, which is
    after its charge: for a moment an answer may count twice, never not at all.
    """

    def __init__(self, accounts: Accounts, options: AccountingOptions, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._options = options
        self._clock = clock
        self._tokens: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._cost: defaultdict[tuple[str, int], int] = defaultdict(int)

    def charge(
        self, person_id: int, guild_id: int | None, provider: ProviderName, model: str, usage: Usage
    ) -> Charge:
        """The charge for what a provider reported."""
        price = self._options.prices.get(model)
        cost = None if price is None else price.of(usage)
        return Charge(person_id, guild_id, provider, model, usage, day_of(self._clock()), cost)

    @asynccontextmanager
    async def reserve(
        self, person_id: int, guild_id: int | None, model: str, most: Usage
    ) -> AsyncIterator[None]:
        """Set aside what an answer may need at `most`; raises `LimitReached`, `StoreError`.

        A model without a price counts in tokens only.
        """
        price = self._options.prices.get(model)
        tokens = most.input_tokens + most.output_tokens
        cost = 0 if price is None else price.of(most)
        payers = [("person", person_id, self._options.person)]
        if guild_id is not None:
            payers.append(("guild", guild_id, self._options.guild))
        limited = [(whose, payer, limit) for whose, payer, limit in payers if limit]
        for whose, payer, _ in limited:
            self._hold((whose, payer), tokens, cost)
        try:
            for whose, payer, limit in limited:
                await self._check(whose, payer, limit)
            yield
        finally:
            for whose, payer, _ in limited:
                self._hold((whose, payer), -tokens, -cost)

    async def _check(self, whose: str, payer: int, limit: Limit) -> None:
        day = day_of(self._clock())
        if whose == "person":
            spent = await self._accounts.spent(day, person_id=payer)
        else:
            spent = await self._accounts.spent(day, guild_id=payer)
        held = (whose, payer)
        if not limit.allows(spent.tokens + self._tokens[held], spent.cost + self._cost[held]):
            raise LimitReached(whose)

    def _hold(self, payer: tuple[str, int], tokens: int, cost: int) -> None:
        self._tokens[payer] += tokens
        self._cost[payer] += cost
        if not self._tokens[payer] and not self._cost[payer]:
            del self._tokens[payer], self._cost[payer]
