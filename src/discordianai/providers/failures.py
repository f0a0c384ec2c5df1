"""One table from what providers and httpx report to the errors of this package.

The codes are those of OpenAI's guide to error codes and of Perplexity's Agent API, as of November 2026. The
same ones come with an HTTP status, inside a stream that began with 200, and in a whole answer that "failed".
"""

import re
from collections.abc import Mapping

import httpx

from discordianai.providers.error_body import (
    LONGEST_MESSAGE,
    by_words,
    names_what_stays,
    paths_of,
    told_wait,
)
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    ContentFiltered,
    ContextTooLong,
    EndpointNotFound,
    FileRefused,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)
from discordianai.providers.json_values import Json, text
from discordianai.providers.limits import retry_after
from discordianai.providers.optional_fields import OptionalField, named_first, named_in_paths
from discordianai.records import Provider

_BY_CODE: Mapping[str, type[ProviderError]] = {
    **dict.fromkeys(
        (
            "insufficient_quota",
            "billing_hard_limit_reached",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
        ),
        QuotaExhausted,
    ),
    **dict.fromkeys(("rate_limit_exceeded", "request_rate_limit_exceeded", "slow_down"), RateLimited),
    **dict.fromkeys(
        (
            "server_error",
            "server_is_overloaded",
            "service_unavailable_error",
            "overloaded_error",
            "internal_error",
            "bad_gateway",
            "gateway_timeout",
            "upstream_structured_output_failed",
        ),
        Overloaded,
    ),
    **dict.fromkeys(("context_length_exceeded", "payload_too_large"), ContextTooLong),
    **dict.fromkeys(
        (
            "invalid_prompt",
            "content_filter",
            "content_policy_violation",
            "image_content_policy_violation",
            "bio_policy",
            "cyber_policy",
            "misalignment_policy_violation",
            "moderation_blocked",
        ),
        ContentFiltered,
    ),
    **dict.fromkeys(("model_not_found", "invalid_model"), ModelNotFound),
    **dict.fromkeys(
        ("request_forbidden", "forbidden", "unsupported_country_region_territory", "data_residency_mismatch"),
        PermissionDenied,
    ),
    "invalid_api_key": AuthenticationFailed,
}
"""By `code` or `type`, whatever the status: an account without credit gives a 429, a 401 or an event."""

_BY_STATUS: Mapping[int, type[ProviderError]] = {
    401: AuthenticationFailed,
    402: QuotaExhausted,
    403: PermissionDenied,
    404: EndpointNotFound,
    405: EndpointNotFound,
    408: TimedOut,
    409: Overloaded,
    413: ContextTooLong,
    429: RateLimited,
}

_IMAGE_CODE = re.compile(r"(invalid|empty|unsupported)_(image|base64_image|file)|image_|failed_to_download")
_STATUS = re.compile(r"[45]\d\d", re.ASCII)
_ID = re.compile(r"[0-9a-f-]{8,}", re.IGNORECASE)
"""What is likely an id: each refusal has another one."""

_NAME = re.compile(r"(?=.)(?!.{65})(?:\d{0,6}+[A-Za-z]*+\d{0,4}+(?:[_.\[\]-]|\Z))++", re.ASCII)
"""What codes and parameters look like. A sentence, which may repeat the question, does not match, nor does
what is as mixed as a key is. Its quantifiers are possessive: each run of digits can be read in five ways."""

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def from_response(provider: Provider, response: httpx.Response, error: Json) -> ProviderError:
    """The error behind a response that is not a success; `error` is the `refusal` in its body."""
    detail = _detail(response.status_code, error, response.headers.get("x-request-id"))
    wait = retry_after(response, told_wait(error))
    return _error(provider, response.status_code, error, detail, wait)


def from_event(provider: Provider, error: Json) -> ProviderError:
    """The error in an event of a stream, or in an answer that is one JSON object, after a status of 200."""
    told = (str(value) for value in (error.get("status"), error.get("code")) if isinstance(value, int | str))
    status = next((int(code) for code in told if _STATUS.fullmatch(code)), 500)
    return _error(provider, status, error, "in the answer, " + _detail(status, error, None), told_wait(error))


def from_httpx(provider: Provider, error: httpx.HTTPError | ProviderError) -> ProviderError:
    """The error behind an exception of httpx. Its text is dropped: it may carry addresses."""
    if isinstance(error, ProviderError):
        return error
    kind = type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(provider, kind)
    return ConnectionLost(provider, kind)


def _error(provider: Provider, status: int, error: Json, detail: str, wait: float | None) -> ProviderError:
    kind = _kind(status, error)
    if issubclass(kind, RateLimited | Overloaded):
        return kind(provider, detail, wait)
    if issubclass(kind, BadRequest):
        paths, message = paths_of(error), _message(error)
        named = named_in_paths(paths) or _streaming(error) or named_first(message)
        hopeless = not named and names_what_stays(message, paths)
        return kind(provider, detail, named, hopeless, hash((kind, *paths, _ID.sub("", message))))
    return kind(provider, detail)


def _message(error: Json) -> str:
    return text(error, "message")[:LONGEST_MESSAGE]


def _streaming(error: Json) -> frozenset[OptionalField]:
    """Some organisations may not stream some models, which is said without a name."""
    unnamed = error.get("code") == "unsupported_value" and error.get("param") is None
    return frozenset({OptionalField.STREAM}) if unnamed else frozenset()


def _kind(status: int, error: Json) -> type[ProviderError]:
    coded = _by_code(status, error)
    if coded is not None and coded is not Overloaded:  # some call everything an error of the server
        return coded
    worded = by_words(status, _message(error), paths_of(error))
    return worded or coded or _by_status(status)


def _by_code(status: int, error: Json) -> type[ProviderError] | None:
    if (
        status == 413
    ):  # also where the code speaks of a limit for a minute: a request that is larger never passes
        return ContextTooLong
    for key in ("code", "type"):
        code = text(error, key)
        if code in _BY_CODE:
            return _BY_CODE[code]
        if _IMAGE_CODE.match(code):
            return FileRefused
    return None


def _by_status(status: int) -> type[ProviderError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return Overloaded
    if status < 400:  # a redirect: the key is not sent on
        return EndpointNotFound
    return BadRequest


def _detail(status: int, error: Json, request_id: str | None) -> str:
    named = [
        f"{key} {name}" for key in ("type", "code", "param") if _NAME.fullmatch(name := text(error, key))
    ]
    request = [f"request {request_id}"] if _REQUEST_ID.fullmatch(request_id or "") else []
    return ", ".join((f"status {status}", *named, *request))
