"""Enforces the daily limits of answers, and prices them."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager

from discordianai.conversations.accounting import Accounts, Charge, Limit, Spent, day_of
from discordianai.conversations.options import AccountingOptions
from discordianai.conversations.store import StoreError
from discordianai.option import Live
from discordianai.records import Usage


class LimitReached(Exception):
    """The day's limit does not cover another answer; `whose` is `person` or `guild`."""

    def __init__(self, whose: str) -> None:
        super().__init__(f"the daily limit of this {whose} is reached")
        self.whose = whose


class Ledger:
    """Enforces the daily limits: reserve before a call, charge after it.

    The day's sums are in `accounts`; what is reserved and not yet charged is counted here, so that questions
    that come at the same moment cannot share one remainder. A reservation counts until it is left, which is
    after its charge: for a moment an answer may count twice, never not at all.
    """

    def __init__(
        self, accounts: Accounts, options: Live[AccountingOptions], clock: Callable[[], float]
    ) -> None:
        self._accounts = accounts
        self._options = options
        self._clock = clock
        self._tokens: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._cost: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._charged: dict[tuple[str, str], Spent] = {}

    @property
    def charged(self) -> Mapping[tuple[str, str], Spent]:
        """All charges since the start, by provider and model."""
        return dict(self._charged)

    def charge(self, person_id: int, guild_id: int | None, provider: str, model: str, usage: Usage) -> Charge:
        """The charge for what a provider reported."""
        price = self._options.now.price(model)
        cost = None if price is None else price.of(usage)
        self._charged[provider, model] = self._charged.get((provider, model), Spent()).plus(usage, cost)
        return Charge(person_id, guild_id, provider, model, usage, day_of(self._clock()), cost)

    @asynccontextmanager
    async def reserve(
        self, person_id: int, guild_id: int | None, model: str, most: Usage
    ) -> AsyncIterator[None]:
        """Set aside what an answer may need at `most`; raises `LimitReached`.

        A model without a price counts in tokens only. Where the day's sums cannot be read, nobody is refused.
        """
        options = self._options.now
        price = options.price(model)
        tokens = most.input_tokens + most.output_tokens
        cost = 0 if price is None else price.of(most)
        payers = [("person", person_id, options.person)]
        if guild_id is not None:
            payers.append(("guild", guild_id, options.guild))
        limited = [(whose, payer, limit) for whose, payer, limit in payers if limit]
        with ExitStack() as held:
            for whose, payer, _ in limited:
                self._hold((whose, payer), tokens, cost)
                held.callback(self._hold, (whose, payer), -tokens, -cost)
            for whose, payer, limit in limited:
                await self._check(whose, payer, limit)
            yield

    async def _check(self, whose: str, payer: int, limit: Limit) -> None:
        day = day_of(self._clock())
        try:
            if whose == "person":
                spent = await self._accounts.spent(day, person_id=payer)
            else:
                spent = await self._accounts.spent(day, guild_id=payer)
        except StoreError:
            return  # logged, and in the store's health
        held = (whose, payer)
        if not limit.allows(spent.tokens + self._tokens[held], spent.cost + self._cost[held]):
            raise LimitReached(whose)

    def _hold(self, payer: tuple[str, int], tokens: int, cost: int) -> None:
        self._tokens[payer] += tokens
        self._cost[payer] += cost
        if not self._tokens[payer] and not self._cost[payer]:
            del self._tokens[payer], self._cost[payer]
