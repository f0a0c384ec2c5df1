"""The operator's pages, over real sockets."""

import base64
import hashlib
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog
import trio
from prometheus_client.parser import text_string_to_metric_families

from discordianai.conversations.store import Health
from discordianai.discord.discord_statistics import DiscordStatistics
from discordianai.dispatch.breaker import BreakerReason, BreakerState
from discordianai.operations import logs
from discordianai.operations.advice import advise
from discordianai.operations.http_server import CannotServe, SnapshotReader, serving, serving_on
from discordianai.operations.logs import recent_warnings
from discordianai.operations.options import LoggingOptions, OperationsOptions
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot, from_json
from tests.operations.builders import provider, well


@asynccontextmanager
async def served(host: str = "127.0.0.1") -> AsyncIterator[tuple[httpx.AsyncClient, SnapshotReader]]:
    listeners = await trio.open_tcp_listeners(0, host=host)
    address, port = listeners[0].socket.getsockname()[:2]
    base = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    async with serving_on(listeners, host) as pages, httpx.AsyncClient(base_url=base, timeout=60) as client:
        yield client, pages


def ill(breaker: BreakerState) -> ProviderSnapshot:
    return replace(provider(), dispatch=replace(provider().dispatch, breaker=breaker))


async def test_until_there_are_figures_the_bot_is_starting() -> None:
    async with served() as (client, pages):
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/api/snapshot")).status_code == 503
        assert (await client.get("/api/metrics")).status_code == 503
        assert (await client.get("/health")).json()["reasons"] == ["the bot is starting"]
        assert "discordianai_info" not in (await client.get("/metrics")).text
        pages.shows(well)
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.get("/health")).json() == {
            "live": True,
            "ready": True,
            "degraded": False,
            "reasons": [],
            "remarks": [],
        }
        assert from_json((await client.get("/api/snapshot")).content) == well()


FIGURES = ("/api/snapshot", "/api/metrics", "/api/advice", "/api/warnings", "/metrics")
ADDRESSES = ("/", *FIGURES, "/health", "/health/live", "/health/ready")

OPEN, HALF, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED
OPENAI, PERPLEXITY = "openai", "perplexity"
DISK_FULL = Health(writable=False, reason="the database cannot be written: the disk is full", kept=3)

VERDICTS = [
    ({"process": replace(well().process, stopping=True)}, True, "the bot is stopping"),
    ({"discord": DiscordStatistics()}, True, "the Discord gateway is not connected"),
    ({"health": DISK_FULL}, True, "the disk is full"),
    ({"providers": {OPENAI: ill(OPEN), PERPLEXITY: ill(OPEN)}}, True, "breaker of every provider is open"),
    ({"discord": replace(well().discord, overdue=31.0)}, False, "the Discord loop has not answered for 31 s"),
]


@pytest.mark.parametrize(("changes", "live", "reason"), VERDICTS, ids=[reason for _, _, reason in VERDICTS])
async def test_who_cannot_answer_is_not_ready_and_says_why(
    changes: dict[str, object], live: bool, reason: str
) -> None:
    async with served() as (client, pages):
        pages.shows(lambda: well(**changes))
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/live")).status_code == (200 if live else 503)
        whole = await client.get("/health")
        assert whole.status_code == 503
        assert reason in whole.json()["reasons"][0]
        assert "discordianai_ready 0.0" in (await client.get("/metrics")).text


@pytest.mark.parametrize("breakers", [(OPEN, CLOSED), (HALF, OPEN), (HALF, HALF)])
async def test_one_provider_that_may_be_asked_is_enough(breakers: tuple[BreakerState, BreakerState]) -> None:
    async with served() as (client, pages):
        pages.shows(lambda: well(providers={OPENAI: ill(breakers[0]), PERPLEXITY: ill(breakers[1])}))
        answer = await client.get("/health")
        assert answer.status_code == 200
        assert any("circuit breaker" in remark for remark in answer.json()["remarks"])


@pytest.mark.parametrize(
    ("figures", "remark"),
    [
        (
            {"breaker": OPEN, "breaker_reason": BreakerReason.AUTHENTICATION, "next_probe": 30.0},
            "the circuit breaker of OpenAI is open: key not accepted, next try in 30 seconds",
        ),
        (
            {"breaker": HALF, "breaker_reason": BreakerReason.OVERLOADED, "pause": 7200.0},
            "the circuit breaker of OpenAI is half open: 5xx with a long wait, pause ends in 2 hours",
        ),
        ({"pause": 20.0}, "OpenAI asked for a pause: pause ends in 20 seconds"),
    ],
)
async def test_a_provider_that_is_held_back_is_told_with_why_and_how_long(
    figures: dict[str, Any], remark: str
) -> None:
    """One that is well can answer meanwhile, so that the bot is ready."""
    held = replace(provider(), dispatch=replace(provider().dispatch, **figures))
    async with served() as (client, pages):
        pages.shows(lambda: well(providers={OPENAI: held, PERPLEXITY: ill(CLOSED)}))
        answer = await client.get("/health")
        assert answer.status_code == 200
        assert answer.json()["remarks"] == [remark]


async def test_the_page_gets_as_json_what_prometheus_gets() -> None:
    """The same samples, but that a histogram is one latency there, and buckets here."""
    async with served() as (client, pages):
        pages.shows(well)
        metrics = (await client.get("/api/metrics")).json()
        told = {
            (metric["name"], *sorted(sample["labels"].items())): float(sample["value"])
            for metric in metrics
            if metric["kind"] != "histogram"
            for sample in metric["samples"]
        }
        exported = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families((await client.get("/metrics")).text)
            if family.type != "histogram"
            for sample in family.samples
            if sample.name.startswith("discordianai_") and not sample.name.endswith("_created")
        }
        assert len(told) > 100
        assert told == exported
        (waited,) = (metric for metric in metrics if metric["name"] == "discordianai_queue_wait_seconds")
        assert [sample["labels"] for sample in waited["samples"]] == [
            {"provider": OPENAI},
            {"provider": PERPLEXITY},
        ]
        assert (waited["unit"], waited["samples"][0]["value"]["p99"]) == ("seconds", 0.001)


async def test_metrics_are_what_prometheus_reads() -> None:
    async with served() as (client, pages):
        pages.shows(well)
        plain = await client.get("/metrics")
        assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
        names = {family.name for family in text_string_to_metric_families(plain.text)}
        assert {
            "discordianai_pool_utilisation_ratio",
            "process_resident_memory_bytes",
            "python_info",
        } <= names
        accept = {"accept": "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5"}
        other = await client.get("/metrics", headers=accept)
        assert other.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert other.text.endswith("# EOF\n")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""])
async def test_on_loopback_a_name_that_somebody_pointed_here_is_refused(host: str) -> None:
    async with served() as (client, pages):
        pages.shows(well)
        for path in ADDRESSES:
            refused = await client.get(path, headers={"host": host})
            assert refused.status_code == 400
            assert "discordianai" not in refused.text


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
async def test_on_loopback_its_own_names_are_taken(host: str) -> None:
    async with served() as (client, pages):
        pages.shows(well)
        assert (await client.get("/health", headers={"host": host})).status_code == 200


async def test_on_ipv6_it_is_the_same() -> None:
    async with served("::1") as (client, pages):
        pages.shows(well)
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/health", headers={"host": "evil.example"})).status_code == 400


async def test_beyond_loopback_nobody_can_know_the_names() -> None:
    async with served("0.0.0.0") as (client, pages):  # noqa: S104  # that is what is tried
        pages.shows(well)
        answer = await client.get("/health", headers={"host": "bot.example:8080"})
        assert answer.status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_but_get_is_answered(method: str) -> None:
    async with served() as (client, pages):
        pages.shows(well)
        for path in ADDRESSES:
            assert (await client.request(method, path)).status_code == 405
        assert (await client.head("/health")).status_code == 200
        assert (await client.get("/elsewhere")).status_code == 404


async def test_no_page_of_another_site_gets_anything_out_of_it() -> None:
    async with served() as (client, pages):
        pages.shows(well)
        for path in (*ADDRESSES, "/elsewhere"):
            answer = await client.get(path, headers={"origin": "https://evil.example", "cookie": "a=b"})
            headers = answer.headers
            assert not [name for name in headers if name.startswith("access-control") or "cookie" in name]
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "server" not in headers


async def test_the_status_page_lets_in_its_own_script_and_style_and_no_others() -> None:
    async with served() as (client, _pages):
        page = await client.get("/")
        policy = page.headers["content-security-policy"]
        for element, directive in (("script", "script-src"), ("style", "style-src")):
            (inline,) = re.findall(rf"<{element}>(.*?)</{element}>", page.text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert f"{directive} 'sha256-{digest}'" in policy
        assert "unsafe" not in policy
        assert "connect-src 'self'" in policy
        # Nothing is asked of elsewhere, and nothing would be let through.
        assert not re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//", page.text)
        assert not re.findall(r"\s(?:style|on\w+)=", page.text)


async def test_advice_and_warnings_are_told() -> None:
    """What `advise` says of these figures, and the newest warnings of the bot's own log, newest first."""
    async with served() as (client, pages):
        assert (await client.get("/api/advice")).status_code == 503
        pages.shows(well)
        assert (await client.get("/api/advice")).json() == []
        full = replace(provider(), dispatch=replace(provider().dispatch, busiest=50, waiting=30))
        pages.shows(lambda: well(providers={OPENAI: full}))
        wanted = [each.title for each in advise(well(providers={OPENAI: full}))]
        assert wanted
        assert [each["title"] for each in (await client.get("/api/advice")).json()] == wanted
        for number in range(30):
            logging.getLogger("discordianai.test").warning("number %d", number)
        logging.getLogger("discordianai.test").info("not worth it")
        logging.getLogger("httpx").error("an address of a library's")
        told = (await client.get("/api/warnings")).json()
        assert [each["text"] for each in told] == [f"number {number}" for number in range(29, 9, -1)]


def test_of_a_warning_only_its_event_is_kept() -> None:
    """Its values are for the log; a change of the logging settings loses none."""
    with recent_warnings() as kept:
        logs.configure(LoggingOptions())
        structlog.get_logger("discordianai.test").warning("a request failed", detail="what somebody wrote")
        logs.configure(LoggingOptions(level="ERROR"))
        structlog.get_logger("discordianai.test").error("an error")
        assert [(each.level, each.text) for each in kept.latest] == [
            ("error", "an error"),
            ("warning", "a request failed"),
        ]
    assert kept not in logging.getLogger().handlers


async def test_a_bug_in_the_figures_is_one_error_and_no_more() -> None:
    async with served() as (client, pages):

        def broken() -> Snapshot:
            raise ZeroDivisionError

        pages.shows(broken)
        assert (await client.get("/metrics")).status_code == 500
        pages.shows(well)
        assert (await client.get("/metrics")).status_code == 200


async def test_a_port_that_is_taken_is_told_with_its_key() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match=f"operations.port: {port} is taken on 127.0.0.1"):
            async with serving(OperationsOptions(port=port)):
                raise AssertionError("it does not get here")


async def test_a_host_that_is_not_this_machine_is_told_with_its_key() -> None:
    for host in ("203.0.113.7", "no-such-host.invalid"):
        with pytest.raises(CannotServe, match=f"operations.host: {host}"):
            async with serving(OperationsOptions(host=host, port=18081)):
                raise AssertionError("it does not get here")


async def test_port_0_serves_nothing() -> None:
    async with serving(OperationsOptions(port=0)) as pages:
        pages.shows(well)


async def test_the_end_does_not_wait_for_who_keeps_a_connection() -> None:
    async with served() as (client, _pages):
        kept = await trio.open_tcp_stream(client.base_url.host, client.base_url.port or 0)
        await kept.send_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")  # and no more
        await trio.sleep(0.1)
        began = trio.current_time()
    assert trio.current_time() - began < 2
    await kept.aclose()
