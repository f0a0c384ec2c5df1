"""Errors in forms of their own, over real sockets: what they name is found; what they quote says nothing."""

import time
from typing import Any

import pytest

from discordianai.providers import errors, failures
from discordianai.providers.error_body import refusal, told_error, unquoted
from discordianai.providers.optional_fields import RefusedFields
from discordianai.providers.port import TextDelta
from discordianai.records import ChatRequest, Dialect, Role, Turn
from discordianai.sandbox.certificates import Authority
from tests.known_providers import OPENAI
from tests.providers.refusing_server import Json, ask, question, refusing

EXTRA = "Unrecognized key"
NAMES_STREAM_OPTIONS: dict[str, object] = {
    "zod": {
        "success": False,
        "error": {"name": "ZodError", "issues": [{"keys": ["stream_options"], "path": [], "message": EXTRA}]},
    },
    "a path as a list": {"error": {"errors": [{"path": ["stream_options"], "message": EXTRA}]}},
    "a list in a list": {"detail": [[{"loc": ["body", "stream_options"], "msg": "extra"}]]},
    "by field": {"errors": {"stream_options": ["Unknown field."]}},
    "by field, in detail": {"detail": {"stream_options": ["Unknown field."]}},
    "texts": {"errors": ["unknown field stream_options"]},
    "a list as the message": {"message": ["property stream_options should not exist"]},
    "a fault": {"fault": {"faultstring": "stream_options not allowed"}},
    "a path of JSON": {"title": "Validation errors", "errors": {"$.stream_options": ["not converted"]}},
    "msg": {"msg": "stream_options unknown"},
    "error_msg": {"error_msg": "stream_options unknown", "error_code": 336},
    "capitals": {"Error": {"Message": "stream_options unknown"}},
    "an error in an error": {"error": {"error": {"message": "stream_options unknown"}}},
    "beside the input": {
        "detail": {"input": {"tools": "t"}, "why": "stream_options unknown", "value": "tools"}
    },
    "HTML": "<!doctype html><head><title>tools</title><script>tools()</script></head>"
    "<h1 class=tools>Bad</h1><p>stream_options unknown</p>",
}


@pytest.mark.parametrize("form", NAMES_STREAM_OPTIONS)
async def test_what_is_named_in_any_form_is_left_out_first(authority: Authority, form: str) -> None:
    """One further request, and only what was named is remembered."""

    def refuses(body: Json) -> tuple[int, object] | None:
        return (400, NAMES_STREAM_OPTIONS[form]) if "stream_options" in body else None

    memory = RefusedFields()
    async with refusing(authority, refuses, memory=memory, reasoning_effort="low") as (asked, bodies):
        assert TextDelta("yes") in await ask(asked)
        assert len(bodies) == 2
        assert [str(each.field) for each in memory.left_out("here")] == ["stream_options"]


QUESTIONS = (
    "How do I set tools and max_tokens in a content filter?",
    "Is 'model' \"not found\"?\nAnd what is an image,\tor temperature?",
    "画像とツールとは何ですか？ max_tokens も教えて",
)


@pytest.mark.parametrize("text", QUESTIONS)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "cut"])
@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.RESPONSES])
async def test_the_words_of_a_question_say_nothing_about_its_refusal(
    authority: Authority, text: str, whole: bool, dialect: Dialect
) -> None:
    """An error that repeats the question names a field, not what the question is about."""
    quoted = text if whole else text[:24]

    def refuses(body: Json) -> tuple[int, object] | None:
        told = f"Error while parsing '{quoted}': unknown verbosity"
        return (400, {"error": {"message": told}}) if "verbosity" in body or "text" in body else None

    request = ChatRequest("a-model", (Turn(Role.USER, text),), "Be brief: no tools.", number=1)
    memory = RefusedFields()
    async with refusing(authority, refuses, dialect, memory=memory, verbosity="low") as (asked, bodies):
        await ask(asked, request)
        assert len(bodies) == 2
        assert [str(each.field) for each in memory.left_out("here")] == ["verbosity"]


FINAL: list[tuple[int, Any, type[errors.ProviderError]]] = [
    (400, {"error": "Token limit exceeded"}, errors.ContextTooLong),
    (422, {"detail": "Too many tokens: 9000 (maximum 8192)"}, errors.ContextTooLong),
    (400, {"message": "Range of input length should be [1, 30720]"}, errors.ContextTooLong),
    (
        400,
        {"error": {"message": "input length and `max_tokens` exceed context limit: 199999 + 8192 > 200000"}},
        errors.ContextTooLong,
    ),
    (400, {"error": {"message": "输入过长，超出模型最大长度"}}, errors.ContextTooLong),
    (400, {"error": {"message": "Die Eingabe ist zu lang"}}, errors.ContextTooLong),
    (400, {"error": {"message": "The prompt was blocked due to SAFETY"}}, errors.ContentFiltered),
    (400, {"error": {"message": "Input data may contain inappropriate content."}}, errors.ContentFiltered),
    (400, {"error": {"message": "messages[1].content must be a string"}}, errors.FileRefused),
    (
        422,
        {"detail": [{"loc": ["body", "messages", 1, "content"], "msg": "Input should be a valid string"}]},
        errors.FileRefused,
    ),
    (400, {"error": {"message": "Unable to process input picture"}}, errors.FileRefused),
    (404, {"error": {"message": "No endpoints found for a/model."}}, errors.ModelNotFound),
    (400, {"error": {"message": "Le modèle demandé n'existe pas"}}, errors.ModelNotFound),
    (400, {"error": {"message": "Your account balance is too low"}}, errors.QuotaExhausted),
    (400, {"error": {"message": "Authentication Fails"}}, errors.AuthenticationFailed),
    (400, {"message": "Missing Authorization header"}, errors.AuthenticationFailed),
    (403, {"message": "Your address was blocked by the firewall"}, errors.PermissionDenied),
    (400, {"error": {"message": "max_tokens exceeds the output token limit"}}, errors.BadRequest),
    (
        404,
        "<html><head><script>function f(){}</script></head><img src=i.png>not supported</html>",
        errors.EndpointNotFound,
    ),
]


@pytest.mark.parametrize(("status", "told", "kind"), FINAL)
async def test_a_final_error_in_other_words_costs_one_request(
    authority: Authority, status: int, told: object, kind: type[errors.ProviderError]
) -> None:
    """It is told as what it is, and teaches nothing."""
    memory = RefusedFields()
    async with refusing(authority, lambda _: (status, told), memory=memory) as (asked, bodies):
        with pytest.raises(errors.ProviderError) as caught:
            await ask(asked, question())
        assert type(caught.value) is kind
        assert len(bodies) == 1
        assert memory.left_out("here") == ()


WAITS: dict[str, object] = {
    "beside the message": {"error": {"message": "slow", "retry_after": 3600}},
    "as a text": {"error": {"message": "slow", "retry_after": "3600.0"}},
    "beside the error": {"error": "slow", "retry_after": 3600},
    "at the top": {"message": "slow", "retry_after": 3600.0},
    "of Google": {
        "error": {
            "code": 429,
            "details": [
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3600s"},
            ],
        }
    },
    "in milliseconds": {"error": {"message": "slow", "retry_after_ms": 3_600_000}},
    "of a gateway": {"error": {"metadata": {"headers": {"Retry-After": "3600"}}}},
    "in an array": [{"error": {"message": "slow", "retryAfter": 3600}}],
}


@pytest.mark.parametrize("form", WAITS)
@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_wait_in_the_body_is_as_good_as_one_in_the_headers(
    authority: Authority, form: str, status: int
) -> None:
    async with refusing(authority, lambda _body: (status, WAITS[form])) as (asked, _):
        with pytest.raises(errors.AskedToWait) as refused:
            await ask(asked)
    assert refused.value.retry_after == 3600.0


@pytest.mark.parametrize("wait", [-1, "soon", None, [], {}, True, "NaN"])
async def test_a_wait_in_the_body_that_makes_no_sense_is_not_told(authority: Authority, wait: object) -> None:
    told = {"error": {"message": "slow", "retry_after": wait, "input": {"retry_after": 3600}}}
    async with refusing(authority, lambda _body: (429, told)) as (asked, _):
        with pytest.raises(errors.RateLimited) as refused:
            await ask(asked)
    assert refused.value.retry_after is None


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"code": "rate_limit_exceeded", "retry_after": 90}},
        {"error": "slow down", "code": "rate_limit_exceeded", "retry_after": 90},
        {"type": "error", "code": "rate_limit_exceeded", "retry_after": "90"},
    ],
)
def test_a_wait_in_an_event_counts_too(event: dict[str, object]) -> None:
    error = failures.from_event(OPENAI, told_error(event) or event)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == 90.0


@pytest.mark.parametrize("piece", ["<!--", "<script ", "<style>", "<head", "</script", "<"])
def test_no_page_takes_more_time_than_its_length_allows(piece: str) -> None:
    """An error has 64 KB at most; what is quadratic takes seconds, in which nobody else is answered."""
    start = time.process_time()
    refusal(f"<html>{piece * (64 * 1024 // len(piece))}")
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<html><script>a</script>b<!-- c -->d<style>e", "b d e"),
        ("<html><head>never closed <p>but shown", "never closed but shown"),
        ("<html><script><script>a</script>b", "b"),
        ("<html><!-- never closed <p>but shown", "<!-- never closed but shown"),
    ],
)
def test_of_a_page_counts_what_it_shows(page: str, words: str) -> None:
    assert str(refusal(page)["message"]).split() == words.split()


def test_a_question_of_nothing_but_an_ellipsis_is_cut_out_once() -> None:
    """It is what stands for a text that is cut out."""
    error = unquoted({"message": "cannot read '…' or 'what is it?'"}, ["…", "what is it?", "!"])
    assert error == {"message": "cannot read '…' or '…'"}
