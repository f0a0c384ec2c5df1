"""Which strategy sends a question to who answers it best, and what each takes.

200 questions in ten languages, as people ask them in Discord (routing_questions.jsonl), half of which need
the live web. Without a key, the accuracy of the rules is measured, and what the strategies take in tokens,
seconds and money, against the sandbox, whose models call for the web where the label says so: their accuracy
is not a model's. With `--live`, the model of `[providers.openai]` answers, and its accuracy is measured.

Compared to: each other, and to asking one provider always.
Required: every question is answered; the rules are right more often than a coin.
"""

import json
import math
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import trio
from pydantic import SecretStr

from benchmarks import harness
from discordianai.answering.options import AssistantOptions
from discordianai.answering.provider_chain import ChainRequest, ProviderChain
from discordianai.answering.web_decisions import PROBABLE, WebDecisions
from discordianai.dispatch import web_need
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.options import DECISIONS, RULES, TOOL, RoutingOptions
from discordianai.dispatch.routing import WEB_SEARCH, Inquiry, Router
from discordianai.option import Live
from discordianai.providers.client import make_provider
from discordianai.providers.decisions import DecisionClient
from discordianai.providers.errors import ProviderError
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import ChatProvider, TextDelta, UsageReport
from discordianai.records import ChatRequest, Dialect, Provider, Role, Route, ToolCall, Turn, Usage
from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.providers import ServiceOptions, open_providers
from discordianai.sandbox.providers.scripted_answers import WEB_WORDS
from discordianai.settings import file as settings_file
from discordianai.settings.document import SettingsError
from discordianai.settings.tables import Settings
from discordianai.transport import MultiplexedTransport
from discordianai.transport.clients import build_client

QUESTIONS = Path(__file__).with_name("routing_questions.jsonl")
UNSEEN = Path(__file__).with_name("routing_questions_unseen.jsonl")
"""Sixty more, written after the words of the rules, which the others have helped to choose."""

HELD_BACK = Path(__file__).with_name("routing_questions_held_back.jsonl")
"""Half of 120 that were written before the words were chosen again; the other half was looked at for that."""

AT_ONCE = 20

PRICES = {"gpt-6-luna": (0.10, 0.50)}
"""Dollars for a million tokens, input and output; as of 2026-11."""

SEARCH_COST = 0.00264
"""Dollars for a question to Perplexity's preset `fast`, as a recording of September 2026 tells it."""

SANDBOX = ServiceOptions(
    first_token=0.3,
    between_tokens=0.001,
    requests_per_minute=10**6,
    tokens_per_minute=10**9,
    perplexity_rates=(),
)
"""A model takes 0.3 s to its first token, a decision a third of that."""

NO_KEY = (
    "No key: set OPENAI_API_KEY, or api_key in [providers.openai] of settings.toml. What a model decides can"
    " only be measured with one; `make bench-routing` needs none."
)


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """`web`: to answer it well, somebody has to look on the live web."""

    language: str
    web: bool
    text: str


@dataclass(slots=True)
class Result:
    """What a strategy took for one question; `seconds` until the first words, or the decision."""

    web: bool | None = None
    seconds: float = math.nan
    usages: list[tuple[str, Usage]] = field(default_factory=list)
    searches: int = 0

    @property
    def tokens(self) -> int:
        """Of all requests to models, without those of the search."""
        return sum(usage.input_tokens + usage.output_tokens for _, usage in self.usages)

    def cost(self, prices: Mapping[str, tuple[float, float]]) -> float:
        """In the currency of the prices; not a number where a model has none."""
        return sum(_cost(usage, prices.get(model, (math.nan, math.nan))) for model, usage in self.usages)


def _cost(usage: Usage, price: tuple[float, float]) -> float:
    asked, answered = price
    return (usage.input_tokens * asked + usage.output_tokens * answered) / 1e6


def questions(file: Path = QUESTIONS) -> Sequence[LabelledQuestion]:
    """All of them, by language."""
    return [LabelledQuestion(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]


def by_rules(question: LabelledQuestion) -> bool:
    """Whether the rules send it to who searches."""
    return web_need.judge(question.text).web


def report_rules(report: harness.Report, asked: Sequence[LabelledQuestion]) -> None:
    """How often the rules are right, by language."""
    report.table("the rules", "of 10 for the web", "of 10 others", "right", "required")
    counted = Counter((one.language, one.web, by_rules(one)) for one in asked)
    for language in dict.fromkeys(one.language for one in asked):
        found, spared = counted[language, True, True], counted[language, False, False]
        report.row(language, found, spared, f"{(found + spared) / 20:.0%}")
    right = sum(one.web == by_rules(one) for one in asked) / len(asked)
    found = sum(one.web and by_rules(one) for one in asked)
    wrong = sum(by_rules(one) and not one.web for one in asked)
    report.row("all", found, len(asked) // 2 - wrong, f"{right:.1%}")
    for file, name in ((UNSEEN, "written later"), (HELD_BACK, "held back")):
        others = questions(file)
        right = sum(one.web == by_rules(one) for one in others) / len(others)
        found = sum(one.web and by_rules(one) for one in others)
        spared = sum(not one.web and not by_rules(one) for one in others)
        name = f"{len(others)} {name}"
        report.row(name, found, spared, f"{right:.1%}", required="> 50 %", measured=100 * right)


class Strategy:
    """One of them, over the sandbox's providers."""

    def __init__(self, providers: Sequence[ChatProvider], name: str, deciding: DecisionClient | None) -> None:
        options = Live(DispatcherOptions(slots=100))
        dispatchers = {each.provider.name: Dispatcher(each, options) for each in providers}
        router = Router([each.provider for each in providers], Live(RoutingOptions(name)))
        decisions = WebDecisions(deciding, dispatchers[deciding.provider.name]) if deciding else None
        self._chain = ProviderChain(dispatchers, router, decisions)

    async def ask(self, question: LabelledQuestion, text: str) -> Result:
        """Have it answered."""

        def request(_provider: Provider, model: str) -> ChatRequest:
            return _request(model, text)

        async def reserve(_provider: Provider, _request: ChatRequest, _expected: Usage) -> None:
            await trio.lowlevel.checkpoint()

        result, began = Result(), trio.current_time()
        inquiry = Inquiry(text, (), question)
        route: Route | None = None
        asked = ChainRequest(inquiry, request, reserve, began + 300, 0)
        async with aclosing(self._chain.events(asked)) as events:
            async for event in events:
                match event:
                    case Route(provider):
                        route, result.web = event, provider.name == "perplexity"
                    case TextDelta() if math.isnan(result.seconds):
                        result.seconds = trio.current_time() - began
                        result.searches += bool(result.web)
                    case UsageReport(usage) if route is not None and route.provider.name != "perplexity":
                        result.usages.append((route.model, usage))
        return result


def _request(model: str, text: str) -> ChatRequest:
    return ChatRequest(model, (Turn(Role.USER, text),), AssistantOptions().instructions)


def _labelled(question: LabelledQuestion) -> str:
    """The words by which the sandbox's models call for the web, where the label says so, and only there."""
    return f"{question.text} !search" if question.web else WEB_WORDS.sub("...", question.text)


@asynccontextmanager
async def _sandbox() -> AsyncIterator[Callable[[str], Strategy]]:
    authority = make_authority()
    async with (
        open_providers(authority, SANDBOX) as services,
        httpx.AsyncClient(
            transport=MultiplexedTransport(ssl_context=authority.client_context()), timeout=60
        ) as client,
    ):
        key = SecretStr(SANDBOX.api_key)
        openai = ProviderOptions(
            base_url=services.openai.url, api_key=key, model="gpt-6-luna", dialect="responses"
        )
        perplexity = ProviderOptions(
            base_url=services.perplexity.url, api_key=key, preset="fast", dialect="agent"
        )
        records = [openai.record("openai"), perplexity.record("perplexity")]
        providers = [
            make_provider(client, record, options)
            for record, options in zip(records, (openai, perplexity), strict=True)
        ]

        def strategy(name: str) -> Strategy:
            deciding = DecisionClient(client, records[0], openai)
            return Strategy(providers, name, deciding if name == DECISIONS else None)

        yield strategy


async def _of_all(
    asked: Sequence[LabelledQuestion], ask: Callable[[LabelledQuestion], Awaitable[Result]]
) -> Sequence[Result]:
    """The results in the order of the questions, `AT_ONCE` at a time."""
    results = [Result() for _ in asked]
    limiter = trio.CapacityLimiter(AT_ONCE)

    async def one(place: int) -> None:
        async with limiter:
            results[place] = await ask(asked[place])

    async with trio.open_nursery() as nursery:
        for place in range(len(asked)):
            nursery.start_soon(one, place)
    return results


async def report_strategies(report: harness.Report, asked: Sequence[LabelledQuestion]) -> None:
    """What each strategy takes, where a model decides as the label says."""
    report.table(
        "strategy", "answered", "searches", "tokens each", "first words p50", "p95", "$ for 1000", "required"
    )
    async with _sandbox() as strategy:
        for name in (TOOL, DECISIONS, RULES, "openai", "perplexity"):
            told = strategy(name)
            decided = name in {TOOL, DECISIONS}

            async def ask(question: LabelledQuestion, told: Strategy = told, d: bool = decided) -> Result:
                return await told.ask(question, _labelled(question) if d else question.text)

            _row(report, name, await _of_all(asked, ask), len(asked))


def _row(report: harness.Report, name: str, results: Sequence[Result], required: int) -> None:
    times = [result.seconds for result in results if not math.isnan(result.seconds)]
    searches = sum(result.searches for result in results)
    tokens = sum(result.tokens for result in results) / len(results)
    cost = (sum(result.cost(PRICES) for result in results) + searches * SEARCH_COST) / len(results)
    report.row(
        name,
        len(times),
        searches,
        f"{tokens:.0f}",
        f"{harness.percentile(times, 0.5):.2f} s",
        f"{harness.percentile(times, 0.95):.2f} s",
        f"{1000 * cost:.2f}",
        required=str(required),
        measured=len(times),
    )


async def by_tool(provider: ChatProvider, dispatcher: Dispatcher, question: LabelledQuestion) -> Result:
    """Whether the model calls for the web; the answer is read to its end for what it takes."""
    request = _request(provider.model, question.text)
    request = ChatRequest(request.model, request.turns, request.instructions, tools=(WEB_SEARCH,))
    result, began = Result(web=False), trio.current_time()
    async with dispatcher.stream(request, began + 300) as events:
        async for event in events:
            match event:
                case ToolCall():
                    result.web = True
                case UsageReport(usage):
                    result.usages.append((provider.model, usage))
            if isinstance(event, ToolCall | TextDelta) and math.isnan(result.seconds):
                result.seconds = trio.current_time() - began
    return result


async def by_decision(deciding: DecisionClient, question: LabelledQuestion) -> Result:
    """What OpenAI's decisions say."""
    began = trio.current_time()
    decision = await deciding.decide(_request(deciding.model, question.text))
    usages = [(deciding.model, decision.usage)] if decision.usage else []
    return Result((decision.probability or 0.0) >= PROBABLE, trio.current_time() - began, usages)


async def report_live(
    report: harness.Report,
    settings: Settings,
    name: str,
    client: httpx.AsyncClient,
    asked: Sequence[LabelledQuestion],
) -> None:
    """How often the model of that provider is right, by its tool and by decisions, and what it takes."""
    options, record = settings.provider(name), settings.record(name)
    provider = make_provider(client, record, options)
    live = DispatcherOptions(
        settings.pool(name).max_connections, settings.dispatch, settings.rate_limit(name)
    )
    ways: dict[str, Callable[[LabelledQuestion], Awaitable[Result]]] = {
        TOOL: partial(by_tool, provider, Dispatcher(provider, Live(live)))
    }
    if record.dialect is Dialect.RESPONSES:
        ways[DECISIONS] = partial(by_decision, DecisionClient(client, record, options))
    report.table(
        options.usual_model, "right", "of the web", "of others", "failed", "tokens each", "p50", "$ for 1000"
    )
    for way, ask in ways.items():
        results = await _of_all(asked, partial(_or_nothing, ask))
        _live_row(report, way, list(zip(asked, results, strict=True)), {**PRICES, **_prices(settings)})


def _prices(settings: Settings) -> Mapping[str, tuple[float, float]]:
    """Those that the operator has set."""
    priced = {model: options.price(None) for model, options in settings.models.items()}
    return {
        model: (float(price.input), float(price.output))
        for model, price in priced.items()
        if price is not None
    }


async def _or_nothing(
    ask: Callable[[LabelledQuestion], Awaitable[Result]], question: LabelledQuestion
) -> Result:
    try:
        return await ask(question)
    except ProviderError as error:
        print(f"failed: {error.for_log}", file=sys.stderr)
        return Result()


def _live_row(
    report: harness.Report,
    way: str,
    results: Sequence[tuple[LabelledQuestion, Result]],
    prices: Mapping[str, tuple[float, float]],
) -> None:
    right = [question for question, result in results if result.web is question.web]
    times = [result.seconds for _, result in results if not math.isnan(result.seconds)]
    report.row(
        way,
        f"{len(right) / len(results):.1%}",
        sum(question.web for question in right),
        sum(not question.web for question in right),
        sum(result.web is None for _, result in results),
        f"{sum(result.tokens for _, result in results) / len(results):.0f}",
        f"{harness.percentile(times, 0.5):.2f} s" if times else "",
        f"{1000 * sum(result.cost(prices) for _, result in results) / len(results):.2f}",
    )


def _operators(named: Path | None, environment: Mapping[str, str]) -> Settings | None:
    """The settings with a key for OpenAI's table; None where there is none. Raises `SettingsError`."""
    settings = settings_file.examine(settings_file.find(named), environment).settings
    has_key = settings is not None and settings.providers.openai.api_key is not None
    return settings if has_key else None


async def _live(report: harness.Report, settings: Settings, asked: Sequence[LabelledQuestion]) -> None:
    options = settings.provider("openai")
    pooled = build_client("openai", settings.pool("openai"), options.read_timeout, http2=True)
    async with pooled.http:
        await report_live(report, settings, "openai", pooled.http, asked)


def _sample(asked: Sequence[LabelledQuestion]) -> Iterator[LabelledQuestion]:
    """Two of each language: one that needs the web, and one that does not."""
    for number, question in enumerate(asked):
        if number % 10 == 0:
            yield question


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is 1 if a bound was missed, 2 without a key for `--live`."""
    parser = harness.command_line(__doc__)
    parser.add_argument(
        "--live", action="store_true", help="ask the model of [providers.openai]; costs cents"
    )
    parser.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    options = harness.parse(parser, arguments)
    asked = questions()
    asked = list(_sample(asked)) if options.quick else asked
    settings = None
    if options.live:
        try:
            settings = _operators(options.settings, os.environ)
        except SettingsError as error:
            print("\n".join(error.problems), file=sys.stderr)
            return 2
        if settings is None:
            print(NO_KEY, file=sys.stderr)
            return 2
    report = harness.Report()
    report_rules(report, questions())
    if settings is not None:
        trio.run(_live, report, settings, asked)
    else:
        trio.run(report_strategies, report, asked)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
