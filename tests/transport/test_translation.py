"""What goes out is well-formed, or nothing goes out."""

import math

import httpx
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange
from discordianai.transport.fields import request_headers
from discordianai.transport.options import MAX_STREAMS, PoolOptions
from tests.transport.builders import scene


def request(*headers: tuple[bytes, bytes], method: str = "GET") -> httpx.Request:
    return httpx.Request(method, "https://example.test/path?query", headers=list(headers))


@pytest.mark.parametrize(
    "name",
    [b"", b":authority", b":path", b"x bad", b"x:bad", b"x\tbad", "x-ümlaut".encode(), b"x\x00bad", b"(x)"],
)
def test_a_name_that_is_none_is_a_local_protocol_error(name: bytes) -> None:
    """Servers end the whole connection for one."""
    with pytest.raises(httpx.LocalProtocolError):
        request_headers(request((name, b"value")))


@pytest.mark.parametrize("value", [b"a\r\nx: 1", b"a\nb", b"a\0b", b"a\x7fb"])
def test_a_value_with_a_control_character_is_a_local_protocol_error(value: bytes) -> None:
    """And its own words are not in the message."""
    with pytest.raises(httpx.LocalProtocolError) as caught:
        request_headers(request((b"x-key", value)))
    assert "x: 1" not in str(caught.value)


def test_blanks_around_a_value_are_left_out() -> None:
    """RFC 9113, 8.2.1, forbids them; inside they are the value's own."""
    assert (b"x-name", b"a \tb") in request_headers(request((b"X-Name", b" \ta \tb ")))


@pytest.mark.parametrize(("value", "expected"), [(b"trailers", True), (b"Trailers ", True), (b"gzip", False)])
def test_te_says_trailers_or_nothing(value: bytes, expected: bool) -> None:
    """RFC 9113, 8.2.2."""
    assert any(name == b"te" for name, _ in request_headers(request((b"te", value)))) is expected


@pytest.mark.parametrize("host", [b"a b", b"a/b", b"user@host", b"a\r\nb", "hö".encode()])
def test_a_host_that_is_none_is_a_local_protocol_error(host: bytes) -> None:
    """It becomes `:authority`, which proxies go by."""
    with pytest.raises(httpx.LocalProtocolError):
        request_headers(request((b"host", host)))


@pytest.mark.parametrize("method", ["CONNECT", "BAD METHOD", "G\nET", "ÜBER", ""])
def test_a_method_that_cannot_be_sent_is_a_local_protocol_error(method: str) -> None:
    """No other exception leaves."""
    with pytest.raises(httpx.LocalProtocolError):
        request_headers(request(method=method))


async def test_nothing_of_a_malformed_request_reaches_its_connection(authority: Authority) -> None:
    """The neighbours do not notice, and what is well-formed arrives as it was meant."""
    seen: dict[str, str] = {}

    async def note(exchange: ServerExchange) -> None:
        seen.update(exchange.headers)
        await exchange.respond(200)

    async with scene(authority, note) as s:
        await s.get()
        with pytest.raises(httpx.LocalProtocolError):
            await s.get(headers={"x bad": "1"})
        await s.get(headers={"TE": "trailers", "X-Padded": "  value  "})
        assert (seen["te"], seen["x-padded"]) == ("trailers", "value")
        assert s.server.connections_opened == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_connections": 0},
        {"max_connections": 2.5},
        {"max_keepalive": -1},
        {"streams_per_connection": 0},
        {"streams_per_connection": MAX_STREAMS + 1},
        {"keepalive_expiry": -1.0},
        {"keepalive_expiry": math.nan},
        {"ping_interval": 0.0},
        {"ping_interval": math.nan},
        {"ping_timeout": math.inf},
    ],
)
def test_options_that_cannot_be_kept_to_are_refused(wrong: dict[str, float]) -> None:
    """The message names the key."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PoolOptions(**wrong)  # type: ignore[arg-type]  # int or float, as the key says


def test_options_at_their_limits_are_taken() -> None:
    """Zero is a number of idle connections and a time to keep them."""
    PoolOptions(max_connections=1, max_keepalive=0, keepalive_expiry=0, streams_per_connection=MAX_STREAMS)
