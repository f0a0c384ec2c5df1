"""The listener's requests against a Discord that answers in bytes of its own: odd headers, pages, nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from interactions.api.http.route import Route
from interactions.client.errors import HTTPException

from discordianai.discord.gateway import http_client
from discordianai.discord.gateway.http_client import ListenerHTTPClient, RestUnavailable
from discordianai.discord.messages.application_limits import SLOW_ABOVE, ApplicationLimits
from discordianai.discord.messages.port import MessagesBusy

Result = TypeVar("Result")

ME = json.dumps({"id": "5", "username": "bot"}).encode()
PAGE = b"<!DOCTYPE html><title>Access denied</title><p>Error 1015</p>"


def answer(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {size}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


LOGIN = answer(200, ME, "Content-Type: application/json")


@dataclass
class Discord:
    """Answers the login, then by the script, the last answer again and again; empty bytes hang up."""

    script: list[bytes]
    requests: list[tuple[str, float]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *fields = head.decode().lower().split("\r\n")
                for one in fields:
                    if one.startswith("content-length:"):
                        await reader.readexactly(int(one.split(":")[1]))
                if "/users/@me " in first and not self.requests:
                    told = LOGIN
                else:
                    told = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                self.requests.append((first, time.monotonic()))
                if not told:
                    return
                writer.write(told)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def later(self) -> list[tuple[str, float]]:
        """Those behind the login."""
        return self.requests[1:]

    @asynccontextmanager
    async def client(self, limits: ApplicationLimits) -> AsyncIterator[ListenerHTTPClient]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        previous, Route.BASE = Route.BASE, f"http://127.0.0.1:{port}/api/v10"
        http = ListenerHTTPClient(limits)
        try:
            await http.login("token")
            yield http
        finally:
            await http.close()
            server.close()
            Route.BASE = previous


def played(
    discord: Discord,
    use: Callable[[ListenerHTTPClient], Awaitable[Result]],
    limits: ApplicationLimits | None = None,
) -> Result:
    async def main() -> Result:
        async with asyncio.timeout(20), discord.client(limits or ApplicationLimits()) as http:
            return await use(http)

    return asyncio.run(main())


async def acknowledge(http: ListenerHTTPClient) -> None:
    await http.post_initial_response({"type": 5, "data": {}}, "7", "token-of-it")


TAKEN = {
    "a 204": answer(204),
    "a 204 that calls itself JSON": answer(204, b"", "Content-Type: application/json"),
    "a 200 that is no JSON": answer(200, b"ok", "Content-Type: application/json"),
    "a page": answer(200, PAGE, "Content-Type: text/html"),
    "bytes that are no text": answer(200, b"\xff\xfe\x00", "Content-Type: text/plain; charset=x"),
    "a body that never ends": answer(200, b"o", length=100),
    "limits that are no numbers": answer(
        204, b"", "X-RateLimit-Limit: many", "X-RateLimit-Remaining: 4.0", "X-RateLimit-Reset-After: soon"
    ),
    "a limit of nothing": answer(
        204,
        b"",
        "X-RateLimit-Limit: 0",
        "X-RateLimit-Remaining: 0",
        "X-RateLimit-Reset-After: nan",
        "X-RateLimit-Bucket: x",
    ),
    "a negative limit": answer(204, b"", "X-RateLimit-Limit: -5", "X-RateLimit-Remaining: -1"),
    "a bucket that opens in a year": answer(
        204, b"", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset-After: 31536000", "X-RateLimit-Bucket: x"
    ),
}


@pytest.mark.parametrize("form", TAKEN)
def test_an_acknowledgement_that_is_taken_is_taken_whatever_else_the_answer_says(form: str) -> None:
    """And those that follow are sent at once: each interaction has a bucket of its own."""
    discord = Discord([TAKEN[form]])

    async def use(http: ListenerHTTPClient) -> float:
        began = time.monotonic()
        for _ in range(3):
            await acknowledge(http)
        return time.monotonic() - began

    assert played(discord, use) < 2.0
    assert len(discord.later) == 3


JSON = "Content-Type: application/json"
WAITS = {
    "a page with a time": (answer(429, PAGE, "Retry-After: 90"), 90.0),
    "a page without one": (answer(429, PAGE), 0.0),
    "a date": (
        answer(
            429, PAGE, "Date: Wed, 25 Nov 2026 12:00:00 GMT", "Retry-After: Wed, 25 Nov 2026 12:00:02 GMT"
        ),
        2.0,
    ),
    "nothing at all": (answer(429), 0.0),
    "a fraction": (answer(429, b'{"retry_after": 0.65}', JSON), 0.65),
    "a text": (answer(429, b'{"retry_after": "0.65", "global": false}', JSON), 0.65),
    "a global one": (answer(429, b'{"retry_after": 0.65, "global": true}', JSON), 0.65),
    "JSON without a label": (answer(429, b'{"retry_after": 0.65}'), 0.65),
    "two headers": (answer(429, b"{}", JSON, "Retry-After: 1", "Retry-After: 2"), 2.0),
    "no number": (answer(429, b'{"retry_after": null, "global": true}', JSON), 0.0),
    "a list": (answer(429, b"[]", JSON), 0.0),
    "JSON of Cloudflare's": (answer(429, b'{"error_code": 1015, "retry_after": 90}', JSON), 90.0),
    "less than nothing": (answer(429, b'{"retry_after": -1}', JSON, "Retry-After: -1"), 0.0),
    "a body that never ends": (answer(429, b"<", "Retry-After: 2", length=100), 2.0),
}


@pytest.mark.parametrize("form", WAITS)
def test_an_acknowledgement_that_meets_a_429_is_sent_once_and_says_for_how_long(form: str) -> None:
    """The library would send it three times at once, or fail with what its own code raises."""
    told, seconds = WAITS[form]
    banned = b"{" not in told or b"error_code" in told
    discord, limits = Discord([told]), ApplicationLimits()

    async def use(http: ListenerHTTPClient) -> float:
        try:
            await acknowledge(http)
        except MessagesBusy as error:
            assert not banned
            return error.wait
        except RestUnavailable as error:
            assert banned
            return error.retry_after
        raise AssertionError("it was taken")

    assert played(discord, use, limits) == pytest.approx(seconds)
    assert len(discord.later) == 1
    assert limits.statistics().invalid_recently == 1
    assert bool(limits.statistics().hold) == (banned or "global" in form or form == "no number")


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        (answer(404, b'{"message": "Unknown interaction", "code": 10062}', JSON), 404, 10062),
        (answer(404, b'{"code": 10062}'), 404, 10062),
        (answer(404, PAGE), 404, None),
        (answer(403, PAGE, JSON), 403, None),
        (answer(400, b"[1]", JSON), 400, None),
        (answer(400, b'{"code": [1], "errors": 5}', JSON), 400, None),
        (answer(302, b"", "Location: http://127.0.0.1:1/"), 302, None),
        (answer(503, b"\xff"), 503, None),
        (answer(520, PAGE), 520, None),
    ],
)
def test_an_acknowledgement_that_is_refused_raises_the_librarys_error(
    told: bytes, status: int, code: int | None
) -> None:
    """With a code where Discord itself has refused it; and nobody is led elsewhere."""

    async def use(http: ListenerHTTPClient) -> HTTPException:
        with pytest.raises(HTTPException) as refused:
            await acknowledge(http)
        return refused.value

    error = played(Discord([told]), use)
    assert error.status == status
    assert (error.code if isinstance(error.code, int) else None) == code


ASKED = Route("GET", "/gateway")
GATEWAY = answer(200, b'{"url": "wss://gateway.example"}')


@pytest.mark.parametrize(
    "told",
    [
        answer(429, b'{"retry_after": 0.2, "global": true}', JSON),
        answer(429, b'{"retry_after": "0.2"}', "X-RateLimit-Scope: user", "X-RateLimit-Limit: x"),
        answer(503, PAGE),
        answer(500, b'{"code": 0}', JSON),
        answer(502, b"", "X-RateLimit-Remaining: none"),
    ],
)
def test_any_other_request_is_sent_again_after_a_while(told: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "PAUSE", 0.1)
    discord = Discord([told, told, GATEWAY])

    async def use(http: ListenerHTTPClient) -> object:
        return await http.request(ASKED)

    assert played(discord, use) == {"url": "wss://gateway.example"}
    times = [at for _, at in discord.later]
    assert len(times) == 3
    assert times[1] - times[0] >= 0.1


@pytest.mark.parametrize(
    "told",
    [
        answer(500, PAGE),
        answer(401, PAGE),
        answer(401, b""),
        answer(401, b'{"cloudflare_error": true}', JSON),
        answer(429, PAGE),
        answer(429, PAGE, "Retry-After: 90"),
        answer(429, b"{}", JSON, "X-RateLimit-Scope: user", "Retry-After: 90"),
        answer(503, b"{}", JSON, "Retry-After: 90"),
        answer(429, b'{"retry_after": 0}', JSON),
        answer(200, PAGE),
        answer(200, b"{", JSON),
        answer(200, b"\xff\xff", JSON),
        answer(200, b"{", length=100) + b"",
    ],
)
def test_what_cannot_be_used_is_a_named_error(told: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's backoff follows it; a bug would, too, but without a word of what is wrong."""
    monkeypatch.setattr(http_client, "PAUSE", 0.05)
    monkeypatch.setattr(http_client, "BODY_WITHIN", 0.5)
    discord = Discord([told])

    async def use(http: ListenerHTTPClient) -> RestUnavailable:
        with pytest.raises(RestUnavailable, match="GET /gateway") as unavailable:
            await http.request(ASKED)
        return unavailable.value

    error = played(discord, use)
    assert error.retry_after == (90.0 if b"90" in told else 0.0)
    assert len(discord.later) <= 3


def test_during_a_ban_no_other_request_is_sent() -> None:
    """One gate: a ban that an acknowledgement has met holds what registers commands, too."""
    discord, limits = Discord([answer(429, PAGE, "Retry-After: 600")]), ApplicationLimits()

    async def use(http: ListenerHTTPClient) -> None:
        with pytest.raises(RestUnavailable):
            await acknowledge(http)
        for _ in range(3):
            with pytest.raises(RestUnavailable) as held:
                await http.request(ASKED)
            assert held.value.retry_after == pytest.approx(600, abs=5)

    played(discord, use, limits)
    assert len(discord.later) == 1


def test_a_bucket_that_is_empty_is_waited_for() -> None:
    empty = answer(200, b"{}", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset-After: 0.5")
    discord = Discord([empty])

    async def use(http: ListenerHTTPClient) -> None:
        for _ in range(2):
            await http.request(ASKED)

    played(discord, use)
    (_, first), (_, second) = discord.later
    assert second - first >= 0.45


def test_a_closed_client_sends_nothing() -> None:
    """Nor does it open another connection, which nobody would close."""

    async def use(http: ListenerHTTPClient) -> None:
        await http.close()
        with pytest.raises(RestUnavailable):
            await acknowledge(http)
        assert http.closed

    discord = Discord([answer(204)])
    played(discord, use)
    assert discord.later == []


@pytest.mark.parametrize("refused", [True, False])
def test_where_too_many_requests_were_refused_few_acknowledgements_are_added(refused: bool) -> None:
    """Each would count, and Discord bans at ten thousand; as long as they are taken, all are sent."""
    discord, limits = Discord([answer(429, PAGE) if refused else answer(204)]), ApplicationLimits()
    for _ in range(SLOW_ABOVE + 1):
        limits.note(401, {}, {})

    async def use(http: ListenerHTTPClient) -> None:
        for _ in range(20):
            with suppress(RestUnavailable):
                await acknowledge(http)

    played(discord, use, limits)
    assert len(discord.later) == (1 if refused else 20)
