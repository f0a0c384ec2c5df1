"""A simulated hour of 1000 people before one provider, on a clock that jumps: `make bench-dispatch`.

A hundred of them ask ten questions a minute each, the others 200 together. The provider allows 500 requests
in any 60 seconds, fails one in a hundred, and is out twice for five minutes. Further hours ask for twice what
is permitted, with estimates of tokens that are up to a fifth wrong. Prints tables, draws `docs/dispatch.svg`.
"""

import argparse
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import trio
import trio.testing

from benchmarks.drawing import HOUR, draw
from benchmarks.percentiles import percentile
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.rate_window import RateWindow
from discordianai.dispatch.statistics import DispatchStatistics
from discordianai.dispatch.turnstile import Spot, Turnstile
from discordianai.live import Live
from discordianai.model import ChatRequest, Role, Turn
from discordianai.providers.errors import ProviderError
from discordianai.providers.fake import FakeProvider
from discordianai.providers.metered import ANSWER_TOKENS, QUESTION_TOKENS, MeteredProvider

PEOPLE, INSISTENT = 1000, 100
MODEST_PER_MINUTE, INSISTENT_PER_MINUTE = 200.0, 10.0
IN_WORK, IN_LINE = 2, 3
"""Questions of one person, as `[rate_limits.user]` allows by default."""

ALLOWED, TOKENS = 500, 200_000
OUTAGES = ((600.0, 900.0), (2100.0, 2400.0))
AFTER = 15.0
"""Seconds after an outage that count to it: until the breaker tries again."""


@dataclass
class Outcome:
    """What became of the questions of one kind of people."""

    asked: int = 0
    told_to_wait: int = 0
    answered: int = 0
    refused: int = 0
    refused_in_outages: int = 0
    waits: list[float] = field(default_factory=list)


class Simulation:
    """One hour."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.provider = MeteredProvider(
            random.Random(seed + 1), requests=ALLOWED, failure_rate=0.01, outages=OUTAGES
        )
        budget = BudgetOptions(requests_per_minute=ALLOWED)
        self.dispatcher = Dispatcher(
            self.provider, Live(DispatcherOptions(slots=50, budget=budget)), random.Random(seed + 2)
        )
        self.window = RateWindow(10, 60.0)
        self.own_lines = Turnstile(width=IN_WORK)
        self.open: Counter[str] = Counter()
        self.outcomes = {"modest": Outcome(), "insistent": Outcome()}
        self.reasons: Counter[str] = Counter()
        self.samples: list[tuple[float, int, int, int]] = []
        self.figures: DispatchStatistics | None = None
        self._number = 0

    async def run(self) -> None:
        """Everybody asks for an hour; the last ones are waited for."""
        async with trio.open_nursery() as questions, trio.open_nursery() as people:
            for number in range(PEOPLE):
                insistent = number < INSISTENT
                rate = INSISTENT_PER_MINUTE if insistent else MODEST_PER_MINUTE / (PEOPLE - INSISTENT)
                kind = "insistent" if insistent else "modest"
                people.start_soon(self._person, f"person {number}", kind, 60 / rate, questions)
            people.start_soon(self._sample)
        self.figures = self.dispatcher.statistics()

    async def _person(self, name: str, kind: str, pause: float, questions: trio.Nursery) -> None:
        while True:
            await trio.sleep(self.chance.expovariate(1 / pause))
            if trio.current_time() >= HOUR:
                return
            self.outcomes[kind].asked += 1
            if self.open[name] >= IN_WORK + IN_LINE or self.window.take(name, trio.current_time()):
                self.outcomes[kind].told_to_wait += 1
            else:
                self._number += 1
                self.open[name] += 1
                spot = self.own_lines.line_up(name)
                questions.start_soon(self._ask, name, kind, self._number, spot)

    async def _ask(self, name: str, kind: str, number: int, spot: Spot) -> None:
        asked_at = trio.current_time()
        with spot:
            await spot.let_in.wait()
            await self._ask_in_turn(name, kind, number, asked_at)
        self.open[name] -= 1

    async def _ask_in_turn(self, name: str, kind: str, number: int, asked_at: float) -> None:
        outcome = self.outcomes[kind]
        request = ChatRequest("simulated", (Turn(Role.USER, "why?"),), person=name, number=number)
        try:
            async with self.dispatcher.stream(request, asked_at + 300) as chunks:
                async for _ in chunks:
                    pass
        except ProviderError as error:
            self.reasons[type(error).__name__] += 1
            outcome.refused += 1
            now = trio.current_time()
            outcome.refused_in_outages += any(begin <= now < end + AFTER for begin, end in OUTAGES)
        else:
            outcome.answered += 1
        if number in self.provider.arrived:
            outcome.waits.append(self.provider.arrived[number] - asked_at)

    async def _sample(self) -> None:
        while trio.current_time() < HOUR:
            figures = self.dispatcher.statistics()
            recent = self.provider.last_minute()
            self.samples.append((trio.current_time(), figures.waiting, figures.limit, recent))
            await trio.sleep(10)


@dataclass(frozen=True)
class Use:
    """What became of a provider's budget. Parts of what it permits in the time."""

    requests: float
    tokens: float
    refused: int


async def twice_the_load(tokens: float, people: int, minutes: int = 60) -> Use:
    """Ask for twice what is permitted: how much of the budget is used, and how many 429s come."""
    chance = random.Random(people)
    provider = MeteredProvider(random.Random(1), requests=ALLOWED, tokens=tokens, spread=0.2)
    budget = BudgetOptions(ALLOWED, None if tokens == math.inf else int(tokens))
    dispatcher = Dispatcher(provider, Live(DispatcherOptions(slots=50, budget=budget)), random.Random(2))
    permitted = min(ALLOWED, tokens / (QUESTION_TOKENS + ANSWER_TOKENS))

    async def ask(person: str) -> None:
        question = ChatRequest("metered", (Turn(Role.USER, "why is it so?"),), person=person)
        with suppress(ProviderError):
            async with dispatcher.stream(question, trio.current_time() + 300) as chunks:
                async for _ in chunks:
                    pass

    async with trio.open_nursery() as nursery:
        while trio.current_time() < 60 * minutes:
            await trio.sleep(chance.expovariate(2 * permitted / 60))
            nursery.start_soon(ask, str(chance.randrange(people)))
        nursery.cancel_scope.cancel()
    return Use(
        provider.admitted / (ALLOWED * minutes), provider.charged / (tokens * minutes), provider.refused
    )


async def overhead(questions: int, rounds: int) -> float:
    """CPU in ms that the dispatcher adds to a request, over asking the provider itself.

    The quickest of the rounds in which both take turns: what else the machine does only adds to it.
    """
    provider = FakeProvider(["text"])
    asked = Dispatcher(provider, Live(DispatcherOptions(slots=50)))
    request = ChatRequest("fake", (Turn(Role.USER, "why?"),), person="somebody")

    async def through() -> None:
        async with asked.stream(request, trio.current_time() + 300) as chunks:
            async for _ in chunks:
                pass

    async def straight() -> None:
        async with provider.stream(request) as chunks:
            async for _ in chunks:
                pass

    async def spent(one: Callable[[], Awaitable[None]]) -> float:
        cpu = time.process_time()
        for _ in range(questions):
            await one()
        return (time.process_time() - cpu) * 1000 / questions

    figures = [(await spent(straight), await spent(through)) for _ in range(rounds)]
    return min(longer for _, longer in figures) - min(shorter for shorter, _ in figures)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    cpu = trio.run(overhead, 500, 20)  # first: later the collector would look at all that was simulated
    simulation = Simulation(options.seed)
    clock = time.perf_counter()
    trio.run(simulation.run, clock=trio.testing.MockClock(autojump_threshold=0))
    print(f"simulated in {time.perf_counter() - clock:.0f} s; refusals: {dict(simulation.reasons)}\n")
    draw(simulation.samples, Path(__file__).parent.parent / "docs" / "dispatch.svg")
    modest, insistent = simulation.outcomes["modest"], simulation.outcomes["insistent"]
    lost = sum(o.asked - o.told_to_wait - o.answered - o.refused for o in (modest, insistent))
    outside = modest.refused - modest.refused_in_outages
    figures = simulation.figures
    assert figures is not None
    first = figures.requests - figures.retries
    rows = [
        ("questions asked, modest and insistent", f"{modest.asked} and {insistent.asked}", ""),
        ("lost without an answer or a refusal", str(lost), "0"),
        ("429s of the budget", str(simulation.provider.refused), "0"),
        ("wait of the modest, p50", f"{percentile(modest.waits, 0.5):.2f} s", ""),
        ("wait of the modest, p99", f"{percentile(modest.waits, 0.99):.2f} s", "< 5 s"),
        ("modest refused outside the outages", f"{100 * outside / modest.asked:.2f} %", "< 1 %"),
        ("wait of the insistent, p99", f"{percentile(insistent.waits, 0.99):.2f} s", ""),
        ("extra load by retries", f"{100 * figures.retries / first:.2f} %", "< 10 %"),
        ("CPU of the dispatcher per request", f"{cpu:.3f} ms", "< 0.15 ms"),
    ]
    print("| figure | measured | required |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")

    print("\n| twice the load, bound by | 429s (0) | of the budget used (>= 95 %) |\n| --- | --- | --- |")
    for bound, tokens in (("requests", math.inf), ("tokens", TOKENS)):
        use = trio.run(twice_the_load, tokens, 100, clock=trio.testing.MockClock(autojump_threshold=0))
        used = use.requests if bound == "requests" else use.tokens
        print(f"| {bound} | {use.refused} | {100 * used:.1f} % |")


if __name__ == "__main__":
    main()
