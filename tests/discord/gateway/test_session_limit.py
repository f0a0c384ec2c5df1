"""What Discord says about the day's identifies is validated, bounded, and counted down from."""

import json
from typing import Any

import httpx
import pytest

from discordianai.discord.gateway.session_limit import (
    GatewayUnavailable,
    IdentifyPacer,
    ListenerRefused,
    SessionEnded,
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


@pytest.mark.parametrize(("remaining", "wait"), [(1000, 0.0), (51, 0.0), (50, 7.0), (0, 7.0)])
def test_the_last_fifty_identifies_are_left_alone(remaining: int, wait: float) -> None:
    """With 50 left, one more would use one of the 50."""
    assert IdentifyPacer().allow(StartLimit(remaining, 7.0)) == wait


def test_each_try_counts_also_where_discord_says_the_same_again() -> None:
    """An answer that is old does not give back what has been used, until the limit is reset."""
    now = 0.0
    starts = IdentifyPacer(clock=lambda: now)
    for left in range(52, 50, -1):
        assert starts.allow(StartLimit(52, 100.0)) == 0.0
        assert starts.left == left
        starts.note_identify()
    assert starts.allow(StartLimit(52, 100.0)) == 100.0
    now = 101.0
    assert starts.allow(StartLimit(1000, 100.0)) == 0.0
    assert starts.left == 1000


def test_a_limit_that_resets_at_once_is_asked_for_again_only_after_a_while() -> None:
    """Else the question would be a storm."""
    assert IdentifyPacer().allow(StartLimit(3, 0.0)) >= 5.0


async def test_a_good_answer_is_read() -> None:
    """Milliseconds become seconds."""
    body = json.dumps(document(remaining=999, reset_after=14_400_000)).encode()
    assert await asked(200, body) == StartLimit(999, 14_400.0)


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
    starts = IdentifyPacer(clock=lambda: 0.0)
    starts.backoff.begin()
    starts.lose(refused.value)
    assert starts.backoff.delay() == pytest.approx(max(seconds, 5.6), abs=0.7)


async def test_no_network_is_told_with_the_command_that_finds_out_why() -> None:
    """The name of httpx's error alone says nothing to an operator."""
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(GatewayUnavailable, match=r"ConnectError; `discordianai check --online` says why"):
            await ask_discord(DiscordApi(client, "http://127.0.0.1:1", "token"))


async def test_a_wrong_token_is_for_the_operator() -> None:
    """No later try helps."""
    with pytest.raises(ListenerRefused, match="DISCORD_TOKEN"):
        await asked(401, b"{}")


def test_after_op_9_one_to_five_seconds_are_added() -> None:
    """And not always the same."""
    waits = set()
    for _ in range(50):
        starts = IdentifyPacer(clock=lambda: 0.0)
        starts.note_identify()
        starts.lose(SessionEnded("invalid", invalid=True))
        waits.add(starts.backoff.delay())
    assert all(6.0 <= wait <= 11.25 for wait in waits)
    assert len(waits) > 40
