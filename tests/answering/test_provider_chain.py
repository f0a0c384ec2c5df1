"""Who is asked, when the web is searched, and who answers where one fails."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import pytest
import trio
import trio.testing

from discordianai.answering.provider_chain import (
    DECIDES,
    HELD_BACK,
    AnswerEvent,
    ChainRequest,
    ProviderChain,
)
from discordianai.answering.web_decisions import Decides, WebDecisions
from discordianai.dispatch.breaker import BreakerState
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.dispatcher_statistics import ModelStatistics, RequestOutcome
from discordianai.dispatch.options import DECISIONS, RULES, TOOL, DispatchOptions, RoutingOptions
from discordianai.dispatch.refusals import BeyondDailyLimit, BreakerOpen
from discordianai.dispatch.routing import WEB_SEARCH, Choice, Inquiry, Router
from discordianai.option import Live
from discordianai.providers.decisions import WebDecision
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    ContextTooLong,
    EndpointNotFound,
    FileRefused,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ToolsRefused,
)
from discordianai.providers.port import End, TextDelta, UsageReport
from discordianai.records import (
    ChatRequest,
    FinishReason,
    Provider,
    Role,
    Route,
    SearchMode,
    ToolCall,
    Turn,
    Usage,
)
from tests.doubles.provider import FakeProvider, Step
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY

CALL = ToolCall(WEB_SEARCH.name, "llama prices")
HISTORY = (Turn(Role.USER, "hello"), Turn(Role.ASSISTANT, "hi"))


class Scene:
    """Both providers, each with what it answers to each of its requests."""

    def __init__(
        self,
        openai: list[list[Step]],
        perplexity: list[list[Step]] | None = None,
        strategy: str = TOOL,
        attempts: int = 1,
        decisions: Decides | None = None,
        slots: int = 10,
        budget: BudgetOptions | None = None,
    ) -> None:
        self.openai = FakeProvider(*openai, provider=OPENAI, model="o")
        self.perplexity = FakeProvider(*(perplexity or [["found"]]), provider=PERPLEXITY, model="p")
        options = DispatcherOptions(slots, DispatchOptions(max_attempts=attempts), budget or BudgetOptions())
        both = (self.openai, self.perplexity)
        dispatchers = {each.provider.name: Dispatcher(each, Live(options)) for each in both}
        routing = Live(RoutingOptions(strategy))
        router = Router([each.provider for each in both], routing)
        deciding = WebDecisions(decisions, dispatchers[OPENAI.name]) if decisions else None
        self.dispatcher = dispatchers[OPENAI.name]
        self.provider_chain = ProviderChain(dispatchers, router, deciding)
        self.texts: list[str] = []
        self.routes: list[Route] = []
        self.reserved: list[tuple[Provider, str]] = []
        self.spent = False

    async def ask(
        self, text: str = "why?", wanted: Provider | None = None, *, search: bool = False, files: bool = False
    ) -> str:
        """What is shown in the end."""
        async for event in self.events(text, wanted, search=search, files=files):
            match event:
                case TextDelta(words):
                    self.texts.append(words)
                case Route():
                    self.routes.append(event)
        return "".join(self.texts)

    def events(
        self,
        text: str,
        wanted: Provider | None = None,
        *,
        search: bool = False,
        files: bool = False,
        seconds: float = 300.0,
    ) -> AsyncGenerator[AnswerEvent, None]:
        def request(_provider: Provider, model: str) -> ChatRequest:
            return ChatRequest(model, (*HISTORY, Turn(Role.USER, text)))

        async def reserve(provider: Provider, request: ChatRequest, expected: Usage) -> None:
            self.reserved.append((provider, request.model))
            if self.spent:
                raise BeyondDailyLimit(provider, "as much as may be")

        name = wanted.name if wanted else None
        inquiry = Inquiry(text, HISTORY, "a conversation", name, search=search, files=files)
        return self.provider_chain.events(
            ChainRequest(inquiry, request, reserve, trio.current_time() + seconds, 1)
        )


async def test_openai_answers_by_itself_where_it_calls_for_nothing() -> None:
    scene = Scene([["an ", "answer"]])
    assert await scene.ask() == "an answer"
    assert scene.openai.requests[0].tools == (WEB_SEARCH,)
    assert scene.perplexity.requests == []
    assert scene.routes == [Route(OPENAI, "o", "no search needed")]


async def test_where_the_model_calls_perplexity_answers_with_its_query_and_the_conversation() -> None:
    scene = Scene([[CALL]])
    assert await scene.ask("what do they cost?") == "found"
    sent = scene.perplexity.requests[0]
    assert sent.turns[:2] == HISTORY
    assert "what do they cost?" in sent.turns[-1].text
    assert "llama prices" in sent.turns[-1].text
    assert sent.tools == ()
    assert scene.routes[-1] == Route(PERPLEXITY, "p", "needs the web")


async def test_what_the_model_says_before_it_calls_is_not_shown() -> None:
    scene = Scene([["Let me ", "look.", CALL]])
    assert await scene.ask() == "found"


async def test_what_is_found_follows_what_was_shown_before_the_call() -> None:
    """A long announcement of a search is no answer; what is left of it after the call is none, either."""
    long = "x" * (HELD_BACK + 1)
    scene = Scene([[long, " and more", CALL, " and more"]])
    assert await scene.ask() == f"{long} and more\n\nfound"
    assert scene.routes[-1] == Route(PERPLEXITY, "p", "needs the web")


async def test_a_call_is_followed_at_once_however_its_stream_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Neither a stall nor an error behind it is waited for, or asked again: all that was wanted has come."""
    for behind in (300.0, Overloaded(OPENAI, "500"), ConnectionLost(OPENAI, "gone")):
        scene = Scene([[CALL, behind]], attempts=3)
        before = trio.current_time()
        assert await scene.ask() == "found"
        assert trio.current_time() - before <= 1.5
        assert len(scene.openai.requests) == 1
        assert scene.routes[-1] == Route(PERPLEXITY, "p", "needs the web")


async def test_text_waits_for_a_few_characters_and_no_longer(autojump_clock: trio.testing.MockClock) -> None:
    scene = Scene([["x" * 50, 1.0, "y" * 20, 5.0, "z"]])
    shown = [trio.current_time() async for event in scene.events("why?") if isinstance(event, TextDelta)]
    assert shown == [pytest.approx(1.0), pytest.approx(6.0)]


async def test_a_short_answer_appears_when_the_model_has_ended_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    scene = Scene([["42.", End(FinishReason.STOP), 5.0]])
    (shown,) = [trio.current_time() async for event in scene.events("why?") if isinstance(event, TextDelta)]
    assert shown == pytest.approx(0.0)


async def test_the_usage_of_the_call_is_told_too() -> None:
    scene = Scene([[CALL, UsageReport(Usage(90, 12))]])
    assert UsageReport(Usage(90, 12)) in [event async for event in scene.events("why?")]


async def test_a_tool_that_is_not_ours_is_no_call() -> None:
    scene = Scene([["an answer", ToolCall("delete_everything", "now")]])
    assert await scene.ask() == "an answer"


async def test_where_perplexity_fails_after_the_call_openai_answers_without_tools() -> None:
    scene = Scene([[CALL], ["from memory"]], [[Overloaded(PERPLEXITY, "503")]])
    assert await scene.ask() == "from memory"
    assert scene.openai.requests[1].tools == ()
    assert scene.routes[-1].note == "Perplexity couldn't answer, so OpenAI did."


async def test_where_both_fail_the_last_error_is_told() -> None:
    scene = Scene([[CALL], [ConnectionLost(OPENAI, "gone")]], [[Overloaded(PERPLEXITY, "503")]])
    with pytest.raises(ConnectionLost):
        await scene.ask()
    assert (len(scene.openai.requests), len(scene.perplexity.requests)) == (2, 1)


@pytest.mark.parametrize("second", [BadRequest(PERPLEXITY, "400"), ToolsRefused(PERPLEXITY, "400")])
async def test_where_the_last_one_gives_no_reason_an_earlier_ones_is_told(second: ProviderError) -> None:
    """A person can shorten a question, and do nothing with one that was merely refused."""
    scene = Scene([[ContextTooLong(OPENAI, "400")]], [[second]])
    with pytest.raises(ContextTooLong):
        await scene.ask()
    scene = Scene([[BadRequest(OPENAI, "400")]], [[FileRefused(PERPLEXITY, "400")]])
    with pytest.raises(FileRefused):
        await scene.ask()
    scene = Scene([[Overloaded(OPENAI, "503")]], [[second]])
    with pytest.raises(type(second)):
        await scene.ask()


async def test_an_endpoint_without_tools_is_noticed_once_and_then_rules_decide() -> None:
    scene = Scene([[ToolsRefused(OPENAI, "400")], ["by rules"], ["again"]])
    assert await scene.ask() == "by rules"
    await scene.ask("again")
    assert [request.tools for request in scene.openai.requests] == [(WEB_SEARCH,), (), ()]
    await scene.ask("the weather in Paris today")
    assert len(scene.perplexity.requests) == 1
    assert scene.routes[-1].why == "about current events"


async def test_a_refusal_without_tools_in_the_request_is_told_as_it_is() -> None:
    scene = Scene([[ToolsRefused(OPENAI, "400")]], strategy="openai")
    with pytest.raises(BadRequest):
        await scene.ask(wanted=OPENAI)


async def test_while_a_breaker_is_open_the_other_provider_answers_with_a_note() -> None:
    scene = Scene([[Overloaded(OPENAI, "503")]], [["found"]])
    for _ in range(10):
        await scene.ask()
    scene.texts.clear()
    assert await scene.ask() == "found"
    assert len(scene.openai.requests) == 10
    assert scene.routes[-1].note == "OpenAI couldn't answer, so Perplexity did."
    with pytest.raises(BreakerOpen, match="breaker"):
        await scene.ask(wanted=OPENAI)


@pytest.mark.parametrize("seconds", [20.0, 60.0])
async def test_silence_takes_no_more_than_half_of_a_questions_time_where_another_one_may_answer(
    autojump_clock: trio.testing.MockClock, seconds: float
) -> None:
    """Also where its own timeout is longer than what a question has. Who wants no other one waits."""
    scene = Scene([[0.9 * seconds, "late"]], attempts=3)
    events = scene.events("why?", seconds=seconds)
    assert "found" in "".join([event.text async for event in events if isinstance(event, TextDelta)])
    assert trio.current_time() <= seconds / 2 + 1.0
    assert len(scene.openai.requests) == 1
    events = scene.events("why?", OPENAI, seconds=seconds)
    assert "late" in "".join([event.text async for event in events if isinstance(event, TextDelta)])
    events = scene.events("why?", seconds=seconds)  # by now, so late is usual
    assert "late" in "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def test_nobody_is_given_up_for_another_one_that_would_not_be_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whose breaker is open: what was slow would have answered."""
    scene = Scene([[50.0, "late"]], [[QuotaExhausted(PERPLEXITY, "402")]])
    with pytest.raises(QuotaExhausted):
        await scene.ask("why?", PERPLEXITY)
    events = scene.events("why?", seconds=60.0)
    assert "late" in "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def test_what_each_provider_may_cost_is_reserved_before_it_is_asked() -> None:
    scene = Scene([[CALL]])
    await scene.ask()
    assert scene.reserved == [(OPENAI, "o"), (PERPLEXITY, "p")]


async def test_who_has_reached_the_daily_limit_asks_nobody() -> None:
    scene = Scene([["an answer"]])
    scene.spent = True
    with pytest.raises(BeyondDailyLimit):
        await scene.ask()
    assert (scene.openai.requests, scene.perplexity.requests) == ([], [])


async def test_by_rules_a_follow_up_stays_with_who_answered_last() -> None:
    scene = Scene([["o"]], strategy=RULES)
    await scene.ask("news from Rome")
    await scene.ask("and what about it?")
    await scene.ask("write a haiku")
    assert [route.provider for route in scene.routes] == [PERPLEXITY, PERPLEXITY, OPENAI]
    assert scene.routes[1].why == "same as before"


class FakeDecider:
    """Decides by these probabilities, one for each request, or raises; `delay` is in seconds."""

    provider, model = OPENAI, "o"

    def __init__(self, *decided: float | ProviderError, delay: float = 0.0) -> None:
        self._decided = list(decided)
        self.delay = delay
        self.requests: list[ChatRequest] = []

    async def decide(self, request: ChatRequest) -> WebDecision:
        self.requests.append(request)
        decided = self._decided.pop(0)
        await trio.sleep(self.delay)
        if isinstance(decided, ProviderError):
            raise decided
        return WebDecision(decided, Usage(50, 1))


async def test_a_models_decision_tells_who_answers_and_is_paid_for() -> None:
    """No tool is offered then; what the decision took is told as that of any other request."""
    decider = FakeDecider(0.91, 0.04)
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=decider)
    events = [event async for event in scene.events("who won the cup?")]
    assert events[:2] == [Route(OPENAI, "o", DECIDES), UsageReport(Usage(50, 1))]
    assert events[2] == Route(PERPLEXITY, "p", "needs the web")
    assert scene.reserved == [(OPENAI, "o"), (PERPLEXITY, "p")]
    await scene.ask("the weather today, as a word, what is it")  # the rules alone would search
    assert scene.routes[-1] == Route(OPENAI, "o", "no search needed")
    assert scene.openai.requests[0].tools == ()


async def test_a_decision_whose_usage_is_not_told_is_charged_as_expected() -> None:
    """It is not free for that."""

    class Silent(FakeDecider):
        async def decide(self, request: ChatRequest) -> WebDecision:
            return replace(await super().decide(request), usage=None)

    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=Silent(0.04))
    events = [event async for event in scene.events("why?")]
    assert events[0] == Route(OPENAI, "o", DECIDES)
    assert isinstance(events[1], UsageReport)
    assert events[1].usage.input_tokens > 0


async def test_without_a_decision_in_time_the_rules_decide_and_nobody_asks_again_soon(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A question waits two seconds at most; after a failure, the next ones wait for nothing."""
    decider = FakeDecider(0.9, 0.9, delay=60.0)
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=decider)
    for text in ("news from Rome", "write a haiku"):
        await scene.ask(text)
    assert trio.current_time() <= 2.1
    assert [route.provider for route in scene.routes if route.why != DECIDES] == [PERPLEXITY, OPENAI]
    assert len(decider.requests) == 1
    await trio.sleep(31)
    await scene.ask("write a haiku")
    assert len(decider.requests) == 2


async def test_a_decision_that_comes_too_late_is_charged_as_expected(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The provider charges for what it was asked, whether anybody waits for it or not."""
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=FakeDecider(0.9, delay=60.0))
    events = [event async for event in scene.events("write a haiku")]
    assert events[0] == Route(OPENAI, "o", DECIDES)
    assert isinstance(events[1], UsageReport)
    assert events[1].usage.input_tokens > 0
    requests = [event.why for event in events if isinstance(event, Route)]
    assert requests == [DECIDES, "no search needed"]


async def test_a_decision_is_a_request_of_its_provider(autojump_clock: trio.testing.MockClock) -> None:
    """It is counted with its outcome and its tokens, and takes a slot and a part of the minute's budget."""
    decider = FakeDecider(0.9, Overloaded(OPENAI, "503"), 0.9, delay=1.0)
    budget = BudgetOptions(requests_per_minute=100, tokens_per_minute=10_000)
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=decider, budget=budget)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, "who won the cup?")
        await trio.sleep(0.5)
        assert scene.dispatcher.statistics().in_flight == 1
    now = scene.dispatcher.statistics()
    assert (now.requests, now.requests_left, now.tokens_left) == (1, 99, 10_000 - 51)
    assert now.models["o"] == ModelStatistics({RequestOutcome.ANSWERED: 1}, 50, 1)
    await scene.ask("write a haiku")
    now = scene.dispatcher.statistics()
    assert now.models["o"].outcomes == {RequestOutcome.ANSWERED: 2, RequestOutcome.OVERLOADED: 1}
    await trio.sleep(31)
    decider.delay = 60.0
    await scene.ask("write a haiku")
    now = scene.dispatcher.statistics()
    assert now.models["o"].outcomes[RequestOutcome.TIMED_OUT] == 1
    assert now.in_flight == 0


@pytest.mark.parametrize("full", ["slots", "requests", "tokens", "burst"])
async def test_where_a_decision_would_have_to_wait_the_rules_decide_at_once(
    autojump_clock: trio.testing.MockClock, full: str
) -> None:
    """It takes neither a slot nor budget that a question needs."""
    budget = BudgetOptions(
        10, tokens_per_minute=100 if full == "tokens" else None, burst=1 if full == "burst" else None
    )
    decider = FakeDecider(0.9, 0.9)
    scene = Scene(
        [[30.0, "an answer"]],
        [[30.0, "found"]],
        strategy=DECISIONS,
        decisions=decider,
        slots=1 if full == "slots" else 10,
        budget=budget,
    )
    asked = {"slots": 1, "requests": 9}.get(full, 0)
    async with trio.open_nursery() as nursery:
        for _ in range(asked):
            nursery.start_soon(partial(scene.ask, "why?", wanted=OPENAI))
        await trio.sleep(1)
        began = trio.current_time()
        async with aclosing(scene.events("news from Rome")) as events:
            assert await anext(events) == Route(PERPLEXITY, "p", "about current events")
        assert trio.current_time() == began
    assert decider.requests == []


async def test_nobody_is_passed_over_for_a_decision(autojump_clock: trio.testing.MockClock) -> None:
    """While a question waits for budget, no decision takes what there is of it."""
    decider = FakeDecider(0.9)
    budget = BudgetOptions(requests_per_minute=1000)
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=decider, budget=budget)
    scene.dispatcher._budget.pause(10.0, trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(scene.ask, "why?", wanted=OPENAI))
        await trio.sleep(1)
        async with aclosing(scene.events("news from Rome")) as events:
            assert await anext(events) == Route(PERPLEXITY, "p", "about current events")
    assert decider.requests == []


async def test_a_decision_refused_for_the_rate_holds_the_answers_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The provider's limits are for all its requests; any other refusal is of this interface alone."""
    refused = FakeDecider(RateLimited(OPENAI, "429", 20.0))
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=refused)
    await scene.ask("write a haiku")
    assert trio.current_time() == pytest.approx(20, abs=0.1)
    assert scene.dispatcher.statistics().rate_limited == 1
    long = FakeDecider(RateLimited(OPENAI, "429", 600.0))
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=long)
    await scene.ask("write a haiku")
    assert scene.dispatcher.statistics().breaker is BreakerState.OPEN
    for error in (AuthenticationFailed(OPENAI, "401"), QuotaExhausted(OPENAI, "402")):
        scene = Scene([["an answer"]], strategy=DECISIONS, decisions=FakeDecider(error))
        assert await scene.ask("write a haiku") == "an answer"
        assert scene.dispatcher.statistics().breaker is BreakerState.CLOSED


async def test_no_decision_probes_an_open_breaker(autojump_clock: trio.testing.MockClock) -> None:
    """A probe is a question: its failure says more."""
    decider = FakeDecider(0.9, 0.9)
    unauthorised: list[Step] = [AuthenticationFailed(OPENAI, "401")]
    scene = Scene([unauthorised, ["an answer"]], strategy=DECISIONS, decisions=decider)
    with pytest.raises(AuthenticationFailed):
        await scene.ask("why?", wanted=OPENAI)
    assert await scene.ask("write a haiku") == "found"  # instead
    await trio.sleep(200)  # the next one is a probe
    assert await scene.ask("write a haiku") == "foundan answer"
    assert decider.requests == []


@pytest.mark.parametrize(
    ("error", "asked_again"),
    [(Overloaded(OPENAI, "503"), True), (EndpointNotFound(OPENAI, "404"), False)],
)
async def test_a_decision_that_fails_fails_no_question(
    autojump_clock: trio.testing.MockClock, error: ProviderError, asked_again: bool
) -> None:
    """An endpoint that has no such interface is not asked for one again."""
    decider = FakeDecider(error, 0.9)
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=decider)
    assert await scene.ask("write a haiku") == "an answer"
    await trio.sleep(3600)
    await scene.ask("write a haiku")
    assert len(decider.requests) == 1 + asked_again


async def test_nothing_is_decided_for_who_has_chosen_and_for_follow_ups() -> None:
    """Each decision is a request; these need none."""
    decider = FakeDecider(0.9)
    scene = Scene([["an answer"]], strategy=DECISIONS, decisions=decider)
    await scene.ask("why?", wanted=OPENAI)
    await scene.ask("llamas", search=True)
    await scene.ask("and what about it?")
    assert decider.requests == []
    assert scene.routes[-1] == Route(PERPLEXITY, "p", "same as before")


async def test_with_the_tool_a_follow_up_stays_with_who_answered_last() -> None:
    """Who has searched has what it found; the next question that begins something new goes to the model."""
    scene = Scene([[CALL], ["an answer"]])
    await scene.ask("what do llamas cost?")
    await scene.ask("and what about it?")
    await scene.ask("write a haiku")
    answered = [route.provider for route in scene.routes]
    assert answered == [OPENAI, PERPLEXITY, PERPLEXITY, OPENAI]
    assert scene.routes[2].why == "same as before"


def test_a_follow_up_with_a_picture_goes_to_who_takes_it() -> None:
    """Whoever answered last."""
    blind = replace(PERPLEXITY, images=False)
    router = Router([OPENAI, blind])
    asked = Inquiry("and what about it?", HISTORY, "a conversation")
    router.answered(asked, Choice(blind, "by default"))
    assert router.choose(asked).provider == blind
    assert router.choose(replace(asked, images=True)).provider == OPENAI


def test_the_providers_are_asked_in_the_order_of_the_settings() -> None:
    """`fallback` names who stands in, and in which order; who is not named never does."""
    third = replace(FOREIGN, name="third")
    everybody = (OPENAI, PERPLEXITY, FOREIGN, third)
    question = Inquiry("why?", (), "a conversation")

    def asked(fallback: tuple[str, ...] | None) -> list[str]:
        router = Router(everybody, Live(RoutingOptions(RULES, fallback)))
        choice: Choice | None = router.choose(question)
        names: list[str] = []
        while choice is not None:
            names.append(choice.provider.name)
            choice = router.instead(choice, names, question)
        return names

    assert asked(None) == ["openai", "perplexity", "foreign", "third"]
    assert asked(("third", "openai")) == ["third", "openai"]
    assert asked(("perplexity", "foreign")) == ["foreign", "perplexity"]
    assert asked(()) == ["openai"]


def test_who_stands_in_takes_what_is_attached() -> None:
    """Where one of them does; the others are asked after it."""
    blind = replace(PERPLEXITY, images=False)
    router = Router(
        (OPENAI, blind, FOREIGN), Live(RoutingOptions(RULES, ("openai", "perplexity", "foreign")))
    )
    plain = Inquiry("why?", (), "a conversation")
    pictured = replace(plain, images=True)
    for inquiry, order in ((plain, ["perplexity", "foreign"]), (pictured, ["foreign", "perplexity"])):
        choice, failed, names = router.choose(inquiry), ["openai"], []
        assert choice.provider == OPENAI
        while (next_one := router.instead(choice, failed, inquiry)) is not None:
            names.append(next_one.provider.name)
            failed.append(next_one.provider.name)
        assert names == order


@pytest.mark.parametrize(("fixed", "other"), [(OPENAI, PERPLEXITY), (PERPLEXITY, OPENAI)])
async def test_the_operator_may_fix_the_provider_and_a_person_may_ask_for_another(
    fixed: Provider, other: Provider
) -> None:
    scene = Scene([["o"]], strategy=fixed.name)
    await scene.ask("news from Rome")
    await scene.ask("news from Rome", wanted=other)
    assert [route.provider for route in scene.routes] == [fixed, other]
    assert scene.openai.requests[0].tools == ()


async def test_why_is_said_in_three_words() -> None:
    for strategy in (TOOL, RULES, "openai", "perplexity"):
        scene = Scene([["o"], ["o"], [CALL], [Overloaded(OPENAI, "503")]], strategy=strategy)
        for text in ("why?", "news from Rome", "why?", "why?"):
            await scene.ask(text)
        await scene.ask("why?", wanted=PERPLEXITY)
        assert all(len(route.why.split()) == 3 for route in scene.routes)


async def test_leaving_in_the_middle_leaves_the_provider(autojump_clock: trio.testing.MockClock) -> None:
    scene = Scene([["x" * 100, 1000.0]])
    events = scene.events("why?")
    with trio.move_on_after(1):
        async for _ in events:
            pass
    await events.aclose()
    assert (scene.openai.in_flight, scene.openai.left_early) == (0, 1)


async def test_a_question_keeps_its_time_when_it_was_said() -> None:
    scene = Scene([[CALL]])
    await scene.ask()
    assert replace(scene.perplexity.requests[0].turns[-1], text="") == Turn(Role.USER, "", 0.0)


def routing(
    *available: Provider, strategy: str = TOOL, search: bool = False, images: bool = False
) -> tuple[str, SearchMode, int]:
    """Who is asked first, whether it is to search, and how many tools it is offered."""
    choice = Router(available, Live(RoutingOptions(strategy))).choose(
        Inquiry("why?", HISTORY, "a conversation", search=search, images=images)
    )
    return choice.provider.name, choice.search, len(choice.tools)


def test_where_only_one_provider_is_set_up_it_answers_all_and_searches_if_it_can() -> None:
    """OpenAI's hosted search stands in where nobody else searches; Perplexity always searches."""
    assert routing(OPENAI) == ("openai", SearchMode.OFFERED, 0)
    assert routing(OPENAI, search=True) == ("openai", SearchMode.REQUIRED, 0)
    assert routing(PERPLEXITY) == ("perplexity", SearchMode.OFF, 0)
    assert routing(PERPLEXITY, search=True) == ("perplexity", SearchMode.REQUIRED, 0)
    assert routing(FOREIGN, search=True) == ("foreign", SearchMode.OFF, 0)


def test_who_asked_for_the_web_gets_the_provider_that_is_made_for_it() -> None:
    """Whatever the strategy says."""
    for strategy in (TOOL, RULES, "openai"):
        assert routing(OPENAI, PERPLEXITY, strategy=strategy, search=True)[0] == "perplexity"
    assert routing(FOREIGN, OPENAI, search=True) == ("openai", SearchMode.REQUIRED, 0)


def test_a_third_provider_calls_the_tool_as_openai_does() -> None:
    """Routing goes by what a provider can do, not by who it is."""
    assert routing(FOREIGN, PERPLEXITY) == ("foreign", SearchMode.OFF, 1)
    deaf = replace(FOREIGN, tools=False)
    assert routing(deaf, PERPLEXITY) == ("foreign", SearchMode.OFF, 0)


def test_pictures_go_to_a_provider_that_takes_them() -> None:
    """Where one does; the first one gets them otherwise."""
    blind = replace(OPENAI, images=False)
    assert routing(blind, FOREIGN, PERPLEXITY, images=True)[0] == "foreign"
    assert routing(blind, PERPLEXITY, images=True)[0] == "perplexity"
    assert routing(blind, replace(PERPLEXITY, images=False), images=True)[0] == "openai"


async def test_what_a_provider_cannot_take_is_said() -> None:
    """The answer says that it was given without the file."""
    scene = Scene([["an answer"]])
    await scene.ask("why?", wanted=PERPLEXITY, files=True)
    assert scene.routes[-1].note == "Perplexity can't read files, so it answered without them."


async def test_where_the_search_fails_the_other_one_searches() -> None:
    """`/search` falls back to a provider that can search, and to no other."""
    scene = Scene([["found, too"]], [[Overloaded(PERPLEXITY, "503")]])
    assert await scene.ask("llamas", search=True) == "found, too"
    assert scene.openai.requests[0].search is SearchMode.REQUIRED
    router = Router([FOREIGN, PERPLEXITY])
    choice = router.choose(Inquiry("llamas", HISTORY, "a conversation", search=True))
    assert router.instead(choice, {"perplexity"}, Inquiry("llamas", HISTORY, "a conversation")) is None
