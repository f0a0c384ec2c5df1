"""A refused field is left out: found by asking again, remembered for a day, and nothing else is lost."""

import uuid
from typing import Any

import pytest

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers import errors
from discordianai.providers.negotiation import MOST_TRIES
from discordianai.providers.optional_fields import AGAIN_AFTER, OptionalField, RefusedFields
from discordianai.providers.port import TextDelta
from discordianai.records import Dialect, SearchMode
from discordianai.sandbox.certificates import Authority
from tests.providers.refusing_server import Json, Refuses, ask, question, refusing

F = OptionalField
WISHES: dict[str, Any] = {"reasoning_effort": "low", "verbosity": "low", "max_answer_tokens": 500}
BOTH = pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.RESPONSES], ids=lambda each: each.value)


VAGUE = (400, {"error": {"message": "Bad request", "type": "invalid_request_error", "code": None}})
"""Names nothing."""


def no() -> tuple[int, object]:
    """Names nothing but the request, each of which has an id."""
    return 400, {"error": {"message": f"Bad request (request id: {uuid.uuid4()})", "code": None}}


def to(refusal: tuple[int, object], *fields: str) -> Refuses:
    """Refuses requests that have one of these fields."""
    return lambda body: refusal if any(has(body, field) for field in fields) else None


def has(body: Json, field: str) -> bool:
    """Whether a request has that field."""
    match field:
        case F.SYSTEM_ROLE:
            return "instructions" in body or any(
                turn["role"] == "system" for turn in body.get("messages", ())
            )
        case F.IDENTIFIERS:
            return "safety_identifier" in body or "prompt_cache_key" in body
        case F.EFFORT:
            return "reasoning_effort" in body or "reasoning" in body
        case F.VERBOSITY:
            return "verbosity" in body or "text" in body
        case F.STREAM:
            return bool(body.get("stream"))
        case _:
            return field in body


@BOTH
@pytest.mark.parametrize("field", [F.IDENTIFIERS, F.EFFORT, F.STREAM_OPTIONS, F.SYSTEM_ROLE, F.LIMIT_NAME])
async def test_a_field_is_found_although_the_error_names_none(
    authority: Authority, dialect: Dialect, field: OptionalField
) -> None:
    """What was left out in vain comes back; the second question costs one request."""

    def refuses(body: Json) -> tuple[int, object] | None:
        return no() if has(body, field) else None

    memory = RefusedFields()
    async with refusing(authority, refuses, dialect, memory=memory, **WISHES) as (asked, bodies):
        assert TextDelta("yes") in await ask(asked)
        first = len(bodies)
        await ask(asked)
        assert len(bodies) == first + 1
        assert first <= MOST_TRIES
        expected = {field} if has(bodies[0], field) else set()
        learned = {each.field for each in memory.left_out("here")}
        # Effort and verbosity are left out together where nothing says which of them it is.
        assert learned == ({F.EFFORT, F.VERBOSITY} if expected == {F.EFFORT} else expected)


@BOTH
async def test_the_field_that_an_error_names_is_left_out_first(
    authority: Authority, dialect: Dialect
) -> None:
    def refuses(body: Json) -> tuple[int, object] | None:
        if has(body, F.STREAM_OPTIONS):
            return 422, {
                "detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]
            }
        if has(body, F.VERBOSITY):
            return 400, {"error": "unknown field 'verbosity'"}
        return None

    memory = RefusedFields()
    async with refusing(authority, refuses, dialect, memory=memory, **WISHES) as (asked, bodies):
        await ask(asked)
        assert len(bodies) == 3
        assert {each.field for each in memory.left_out("here")} == {F.STREAM_OPTIONS, F.VERBOSITY}


@BOTH
async def test_several_fields_of_which_none_is_named_are_found(
    authority: Authority, dialect: Dialect
) -> None:
    """None of them helps alone."""
    refuses = to(VAGUE, F.EFFORT, F.STREAM_OPTIONS)
    async with refusing(authority, refuses, dialect, **WISHES) as (asked, bodies):
        await ask(asked)
        first = len(bodies)
        await ask(asked)
        assert len(bodies) == first + 1
        assert first <= MOST_TRIES
        limit = "max_output_tokens" if dialect is Dialect.RESPONSES else "max_tokens"
        assert bodies[-1][limit] == 500


@BOTH
async def test_what_gets_further_without_a_field_does_not_lose_others(
    authority: Authority, dialect: Dialect
) -> None:
    """Two fields, two errors that name neither: both are found, and nothing else is left out."""

    def refuses(body: Json) -> tuple[int, object] | None:
        wrong = [field for field in (F.STREAM_OPTIONS, F.SYSTEM_ROLE) if has(body, field)]
        return (400, {"error": f"mistake number {len(wrong)}"}) if wrong else None

    memory = RefusedFields()
    async with refusing(authority, refuses, dialect, memory=memory, **WISHES) as (asked, _):
        await ask(asked)
        assert {each.field for each in memory.left_out("here")} == {F.STREAM_OPTIONS, F.SYSTEM_ROLE}


async def test_the_text_of_the_system_role_is_not_lost(authority: Authority) -> None:
    """It begins the first question."""
    for dialect, key in ((Dialect.CHAT, "messages"), (Dialect.RESPONSES, "input")):
        refuses = to((400, "System role not supported"), F.SYSTEM_ROLE)
        async with refusing(authority, refuses, dialect) as (asked, bodies):
            await ask(asked)
            assert len(bodies) == 2
            (turn,) = bodies[-1][key]
            assert turn["content"] == "Be brief.\n\nwhy?"


@BOTH
@pytest.mark.parametrize("named", ["store", "max_tokens", "max_output_tokens", "model"])
async def test_what_is_always_sent_is_never_left_out(
    authority: Authority, dialect: Dialect, named: str
) -> None:
    """A refusal that names it costs one request: nothing else can help."""
    told = {"error": {"message": f"Unsupported parameter: {named}", "param": named}}
    async with refusing(authority, lambda _: (400, told), dialect, **WISHES) as (asked, bodies):
        with pytest.raises(errors.BadRequest):
            await ask(asked)
        assert len(bodies) == 1
        assert dialect is Dialect.CHAT or bodies[0]["store"] is False


@BOTH
async def test_the_tries_are_bounded_and_teach_nothing_where_none_is_answered(
    authority: Authority, dialect: Dialect
) -> None:
    """Even where each refusal differs from the one before, which looks like progress."""
    memory, number = RefusedFields(), iter(range(1000))

    def refuses(_: Json) -> tuple[int, object]:
        return 400, {"error": f"no, for the {next(number)}. time"}

    async with refusing(authority, refuses, dialect, memory=memory, **WISHES) as (asked, bodies):
        with pytest.raises(errors.BadRequest) as caught:
            await ask(asked)
        assert type(caught.value) is errors.BadRequest
        assert len(bodies) <= 10
        assert memory.left_out("here") == ()
        limit = "max_output_tokens" if dialect is Dialect.RESPONSES else "max_tokens"
        for body in bodies:
            assert body.get(limit, body.get("max_completion_tokens")) == 500
            assert dialect is Dialect.CHAT or body["store"] is False


@pytest.mark.parametrize(
    ("dialect", "base_url"),
    [
        (Dialect.RESPONSES, "https://api.openai.com/v1"),
        (Dialect.CHAT, "https://api.openai.com/v1"),
        (Dialect.AGENT, "https://api.perplexity.ai"),
    ],
)
async def test_who_defines_a_dialect_is_asked_without_nothing_but_streaming(
    authority: Authority, dialect: Dialect, base_url: str
) -> None:
    refuses = to(VAGUE, "stream_options", "instructions")
    async with refusing(authority, refuses, dialect, base_url) as (asked, bodies):
        with pytest.raises(errors.BadRequest):
            await ask(asked)
        assert len(bodies) == 1
    named = {"error": {"message": "Unknown parameter: 'stream_options'.", "param": "stream_options"}}
    async with refusing(authority, lambda _: (400, named), dialect, base_url) as (asked, bodies):
        with pytest.raises(errors.BadRequest):
            await ask(asked)
        assert len(bodies) == 1
    message = "Your organization must be verified to stream this model."
    told = {"error": {"message": message, "param": "stream", "code": "unsupported_value"}}
    refuses = to((400, told), F.STREAM)
    memory = RefusedFields()
    async with refusing(authority, refuses, dialect, base_url, memory) as (asked, bodies):
        for _ in range(2):
            await ask(asked)
        assert [bool(body.get("stream")) for body in bodies] == [True, False, False]
        assert {each.field for each in memory.left_out("here")} == {F.STREAM}


async def test_a_search_that_the_person_asked_for_is_not_left_out(authority: Authority) -> None:
    refuses = to((400, {"error": "tools are not supported"}), "tools")
    async with refusing(authority, refuses, Dialect.RESPONSES) as (asked, bodies):
        with pytest.raises(errors.ToolsRefused):
            await ask(asked, question(search=SearchMode.REQUIRED))
        assert all("tools" in body for body in bodies)
        with pytest.raises(errors.ToolsRefused):
            await ask(asked, question(search=SearchMode.OFFERED))
        assert "tools" not in bodies[-1]


async def test_parallel_calls_are_left_out_without_the_tools(authority: Authority) -> None:
    told = {"error": {"message": "Unknown parameter: 'parallel_tool_calls'.", "param": "parallel_tool_calls"}}
    refuses = to((400, told), "parallel_tool_calls")
    async with refusing(authority, refuses, Dialect.RESPONSES) as (asked, bodies):
        assert TextDelta("yes") in await ask(asked, question(tools=(WEB_SEARCH,)))
        assert len(bodies) == 2
        assert bodies[-1]["tools"]


async def test_what_is_refused_is_forgotten_after_a_day_and_with_the_process(authority: Authority) -> None:
    """A newer server, or another model behind the name, may take it."""

    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock, takes = Clock(), False
    memory = RefusedFields(clock)

    def refuses(body: Json) -> tuple[int, object] | None:
        return (400, {"error": "stream_options?"}) if "stream_options" in body and not takes else None

    async with refusing(authority, refuses, memory=memory) as (asked, bodies):
        await ask(asked)
        clock.now = AGAIN_AFTER - 1
        await ask(asked)
        assert "stream_options" not in bodies[-1]
        clock.now, takes = AGAIN_AFTER, True
        await ask(asked)
        assert "stream_options" in bodies[-1]
        assert len(bodies) == 4
        assert RefusedFields().left_out("here") == ()


async def test_a_refusal_inside_the_stream_counts_as_one_before_it(authority: Authority) -> None:
    """With the status 200, and before any text."""
    told = {"error": {"code": 400, "message": "stream_options is not supported"}}
    async with refusing(authority, to((200, told), "stream_options")) as (asked, bodies):
        assert TextDelta("yes") in await ask(asked)
        assert len(bodies) == 2


async def test_a_pause_in_the_search_does_not_begin_it_anew(authority: Authority) -> None:
    """Some endpoints allow one request a second: each try of a question gets further than the one before."""
    refused = iter([F.STREAM_OPTIONS, "", F.VERBOSITY, "", F.EFFORT])

    def refuses(body: Json) -> tuple[int, object] | None:
        field = next(refused, None)
        if field == "":
            return 429, {"error": {"message": "slow down"}}
        return None if field is None else (400, {"error": f"unknown field {field}"})

    memory = RefusedFields()
    async with refusing(authority, refuses, memory=memory, **WISHES) as (asked, bodies):
        for _ in range(2):
            with pytest.raises(errors.RateLimited):
                await ask(asked)
        await ask(asked)
        assert len(bodies) == 6
        assert {each.field for each in memory.left_out("here")} == {F.STREAM_OPTIONS, F.VERBOSITY, F.EFFORT}
