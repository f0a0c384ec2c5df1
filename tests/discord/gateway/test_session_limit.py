"""What Discord says about the day's identifies is validated, bounded, and counted down from."""

import json
import time
from typing import Any

import httpx
import pytest

from discordianai.discord.gateway.session_limit import (
    GatewayUnavailable,
    ListenerRefused,
    StartLimit,
    ask_discord,
)
from discordianai.discord.messages.rest import DiscordApi

WRONG: tuple[object, ...] = ("5", None, 1.5, True, [])


def document(**limit: object) -> dict[str, Any]:
    return {"url": "wss://x", "shards": 1, "session_start_limit": {"total": 1000, **limit}}


async def asked(status: int, body: bytes, headers: dict[str, str] | None = None) -> StartLimit:
    """What comes of this answer."""
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, content=body, headers=headers))
    async with httpx.AsyncClient(transport=transport) as client:
        return await ask_discord(DiscordApi(client, "https://discord.test", "token"))


async def test_a_good_answer_is_read() -> None:
    """Milliseconds become seconds."""
    body = json.dumps(document(remaining=999, reset_after=14_400_000)).encode()
    assert await asked(200, body) == StartLimit(999, 14_400.0)
    limit = {"remaining": 999, "reset_after": 14_400_000, "max_concurrency": 16}
    body = json.dumps({"shards": 32, "session_start_limit": limit}).encode()
    assert await asked(200, body) == StartLimit(999, 14_400.0, 16, 32)


@pytest.mark.parametrize("wrong", [*WRONG, 0, -3, 10**30])
async def test_odd_numbers_of_shards_are_within_bounds(wrong: object) -> None:
    """One is always allowed; the most is more than any bot has."""
    limit = {"remaining": 999, "reset_after": 0, "max_concurrency": wrong}
    answer = await asked(200, json.dumps({"shards": wrong, "session_start_limit": limit}).encode())
    assert answer.shards in {1, 10_000}
    assert answer.max_concurrency in {1, 1_000}


@pytest.mark.parametrize(
    ("reset_after", "seconds"),
    [
        (None, 0.0),
        ("soon", 0.0),
        (-1, 0.0),
        (float("nan"), 0.0),
        ([], 0.0),
        ({}, 0.0),
        (1e300, 86_400.0),
        (10**400, 86_400.0),
    ],
)
async def test_no_answer_holds_the_bot_for_longer_than_a_day(reset_after: object, seconds: float) -> None:
    """What is no time is not waited for."""
    body = json.dumps(document(remaining=3, reset_after=reset_after)).encode()
    assert (await asked(200, body)).resets_in == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"<html>busy</html>",
        b"",
        b"null",
        b"[]",
        b"7",
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        json.dumps({"session_start_limit": None}).encode(),
        json.dumps(document()).encode(),
        *(json.dumps(document(remaining=wrong)).encode() for wrong in WRONG),
    ],
)
async def test_nonsense_does_not_permit_an_identify(body: bytes) -> None:
    """Whatever comes is a named error, and is asked for again later."""
    with pytest.raises(GatewayUnavailable):
        await asked(200, body)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7200", 7200.0), ("-1", 0.0), ("1e9", 86_400.0), ("inf", 86_400.0), ("x", 0.0)]
)
async def test_a_retry_after_is_kept_within_a_day(header: str, seconds: float) -> None:
    """Discord may ask for hours; after a day it is asked again, whatever it said. Never sooner than told."""
    with pytest.raises(GatewayUnavailable, match="429") as refused:
        await asked(429, b"<html>1015</html>", {"Retry-After": header})
    assert refused.value.retry_after == seconds


async def test_a_wait_that_only_the_body_names_is_kept_too() -> None:
    """The longer one, where both are there; nonsense is none."""
    for headers, body, seconds in (
        ({}, {"retry_after": 7200}, 7200.0),
        ({"Retry-After": "5"}, {"retry_after": 7200.5}, 7200.5),
        ({"Retry-After": "5"}, {"retry_after": "soon"}, 5.0),
        ({}, {"retry_after": 1e300}, 86_400.0),
        ({}, ["retry_after"], 0.0),
    ):
        with pytest.raises(GatewayUnavailable, match="429") as refused:
            await asked(429, json.dumps(body).encode(), headers)
        assert refused.value.retry_after == seconds


async def test_an_absurd_rest_is_bounded() -> None:
    """It is a figure on the pages of metrics."""
    body = json.dumps(document(remaining=10**400)).encode()
    assert (await asked(200, body)).remaining == 1_000_000


async def test_no_network_is_told_with_the_command_that_finds_out_why() -> None:
    """The name of httpx's error alone says nothing to an operator."""
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(GatewayUnavailable, match=r"ConnectError; `discordianai check --online` says why"):
            await ask_discord(DiscordApi(client, "http://127.0.0.1:1", "token"))


async def test_a_wrong_token_is_for_the_operator() -> None:
    """No later try helps."""
    with pytest.raises(ListenerRefused, match="DISCORD_TOKEN"):
        await asked(401, b"{}")


@pytest.mark.parametrize(
    "body", [b"<html>Log in to the proxy</html>", b"", b"null", b'"401"', b'{"error_code": 1020}']
)
async def test_a_401_that_is_not_discords_is_asked_for_again(body: bytes) -> None:
    """It says nothing about the token, and whoever runs the bot would set a new one for nothing."""
    with pytest.raises(GatewayUnavailable, match="answered 401"):
        await asked(401, body)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_told_as_a_time_is_until_then(status: int) -> None:
    at = str(int(time.time()) + 90)
    with pytest.raises(GatewayUnavailable) as found:
        await asked(status, b"{}", {"retry-after": at})
    assert found.value.retry_after == pytest.approx(90.0, abs=5.0)
