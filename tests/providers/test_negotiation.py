"""What a search for the form that an endpoint takes may cost, over real sockets."""

import pytest
import trio

from discordianai.dispatch.breaker import BreakerState
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.option import Live
from discordianai.providers import errors, negotiation
from discordianai.providers.negotiation import MOST_TRIES
from discordianai.providers.optional_fields import RefusedFields
from discordianai.providers.port import TextDelta
from discordianai.records import ChatRequest, Dialect, Role, Turn
from discordianai.sandbox.certificates import Authority
from tests.providers.refusing_server import Json, ask, question, refusing

NO = (400, {"error": {"message": "Nope."}})
"""Names nothing, in no known words."""


def about(text: str, number: int = 1) -> ChatRequest:
    return ChatRequest("a-model", (Turn(Role.USER, text),), "Be brief.", number=number)


def last_text(body: Json) -> str:
    return str(body["messages"][-1]["content"])


async def test_a_question_is_at_fault_where_others_like_it_are_answered(authority: Authority) -> None:
    """Whatever the words of its refusal, it costs one request and teaches nothing."""

    def refuses(body: Json) -> tuple[int, object] | None:
        if "stream_options" in body:
            return 400, {"error": "stream_options?"}
        return NO if "odd" in last_text(body) else None

    memory = RefusedFields()
    async with refusing(authority, refuses, memory=memory, reasoning_effort="low") as (asked, bodies):
        await ask(asked, about("plain"))
        learned, before = memory.left_out("here"), len(bodies)
        with pytest.raises(errors.BadRequest):
            await ask(asked, about("odd"))
        assert len(bodies) == before + 1
        assert memory.left_out("here") == learned
        assert TextDelta("yes") in await ask(asked, about("plain"))


async def test_a_field_that_is_named_is_left_out_although_others_were_answered(authority: Authority) -> None:
    """An endpoint that is updated meanwhile says what it no longer takes."""
    updated = False

    def refuses(body: Json) -> tuple[int, object] | None:
        return (400, {"error": "stream_options?"}) if updated and "stream_options" in body else None

    async with refusing(authority, refuses) as (asked, bodies):
        await ask(asked)
        updated = True
        await ask(asked)
        assert len(bodies) == 3


async def test_a_search_in_vain_is_not_repeated_with_each_question(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next questions fail at once, with the same reason; after a while, one searches again."""
    monkeypatch.setattr(negotiation, "SETTLED_FOR", 2.0)
    async with refusing(authority, lambda _: NO) as (asked, bodies):
        with pytest.raises(errors.BadRequest):
            await ask(asked)
        settled, first = trio.current_time(), len(bodies)
        assert 1 < first <= MOST_TRIES
        for number in (2, 3):
            with pytest.raises(errors.BadRequest) as caught:
                await ask(asked, question(number=number))
            assert "status 400" in caught.value.detail
        assert trio.current_time() >= settled + 2.0 or len(bodies) == first + 2
        await trio.sleep_until(settled + 2.1)
        before = len(bodies)
        with pytest.raises(errors.BadRequest):
            await ask(asked, question(number=4))
        assert len(bodies) == before + first


async def test_other_kinds_of_questions_are_searched_for_by_themselves(authority: Authority) -> None:
    """A template may refuse the system role only with pictures, or only with a history."""

    def refuses(body: Json) -> tuple[int, object] | None:
        roles = [turn["role"] for turn in body["messages"]]
        return NO if "system" in roles and len(roles) > 2 else None

    earlier = (Turn(Role.USER, "a"), Turn(Role.ASSISTANT, "b"))
    async with refusing(authority, refuses) as (asked, _):
        await ask(asked, about("first"))
        longer = ChatRequest("a-model", (*earlier, Turn(Role.USER, "c")), "Be brief.", number=2)
        assert TextDelta("yes") in await ask(asked, longer)


@pytest.mark.parametrize("helps", [True, False])
async def test_one_of_many_first_questions_searches(authority: Authority, helps: bool) -> None:
    """The others wait for what it finds, and then cost one more request each."""
    many = 20

    def refuses(body: Json) -> tuple[int, object] | None:
        return NO if not helps or "reasoning_effort" in body else None

    answered: list[int] = []

    async with refusing(authority, refuses, reasoning_effort="low") as (asked, bodies):

        async def one(number: int) -> None:
            try:
                if TextDelta("yes") in await ask(asked, about("why?", number)):
                    answered.append(number)
            except errors.BadRequest:
                assert not helps

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for number in range(many):
                    nursery.start_soon(one, number)
        assert len(answered) == (many if helps else 0)
        assert len(bodies) <= 2 * many + MOST_TRIES


async def test_a_search_that_is_given_up_keeps_nobody_waiting(authority: Authority) -> None:
    """Its question is cancelled: another one searches."""
    scope, sent = trio.CancelScope(), []

    def refuses(body: Json) -> tuple[int, object] | None:
        sent.append(last_text(body))
        if sent.count("first") == 2 and "second" in sent:
            scope.cancel()
        return NO if "reasoning_effort" in body or last_text(body) == "first" else None

    async with refusing(authority, refuses, reasoning_effort="low") as (asked, _):

        async def first() -> None:
            with scope:
                await ask(asked, about("first", 1))

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(first)
                assert TextDelta("yes") in await ask(asked, about("second", 2))
                scope.cancel()


async def test_each_request_of_a_search_counts_in_the_minute(authority: Authority) -> None:
    """A provider counts refused ones as well. The breaker and the retries are not touched."""

    def refuses(body: Json) -> tuple[int, object] | None:
        return NO if "reasoning_effort" in body else None

    async with refusing(authority, refuses, Dialect.CHAT, reasoning_effort="low") as (asked, bodies):
        own = {"a-model": BudgetOptions(requests_per_minute=100)}
        options = DispatcherOptions(slots=5, budget=BudgetOptions(requests_per_minute=100), models=own)
        dispatcher = Dispatcher(asked, Live(options))
        async with dispatcher.stream(about("why?")) as events:
            assert TextDelta("yes") in [event async for event in events]
        now = dispatcher.statistics()
        assert len(bodies) > 1
        assert now.requests_left == 100 - len(bodies)
        assert now.retries == 0
        assert now.breaker is BreakerState.CLOSED
