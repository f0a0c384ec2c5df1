"""Enforces the daily limits of answers, prices them, and adds up what they have cost."""

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress

import structlog
import trio

from discordianai.conversations.accounting import Accounts, Charge, Limit, Spent, day_of, dollars, month_of
from discordianai.conversations.options import AccountingOptions
from discordianai.conversations.store import StoreError
from discordianai.option import Live
from discordianai.records import Usage

MOST_MODELS = 100
"""Models with separate sums, of all providers together: a metric has the model as its label."""

OTHER_MODELS = "other"

COSTS_REMEMBERED = 50
"""Costs of a model's newest answers, as its provider told them, from which the next one's is expected."""

COST_AGE = 3600.0
"""Seconds for which such a cost counts."""

LONGEST_SETTLING = 1.0
"""Seconds that the charges of a question that is being cancelled may take to be stored."""

Sums = Mapping[tuple[str, str], Spent]
"""By provider and model."""


class DailyLimitReached(Exception):
    """A daily limit does not cover another answer; `whose` is `person` or `guild`.

    `dispatch.refusals.BeyondDailyLimit` has the text for people.

    If a limit in money is not yet used up, `most` is what the answer may cost, and `left` what remains, in
    words; otherwise both are empty.
    """

    def __init__(self, whose: str, most: str = "", left: str = "") -> None:
        super().__init__(f"the daily limit of this {whose} is reached")
        self.whose = whose
        self.most = most
        self.left = left


class ToldCosts:
    """What a provider said that a model's newest answers cost, in nano-dollars; times in seconds."""

    def __init__(self) -> None:
        self._costs: deque[tuple[float, int]] = deque(maxlen=COSTS_REMEMBERED)

    def add(self, cost: int, now: float) -> None:
        """One more answer."""
        self._costs.append((now, cost))

    def expected(self, now: float) -> int:
        """The second highest of late; 0 where fewer are known.

        A single figure can be absurd, and would keep everybody away whose limit is in money. No answer would
        then correct it, so that time has to.
        """
        recent = sorted(cost for at, cost in self._costs if at > now - COST_AGE)
        return recent[-2] if len(recent) > 1 else 0


class Ledger:
    """Enforces the daily limits: reserve before a call, charge after it.

    The day's sums are in `accounts`; what is reserved and not yet charged is counted here, so that
    simultaneous questions cannot spend the same remainder twice. A reservation counts until it is left, which
    is after its charge: for a moment an answer may count twice, never not at all. It is in memory only: a
    process that is killed leaves nothing reserved.
    """

    def __init__(
        self, accounts: Accounts, options: Live[AccountingOptions], clock: Callable[[], float]
    ) -> None:
        self._accounts = accounts
        self._options = options
        self._clock = clock
        self._log = structlog.get_logger("discordianai.conversations.ledger")
        self._tokens: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._cost: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._charged: dict[tuple[str, str], Spent] = {}
        self._periods: dict[str, dict[tuple[str, str], Spent]] = {}
        self._told: dict[tuple[str, str], ToldCosts] = {}
        self._unpriced: set[tuple[str, str]] = set()

    async def open(self) -> None:
        """Read what this month's answers have cost so far; nothing if that cannot be read."""
        try:
            lines = await self._accounts.spending(f"{month_of(self.today)}-01")
        except StoreError:
            return  # logged, and in the store's health
        for line in lines:
            self._add_to_periods(line.day, (line.provider, line.model), line.spent)

    @property
    def today(self) -> str:
        """The day, as in 2026-11-24, to which an answer is charged now."""
        return day_of(self._clock())

    @property
    def charged(self) -> Sums:
        """All charges since the start."""
        return dict(self._charged)

    @property
    def spent_today(self) -> Sums:
        """What is charged to today, by this process and earlier ones."""
        return dict(self._periods.get(self.today, {}))

    @property
    def spent_this_month(self) -> Sums:
        """The same for the calendar month."""
        return dict(self._periods.get(month_of(self.today), {}))

    def charge(self, person_id: int, guild_id: int | None, provider: str, model: str, usage: Usage) -> Charge:
        """Charge what a provider reported, once, by its own figure of the cost or else by the prices.

        From now on it counts in the sums; the result is what is to be stored.
        """
        key = (provider, model)
        cost = usage.cost
        if cost is not None:
            self._told.setdefault(_bounded(key, self._told), ToldCosts()).add(cost, self._clock())
        elif (price := self._options.now.price(provider, model)) is not None:
            cost = price.cost(usage)
        else:
            self._tell_of_no_price(key)
        charge = Charge(person_id, guild_id, provider, model, usage, self.today, cost)
        spent = Spent().plus(usage, cost)
        _add(self._charged, key, spent)
        self._add_to_periods(charge.day, key, spent)
        return charge

    async def settle(self, interaction_id: int, charges: Iterable[Charge]) -> None:
        """Store a question's charges without an answer, even while the caller is being cancelled."""
        with trio.move_on_after(LONGEST_SETTLING, shield=True):
            async with trio.open_nursery() as nursery:  # one that waits must not keep the others from waiting
                for charge in charges:
                    nursery.start_soon(self._settle, charge, interaction_id)

    async def _settle(self, charge: Charge, interaction_id: int) -> None:
        with suppress(StoreError):  # in the store's health, and perhaps kept in memory
            await self._accounts.charge(charge, interaction_id)

    @asynccontextmanager
    async def reserve(
        self,
        person_id: int,
        guild_id: int | None,
        provider: str,
        model: str,
        expected: Usage,
        most: Usage | None = None,
    ) -> AsyncIterator[None]:
        """Reserve what an answer may need; raises `DailyLimitReached`.

        Limits in tokens reserve the tokens that are `expected`, limits in money the cost of the `most` that
        there can be, by default the same. A model without a price counts in tokens only. Where the day's sums
        cannot be read, nobody is refused.
        """
        options = self._options.now
        tokens = expected.input_tokens + expected.output_tokens
        cost = self._most_cost(options, provider, model, most or expected)
        payers = [("person", person_id, options.person)]
        if guild_id is not None:
            payers.append(("guild", guild_id, options.guild))
        limited = [(whose, payer, limit) for whose, payer, limit in payers if limit]
        with ExitStack() as held:
            for whose, payer, _ in limited:
                self._hold((whose, payer), tokens, cost)
                held.callback(self._hold, (whose, payer), -tokens, -cost)
            for whose, payer, limit in limited:
                await self._check(whose, payer, limit, cost)
            yield

    def _most_cost(self, options: AccountingOptions, provider: str, model: str, most: Usage) -> int:
        """By its price, or for what a provider does by itself, by the costs that it told lately."""
        price = options.price(provider, model)
        by_price = 0 if price is None else price.cost(most)
        told = self._told.get(_bounded((provider, model), self._told))
        return max(by_price, told.expected(self._clock()) if told else 0)

    async def _check(self, whose: str, payer: int, limit: Limit, cost: int) -> None:
        day = self.today
        try:
            if whose == "person":
                spent = await self._accounts.spent(day, person_id=payer)
            else:
                spent = await self._accounts.spent(day, guild_id=payer)
        except StoreError:
            return  # logged, and in the store's health
        held = (whose, payer)
        if limit.allows(spent.tokens + self._tokens[held], spent.cost + self._cost[held]):
            return
        left = (limit.nano or 0) - spent.cost - (self._cost[held] - cost)
        if limit.allows(spent.tokens + self._tokens[held], 0) and left > 0:
            raise DailyLimitReached(whose, dollars(cost), dollars(left))
        raise DailyLimitReached(whose)

    def _hold(self, payer: tuple[str, int], tokens: int, cost: int) -> None:
        self._tokens[payer] += tokens
        self._cost[payer] += cost
        if not self._tokens[payer] and not self._cost[payer]:
            del self._tokens[payer], self._cost[payer]

    def _add_to_periods(self, day: str, key: tuple[str, str], spent: Spent) -> None:
        present = {self.today, month_of(self.today)}
        for period in present.intersection((day, month_of(day))):
            _add(self._periods.setdefault(period, {}), key, spent)
        for period in self._periods.keys() - present:
            del self._periods[period]

    def _tell_of_no_price(self, key: tuple[str, str]) -> None:
        if key not in self._unpriced and len(self._unpriced) < MOST_MODELS:
            self._unpriced.add(key)
            provider, model = key
            limits = (self._options.now.person, self._options.now.guild)
            tell = self._log.warning if any(limit.money for limit in limits) else self._log.info
            tell(
                "no price is known for a model: its answers count in tokens only",
                provider=provider,
                model=model,
                advice=f'set input_price and output_price in [models."{model}"]',
            )


def _add(sums: dict[tuple[str, str], Spent], key: tuple[str, str], spent: Spent) -> None:
    key = _bounded(key, sums)
    sums[key] = sums.get(key, Spent()).with_sum(spent)


def _bounded(key: tuple[str, str], known: Mapping[tuple[str, str], object]) -> tuple[str, str]:
    """The key, or that of all others if there are many already."""
    return key if key in known or len(known) < MOST_MODELS else (key[0], OTHER_MODELS)
