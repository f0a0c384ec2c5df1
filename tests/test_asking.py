"""Who is asked, when the web is searched, and who answers where one fails."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trio
import trio.testing

from discordianai.asking import HELD_BACK, Asked, Asking
from discordianai.dispatch.dispatcher import Dispatcher, DispatchOptions
from discordianai.dispatch.refusals import AllowanceSpent, BreakerOpen
from discordianai.dispatch.retry import RetryOptions
from discordianai.dispatch.routing import WEB_SEARCH, Inquiry, Router, Strategy
from discordianai.model import (
    ChatRequest,
    Chunk,
    FinishReason,
    ProviderName,
    Role,
    Route,
    ToolCall,
    Turn,
    Usage,
)
from discordianai.providers.errors import BadRequest, ConnectionLost, Overloaded, ToolsRefused
from discordianai.providers.fake import FakeProvider, Step

OPENAI, PERPLEXITY = ProviderName.OPENAI, ProviderName.PERPLEXITY
CALL = Chunk(tool_call=ToolCall(WEB_SEARCH.name, "llama prices"))
HISTORY = (Turn(Role.USER, "hello"), Turn(Role.ASSISTANT, "hi"))


class Scene:
    """Both providers, each with what it answers to each of its requests."""

    def __init__(
        self,
        openai: list[list[Step]],
        perplexity: list[list[Step]] | None = None,
        strategy: Strategy = Strategy.TOOL,
    ) -> None:
        self.openai = FakeProvider(*openai, name=OPENAI, model="o")
        self.perplexity = FakeProvider(*(perplexity or [["found"]]), name=PERPLEXITY, model="p")
        options = DispatchOptions(slots=10, retry=RetryOptions(max_attempts=1))
        both = (self.openai, self.perplexity)
        dispatchers = {provider.name: Dispatcher(provider, options) for provider in both}
        self.asking = Asking(dispatchers, Router(list(dispatchers), strategy))
        self.texts: list[str] = []
        self.routes: list[Route] = []
        self.reserved: list[tuple[ProviderName, str]] = []
        self.spent = False

    async def ask(self, text: str = "why?", wanted: ProviderName | None = None) -> str:
        """What is shown in the end."""
        async for chunk in self.chunks(text, wanted):
            if chunk.text:
                self.texts.append(chunk.text)
            if chunk.route:
                self.routes.append(chunk.route)
        return "".join(self.texts)

    def chunks(self, text: str, wanted: ProviderName | None = None) -> AsyncIterator[Chunk]:
        def request(_provider: ProviderName, model: str) -> ChatRequest:
            return ChatRequest(model, (*HISTORY, Turn(Role.USER, text)))

        async def reserve(provider: ProviderName, model: str, most: Usage) -> None:
            self.reserved.append((provider, model))
            if self.spent:
                raise AllowanceSpent(provider, "as much as may be")

        inquiry = Inquiry(text, HISTORY, "a conversation", wanted)
        return self.asking.chunks(Asked(inquiry, request, reserve, trio.current_time() + 300, 1))


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


async def test_once_text_is_shown_there_is_no_switch() -> None:
    long = "x" * (HELD_BACK + 1)
    scene = Scene([[long, " and more", CALL]])
    assert await scene.ask() == long + " and more"
    assert scene.perplexity.requests == []


async def test_text_waits_for_a_few_characters_and_no_longer(autojump_clock: trio.testing.MockClock) -> None:
    scene = Scene([["x" * 50, 1.0, "y" * 20, 5.0, "z"]])
    shown = [trio.current_time() async for chunk in scene.chunks("why?") if chunk.text]
    assert shown == [pytest.approx(1.0), pytest.approx(6.0)]


async def test_a_short_answer_appears_when_the_model_has_ended_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    end = Chunk(finish_reason=FinishReason.STOP)
    scene = Scene([["42.", end, 5.0]])
    (shown,) = [trio.current_time() async for chunk in scene.chunks("why?") if chunk.text]
    assert shown == pytest.approx(0.0)


async def test_the_usage_of_the_call_is_told_too() -> None:
    scene = Scene([[CALL, Chunk(usage=Usage(90, 12))]])
    usages = [chunk.usage async for chunk in scene.chunks("why?") if chunk.usage]
    assert Usage(90, 12) in usages


async def test_a_tool_that_is_not_ours_is_no_call() -> None:
    scene = Scene([["an answer", Chunk(tool_call=ToolCall("delete_everything", "now"))]])
    assert await scene.ask() == "an answer"


async def test_where_perplexity_fails_after_the_call_openai_answers_without_tools() -> None:
    scene = Scene([[CALL], ["from memory"]], [[Overloaded(PERPLEXITY, "503")]])
    assert await scene.ask() == "from memory"
    assert scene.openai.requests[1].tools == ()
    assert scene.routes[-1].note == "Perplexity could not answer, so OpenAI did."


async def test_where_both_fail_the_last_error_is_told() -> None:
    scene = Scene([[CALL], [ConnectionLost(OPENAI, "gone")]], [[Overloaded(PERPLEXITY, "503")]])
    with pytest.raises(ConnectionLost):
        await scene.ask()
    assert (len(scene.openai.requests), len(scene.perplexity.requests)) == (2, 1)


async def test_an_endpoint_without_tools_is_noticed_once_and_then_rules_decide() -> None:
    scene = Scene([[ToolsRefused(OPENAI, "400")], ["by rules"], ["again"]])
    assert await scene.ask() == "by rules"
    await scene.ask("again")
    assert [request.tools for request in scene.openai.requests] == [(WEB_SEARCH,), (), ()]
    await scene.ask("the weather in Paris today")
    assert len(scene.perplexity.requests) == 1
    assert scene.routes[-1].why == "about current things"


async def test_a_refusal_without_tools_in_the_request_is_told_as_it_is() -> None:
    scene = Scene([[ToolsRefused(OPENAI, "400")]], strategy=Strategy.OPENAI)
    with pytest.raises(BadRequest):
        await scene.ask(wanted=OPENAI)


async def test_while_a_breaker_is_open_the_other_provider_answers_with_a_note() -> None:
    scene = Scene([[Overloaded(OPENAI, "503")]], [["found"]])
    for _ in range(10):
        await scene.ask()
    scene.texts.clear()
    assert await scene.ask() == "found"
    assert len(scene.openai.requests) == 10
    assert scene.routes[-1].note == "OpenAI could not answer, so Perplexity did."
    with pytest.raises(BreakerOpen, match="breaker"):
        await scene.ask(wanted=OPENAI)


async def test_what_each_provider_may_cost_is_reserved_before_it_is_asked() -> None:
    scene = Scene([[CALL]])
    await scene.ask()
    assert scene.reserved == [(OPENAI, "o"), (PERPLEXITY, "p")]


async def test_who_has_spent_the_days_allowance_asks_nobody() -> None:
    scene = Scene([["an answer"]])
    scene.spent = True
    with pytest.raises(AllowanceSpent):
        await scene.ask()
    assert (scene.openai.requests, scene.perplexity.requests) == ([], [])


async def test_by_rules_a_follow_up_stays_with_who_answered_last() -> None:
    scene = Scene([["o"]], strategy=Strategy.RULES)
    await scene.ask("news from Rome")
    await scene.ask("and what about it?")
    await scene.ask("write a haiku")
    assert [route.provider for route in scene.routes] == [PERPLEXITY, PERPLEXITY, OPENAI]
    assert scene.routes[1].why == "as just before"


@pytest.mark.parametrize(("strategy", "name"), [(Strategy.OPENAI, OPENAI), (Strategy.PERPLEXITY, PERPLEXITY)])
async def test_the_operator_may_fix_the_provider_and_a_person_may_ask_for_another(
    strategy: Strategy, name: ProviderName
) -> None:
    scene = Scene([["o"]], strategy=strategy)
    other = PERPLEXITY if name is OPENAI else OPENAI
    await scene.ask("news from Rome")
    await scene.ask("news from Rome", wanted=other)
    assert [route.provider for route in scene.routes] == [name, other]
    assert scene.openai.requests[0].tools == ()


async def test_why_is_said_in_three_words() -> None:
    for strategy in Strategy:
        scene = Scene([["o"], ["o"], [CALL], [Overloaded(OPENAI, "503")]], strategy=strategy)
        for text in ("why?", "news from Rome", "why?", "why?"):
            await scene.ask(text)
        await scene.ask("why?", wanted=PERPLEXITY)
        assert all(len(route.why.split()) == 3 for route in scene.routes)


async def test_leaving_in_the_middle_leaves_the_provider(autojump_clock: trio.testing.MockClock) -> None:
    scene = Scene([["x" * 100, 1000.0]])
    chunks = scene.chunks("why?")
    with trio.move_on_after(1):
        async for _ in chunks:
            pass
    await chunks.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert (scene.openai.in_flight, scene.openai.left_early) == (0, 1)


async def test_a_question_keeps_its_time_when_it_was_said() -> None:
    scene = Scene([[CALL]])
    await scene.ask()
    assert replace(scene.perplexity.requests[0].turns[-1], text="") == Turn(Role.USER, "", 0.0)
