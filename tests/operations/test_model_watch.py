"""The models in use are looked up once a day; their ends are told in the log, by health and as a metric."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import time

import httpx
import pytest
import structlog
import trio
from pydantic import SecretStr
from structlog.testing import capture_logs
from trio.testing import MockClock

from discordianai.operations.health import judge
from discordianai.operations.model_watch import FIRST_LOOK, ModelWatch, WatchedProvider, watching_models
from discordianai.providers.model_list import OfferedModels
from discordianai.providers.options import ProviderOptions
from discordianai.records import Dialect, Provider
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import ProviderServices, ServiceOptions, open_providers
from discordianai.sandbox.providers.model_catalog import OPENAI as CATALOG
from discordianai.transport import MultiplexedTransport
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY
from tests.operations.builders import well


class Soon(random.Random):
    """Chance that lets nobody wait."""

    def uniform(self, _least: float, _most: float) -> float:
        return 0.02


@asynccontextmanager
async def scene(authority: Authority) -> AsyncIterator[tuple[ProviderServices, httpx.AsyncClient]]:
    async with (
        open_providers(authority, ServiceOptions(first_token=0.0)) as services,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        yield services, client


def watched(client: httpx.AsyncClient, who: Provider, url: str, model: str, *more: str) -> WatchedProvider:
    options = ProviderOptions(
        base_url=url, api_key=SecretStr("sandbox-key"), model=model, more_models=more, read_timeout=5.0
    )
    return WatchedProvider(who, options, client)


async def looked(watch: ModelWatch, *names: str) -> None:
    with trio.fail_after(10):
        while not watch.listed.keys() >= set(names):  # noqa: ASYNC110  # a dictionary tells nobody
            await trio.sleep(0.01)


async def test_a_model_that_ends_is_told_wherever_somebody_looks(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log and by health from 30 days before; as a metric whenever a day is announced."""
    structlog.reset_defaults()
    for model, days in (("gpt-5-mini", 16), ("gpt-5.4-mini", 120)):
        day = (datetime.now(UTC).date() + timedelta(days)).isoformat()
        monkeypatch.setitem(CATALOG, model, replace(CATALOG[model], shutdown_date=day))
    async with scene(authority) as (services, client):
        models = ("gpt-5-mini", "gpt-5.4-mini", "gpt-6-luna")
        openai = watched(client, OPENAI, services.openai.url, *models)
        watch = ModelWatch([openai], Soon())
        with capture_logs() as lines:
            async with watching_models(watch):
                await looked(watch, "openai")
    told = {line["model"]: line["log_level"] for line in lines if line["event"] == "model will be shut down"}
    assert told == {"gpt-5-mini": "warning", "gpt-5.4-mini": "info"}
    notice = watch.notice("openai")
    assert notice.ends_at().keys() == {"gpt-5-mini", "gpt-5.4-mini"}
    snapshot = well()
    provider = replace(snapshot.providers["openai"], model_ends=notice.ends_at())
    process = replace(snapshot.process, taken_at=time())
    verdict = judge(replace(snapshot, process=process, providers={"openai": provider}))
    assert verdict.ready
    assert [remark for remark in verdict.remarks if "shuts" in remark] == [
        "OpenAI shuts down gpt-5-mini in 16 days: choose another model"
    ]


async def test_a_model_that_is_gone_is_told_once(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was listed before; an endpoint that lists others by other names means nothing by that."""
    structlog.reset_defaults()
    async with scene(authority) as (services, client):
        url = services.foreign.url
        watch = ModelWatch(
            [
                watched(client, OPENAI, services.openai.url, "gpt-6-luna"),
                watched(client, FOREIGN, url, "local-model", "another-name"),
                watched(client, PERPLEXITY, services.perplexity.url, "fast"),
            ],
            Soon(),
        )
        with capture_logs() as lines:
            async with watching_models(watch):
                await looked(watch, "openai", "foreign", "perplexity")
                assert [watch.notice(name).unlisted for name in watch.listed] == [(), (), ()]
                monkeypatch.delitem(CATALOG, "gpt-6-luna")
                with trio.fail_after(10):
                    while not watch.notice("openai").unlisted:  # noqa: ASYNC110  # tells nobody
                        await trio.sleep(0.01)
                await trio.sleep(0.2)  # several more looks
    gone = [line for line in lines if line["event"] == "model is not listed by its provider"]
    assert [(line["provider"], line["model"]) for line in gone] == [("openai", "gpt-6-luna")]
    snapshot = well()
    provider = replace(snapshot.providers["openai"], unlisted_models=watch.notice("openai").unlisted)
    assert (
        "OpenAI does not list the model gpt-6-luna"
        in judge(replace(snapshot, providers={"openai": provider})).remarks
    )


async def test_who_offers_what_it_lists_has_it_offered(authority: Authority) -> None:
    """Only where the settings say so; before the first look there is nothing to offer."""
    async with scene(authority) as (services, client):
        foreign = watched(client, FOREIGN, services.foreign.url, "local-model")
        openai = watched(client, OPENAI, services.openai.url, "gpt-6-luna")
        watch = ModelWatch([foreign, openai], Soon())
        options = {"foreign": replace(foreign.options, offer_listed=True), "openai": openai.options}
        offered = OfferedModels(options, watch.listed)
        assert dict(offered) == {"foreign": ()}
        async with watching_models(watch):
            await looked(watch, "foreign", "openai")
        assert dict(offered) == {"foreign": ("local-model", "local-vision")}


class Refusing(httpx.AsyncBaseTransport):
    """Notes when it is asked, and takes no connection."""

    def __init__(self) -> None:
        self.times: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(trio.current_time())
        raise httpx.ConnectError("refused", request=request)


async def test_a_start_is_left_alone_and_a_day_lies_between_two_looks(autojump_clock: MockClock) -> None:
    """Not at the same moment for all bots; a provider that cannot be reached is asked no more often."""
    transport = Refusing()
    async with httpx.AsyncClient(transport=transport) as client:
        began = trio.current_time()
        watch = ModelWatch([watched(client, OPENAI, "https://x.example/v1", "m")])
        async with watching_models(watch):
            await trio.sleep(10 * 86_400)
    assert FIRST_LOOK[0] <= transport.times[0] - began <= FIRST_LOOK[1]
    waits = [later - earlier for earlier, later in pairwise(transport.times)]
    assert all(0.9 * 86_400 <= wait <= 1.1 * 86_400 for wait in waits)
    assert len(set(waits)) > 1
    assert watch.listed == {}


class Broken(httpx.AsyncBaseTransport):
    """A bug."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError


async def test_a_bug_with_one_provider_hides_no_other(authority: Authority) -> None:
    """It is logged once, and the bot goes on."""
    structlog.reset_defaults()
    async with scene(authority) as (services, client), httpx.AsyncClient(transport=Broken()) as broken:
        first = watched(broken, replace(OPENAI, dialect=Dialect.CHAT), "https://x.example", "m")
        second = watched(client, FOREIGN, services.foreign.url, "local-model")
        watch = ModelWatch([first, second], Soon())
        with capture_logs() as lines:
            async with watching_models(watch):
                await looked(watch, "foreign")
                await trio.sleep(0.1)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["bug in the model watch"]


async def test_a_hanging_list_holds_up_nobody_for_long(autojump_clock: MockClock) -> None:
    """Each look has an end, and so has the watch itself."""

    class Hanging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await trio.sleep_forever()
            raise AssertionError

    async with httpx.AsyncClient(transport=Hanging()) as hanging:
        transport = Refusing()
        async with httpx.AsyncClient(transport=transport) as client:
            names = [watched(hanging, OPENAI, "https://x.example", "m")]
            watch = ModelWatch([*names, watched(client, FOREIGN, "https://y.example", "m")])
            async with watching_models(watch):
                await trio.sleep(FIRST_LOOK[1] + 31)
                assert len(transport.times) == 1
