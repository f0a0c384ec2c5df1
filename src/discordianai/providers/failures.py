"""One table from what HTTP and httpx report to the errors of this room."""

from typing import Any

import httpx

from discordianai.model import ProviderName
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
    ToolsRefused,
)

QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached"}


def from_response(provider: ProviderName, response: httpx.Response, body: Any) -> ProviderError:
    """The error behind a response that is not a success; `body` is its JSON, whatever that is."""
    error = error_object(body)
    detail = _detail(response.status_code, error, response.headers.get("x-request-id"))
    return _by_status(provider, response.status_code, error, detail, retry_after(response.headers))


def from_event(provider: ProviderName, error: dict[str, Any]) -> ProviderError:
    """The error that came as an event in the middle of a stream."""
    status = error.get("status", error.get("code"))
    status = status if isinstance(status, int) else 500
    return _by_status(provider, status, error, "in the stream, " + _detail(status, error, None), None)


def from_httpx(provider: ProviderName, error: httpx.HTTPError | ProviderError) -> ProviderError:
    """The error behind an exception of httpx. Its text is dropped: it may carry addresses."""
    if isinstance(error, ProviderError):
        return error
    kind = type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(provider, kind)
    return ConnectionLost(provider, kind)


def error_object(body: Any) -> dict[str, Any]:
    """The `error` of a provider's body, or nothing."""
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the provider asks to wait, if it does."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _by_status(
    provider: ProviderName, status: int, error: dict[str, Any], detail: str, wait: float | None
) -> ProviderError:
    if error.get("code") in QUOTA_CODES or error.get("type") in QUOTA_CODES or status == 402:
        return QuotaExhausted(provider, detail)
    if status in {401, 403}:
        return AuthenticationFailed(provider, detail)
    if status == 429:
        return RateLimited(provider, detail, wait)
    if status == 408:
        return TimedOut(provider, detail)
    if status >= 500:
        return Overloaded(provider, detail, wait)
    return (ToolsRefused if _is_about_tools(error) else BadRequest)(provider, detail)


def _is_about_tools(error: dict[str, Any]) -> bool:
    """OpenAI names the parameter; other endpoints only say so in words."""
    param, message = str(error.get("param") or ""), str(error.get("message") or "").lower()
    unknown = any(word in message for word in ("support", "unknown", "unrecognized"))
    return param.startswith("tool") or (not param and "tool" in message and unknown)


def _detail(status: int, error: dict[str, Any], request_id: str | None) -> str:
    named = {"type": error.get("type"), "code": error.get("code"), "param": error.get("param")}
    parts = [f"status {status}", *(f"{key} {value}" for key, value in named.items() if value)]
    return ", ".join([*parts, f"request {request_id}"] if request_id else parts)
