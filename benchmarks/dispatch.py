"""A simulated hour of 1000 people before one provider, on a clock that jumps: `make bench-dispatch`.

A hundred of them ask ten questions a minute each, the others 200 together. The provider allows 500 requests
in any 60 seconds, fails one in a hundred, and is out twice for five minutes. Prints a table, and draws
`docs/dispatch.svg`.
"""

import argparse
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import trio
import trio.testing

from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatchOptions
from discordianai.dispatch.rate_window import RateWindow
from discordianai.dispatch.statistics import DispatchStatistics
from discordianai.model import ChatRequest, Chunk, FinishReason, ProviderName, Role, Turn, Usage
from discordianai.providers.errors import Overloaded, ProviderError, RateLimited
from discordianai.providers.fake import FakeProvider

HOUR = 3600.0
PEOPLE, INSISTENT = 1000, 100
MODEST_PER_MINUTE, INSISTENT_PER_MINUTE = 200.0, 10.0
ALLOWED = 500
OUTAGES = ((600.0, 900.0), (2100.0, 2400.0))
AFTER = 15.0
"""Seconds after an outage that count to it: until the breaker tries again."""


class Provider:
    """Counts as OpenAI does: requests in any 60 seconds, at admission."""

    name = ProviderName.OPENAI
    model = "simulated"

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.admitted: deque[float] = deque()
        self.arrived: dict[int, float] = {}
        self.calls = self.refused = 0

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """See `ChatProvider.stream`."""
        now = trio.current_time()
        self.calls += 1
        self.arrived.setdefault(request.number, now)
        while self.admitted and self.admitted[0] <= now - 60:
            self.admitted.popleft()
        if len(self.admitted) >= ALLOWED:
            self.refused += 1
            raise RateLimited(self.name, "429", 1.0)
        self.admitted.append(now)
        yield self._answer(out=any(begin <= now < end for begin, end in OUTAGES))

    async def _answer(self, *, out: bool) -> AsyncIterator[Chunk]:
        await trio.sleep(self._chance.uniform(0.3, 1.0))
        if out or self._chance.random() < 0.01:
            raise Overloaded(self.name, "500")
        yield Chunk(text="a word")
        await trio.sleep(self._chance.uniform(0.5, 6.0))
        yield Chunk(text=" more", usage=Usage(50, 400), finish_reason=FinishReason.STOP)


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
        self.provider = Provider(random.Random(seed + 1))
        budget = BudgetOptions(requests_per_minute=ALLOWED)
        self.dispatcher = Dispatcher(
            self.provider, DispatchOptions(slots=50, budget=budget), random.Random(seed + 2)
        )
        self.window = RateWindow(10, 60.0)
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
            if self.window.take(name, trio.current_time()):
                self.outcomes[kind].told_to_wait += 1
            else:
                self._number += 1
                questions.start_soon(self._ask, name, kind, self._number)

    async def _ask(self, name: str, kind: str, number: int) -> None:
        outcome, asked_at = self.outcomes[kind], trio.current_time()
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
            recent = sum(at > trio.current_time() - 60 for at in self.provider.admitted)
            self.samples.append((trio.current_time(), figures.waiting, figures.limit, recent))
            await trio.sleep(10)


def draw(samples: list[tuple[float, int, int, int]], path: Path) -> None:
    """Three lines over an hour, as SVG."""
    width, height, top = 900, 300, 520
    lines = []
    for index, (name, colour) in enumerate((("queue", "#c33"), ("limit", "#393"), ("requests/min", "#36c"))):
        points = " ".join(
            f"{60 + at / HOUR * (width - 80):.0f},{height - 30 - values[index] / top * (height - 60):.0f}"
            for at, *values in samples
        )
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>')
        lines.append(f'<text x="{70 + index * 120}" y="20" fill="{colour}">{name}</text>')
    for value in (0, 100, 200, 300, 400, 500):
        y = height - 30 - value / top * (height - 60)
        lines.append(f'<text x="10" y="{y + 4:.0f}">{value}</text>')
        lines.append(f'<line x1="55" x2="{width - 20}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
    for minute in range(0, 61, 10):
        x = 60 + minute / 60 * (width - 80)
        lines.append(f'<text x="{x - 8:.0f}" y="{height - 10}">{minute} min</text>')
    body = "\n".join(lines)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{width}" height="{height}" fill="white"/>\n{body}\n</svg>\n'
    )


def percentile(values: list[float], part: float) -> float:
    """Of a list that is not empty."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


async def overhead(questions: int) -> float:
    """CPU in ms that the dispatcher adds to a request, over asking the provider itself."""
    provider = FakeProvider(["text"])
    asked = Dispatcher(provider, DispatchOptions(slots=50))
    request = ChatRequest("fake", (Turn(Role.USER, "why?"),), person="somebody")

    async def through() -> None:
        async with asked.stream(request) as chunks:
            async for _ in chunks:
                pass

    async def straight() -> None:
        async with provider.stream(request) as chunks:
            async for _ in chunks:
                pass

    spent = []
    for one in (straight, through):
        cpu = time.process_time()
        for _ in range(questions):
            await one()
        spent.append((time.process_time() - cpu) * 1000 / questions)
    return spent[1] - spent[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
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
        ("CPU of the dispatcher per request", f"{trio.run(overhead, 5000):.3f} ms", "< 0.15 ms"),
    ]
    print("| figure | measured | required |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
