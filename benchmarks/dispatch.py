"""How long does a question wait in a full hour, and is the provider's limit kept?  `make bench-dispatch`

A simulated hour, on a clock that jumps: 1000 people before one provider that allows 500 requests in any 60
seconds, fails one in a hundred, and is out twice for five minutes. A hundred of them ask ten questions a
minute each, the others 200 together.
Compared to: asking the provider without a dispatcher, in turn, for the CPU time that it adds to a request.
Required: no question lost, no 429, at p99 less than 5 s of waiting for those who ask little, at most 1 % of
theirs refused outside the outages, less than 10 % more load by retries, less than 0.15 ms of CPU time.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio
import trio.testing

from benchmarks.harness import Report, alternate, command_line, parse, percentile
from discordianai.dispatch.budget import BudgetOptions, RateWindow
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.dispatcher_statistics import DispatchStatistics
from discordianai.dispatch.keyed_fifo_limiter import KeyedFifoLimiter, Ticket
from discordianai.option import Live
from discordianai.providers.errors import ProviderError
from discordianai.records import ChatRequest, Role, Turn
from tests.doubles.metered_provider import MeteredProvider
from tests.doubles.provider import FakeProvider

PEOPLE, INSISTENT = 1000, 100
MODEST_PER_MINUTE, INSISTENT_PER_MINUTE = 200.0, 10.0
"""Questions of all who are modest together, and of each who is insistent."""

RUNNING, WAITING = 2, 3
"""Questions of one person, as `[rate_limits.user]` allows by default."""

REQUESTS_PER_MINUTE = 500
OUTAGES = ((600.0, 900.0), (2100.0, 2400.0))
RECOVERY = 15.0
"""Seconds after an outage that count to it: until the breaker tries again."""

DEADLINE = 300.0


@dataclass
class Outcome:
    """What became of the questions of one kind of people. Waits are in seconds."""

    asked: int = 0
    told_to_wait: int = 0
    answered: int = 0
    refused: int = 0
    refused_in_outages: int = 0
    waits: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Neither answered nor refused."""
        return self.asked - self.told_to_wait - self.answered - self.refused


class Simulation:
    """So many seconds of questions; see above."""

    def __init__(self, seed: int, seconds: float) -> None:
        self._seconds = seconds
        self._chance = random.Random(seed)
        self.provider = MeteredProvider(
            random.Random(seed + 1), requests=REQUESTS_PER_MINUTE, failure_rate=0.01, outages=OUTAGES
        )
        budget = BudgetOptions(requests_per_minute=REQUESTS_PER_MINUTE)
        options = Live(DispatcherOptions(slots=50, budget=budget))
        self.dispatcher = Dispatcher(self.provider, options, random.Random(seed + 2))
        self._window = RateWindow(10, 60.0)
        self._own_lines = KeyedFifoLimiter(limit=RUNNING)
        self._open: Counter[str] = Counter()
        self._number = 0
        self.modest, self.insistent = Outcome(), Outcome()
        self.refusals: Counter[str] = Counter()

    async def run(self) -> DispatchStatistics:
        """Everybody asks until time is up; the last questions are waited for."""
        async with trio.open_nursery() as questions, trio.open_nursery() as people:
            for number in range(PEOPLE):
                insistent = number < INSISTENT
                rate = INSISTENT_PER_MINUTE if insistent else MODEST_PER_MINUTE / (PEOPLE - INSISTENT)
                outcome = self.insistent if insistent else self.modest
                people.start_soon(self._person, f"person {number}", outcome, 60 / rate, questions)
        return self.dispatcher.statistics()

    async def _person(self, name: str, outcome: Outcome, pause: float, questions: trio.Nursery) -> None:
        while True:
            await trio.sleep(self._chance.expovariate(1 / pause))
            if trio.current_time() >= self._seconds:
                return
            outcome.asked += 1
            if self._open[name] >= RUNNING + WAITING or self._window.take(name, trio.current_time()):
                outcome.told_to_wait += 1
            else:
                self._number += 1
                self._open[name] += 1
                spot = self._own_lines.enqueue(name)
                questions.start_soon(self._ask, name, outcome, self._number, spot)

    async def _ask(self, name: str, outcome: Outcome, number: int, spot: Ticket) -> None:
        asked_at = trio.current_time()
        request = _request(name, number)
        with spot:
            await spot.admitted.wait()
            try:
                await _read(self.dispatcher, request, asked_at + DEADLINE)
            except ProviderError as error:
                self._count_refusal(outcome, error)
            else:
                outcome.answered += 1
        self._open[name] -= 1
        if number in self.provider.arrived:
            outcome.waits.append(self.provider.arrived[number] - asked_at)

    def _count_refusal(self, outcome: Outcome, error: ProviderError) -> None:
        self.refusals[type(error).__name__] += 1
        outcome.refused += 1
        now = trio.current_time()
        outcome.refused_in_outages += any(begin <= now < end + RECOVERY for begin, end in OUTAGES)


def _request(person: str, number: int = 0) -> ChatRequest:
    return ChatRequest("simulated", (Turn(Role.USER, "why?"),), person=person, number=number)


async def _read(dispatcher: Dispatcher, request: ChatRequest, deadline: float) -> None:
    async with dispatcher.stream(request, deadline) as events:
        async for _ in events:
            pass


async def overhead(questions: int, rounds: int) -> float:
    """CPU in ms that the dispatcher adds to a request.

    The quickest of the rounds: what else the machine does only adds to it.
    """
    provider = FakeProvider(["text"])
    dispatcher = Dispatcher(provider, Live(DispatcherOptions(slots=50)))
    request = _request("somebody")

    async def dispatched() -> None:
        await _read(dispatcher, request, trio.current_time() + DEADLINE)

    async def direct() -> None:
        async with provider.stream(request) as events:
            async for _ in events:
                pass

    async def cpu_ms(ask: Callable[[], Awaitable[None]]) -> float:
        cpu = time.process_time()
        for _ in range(questions):
            await ask()
        return (time.process_time() - cpu) * 1000 / questions

    found = await alternate(
        rounds, {"direct": partial(cpu_ms, direct), "dispatched": partial(cpu_ms, dispatched)}
    )
    return min(found["dispatched"]) - min(found["direct"])


def show(report: Report, simulation: Simulation, statistics: DispatchStatistics, cpu: float) -> None:
    """Print the table."""
    modest, insistent, provider = simulation.modest, simulation.insistent, simulation.provider
    first_tries = statistics.requests - statistics.retries
    refused = modest.refused - modest.refused_in_outages
    report.table("figure", "measured", "required")
    report.row("questions asked, modest and insistent", f"{modest.asked} and {insistent.asked}")
    report.figure("lost without an answer or a refusal", modest.lost + insistent.lost, required="0")
    report.figure("429s of the budget", provider.refused, required="0")
    report.figure("wait of the modest, p50", percentile(modest.waits, 0.5), "{:.2f} s")
    report.figure("wait of the modest, p99", percentile(modest.waits, 0.99), "{:.2f} s", "< 5 s")
    report.figure("modest refused outside the outages", 100 * refused / modest.asked, "{:.2f} %", "< 1 %")
    report.figure("wait of the insistent, p99", percentile(insistent.waits, 0.99), "{:.2f} s")
    report.figure("extra load by retries", 100 * statistics.retries / first_tries, "{:.2f} %", "< 10 %")
    report.figure("CPU of the dispatcher per request", cpu, "{:.3f} ms", "< 0.15 ms")
    report.note(f"Refusals: {dict(simulation.refusals)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit status."""
    parser = command_line(__doc__, rounds=20)
    parser.add_argument("--minutes", type=float, help="that are simulated (60)")
    parser.add_argument("--seed", type=int, default=1)
    options = parse(parser, arguments)
    report = Report()
    minutes = options.minutes or (2 if options.quick else 60)
    # First: later the garbage collector would look at all that was simulated.
    cpu = trio.run(overhead, 500, options.rounds)
    simulation = Simulation(options.seed, 60.0 * minutes)
    statistics = trio.run(simulation.run, clock=trio.testing.MockClock(autojump_threshold=0))
    show(report, simulation, statistics, cpu)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
