"""A provider's list of models is whatever it sends: only what makes sense is taken, and a bounded part."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date

import httpx
import pytest

from discordianai.providers.endpoint import MOST_OF_AN_ANSWER
from discordianai.providers.errors import EndpointNotFound, MalformedAnswer, ProviderError
from discordianai.providers.model_list import MOST_LISTED, ListedModel, list_models
from discordianai.providers.options import ProviderOptions
from discordianai.records import Provider
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, open_server
from discordianai.transport import MultiplexedTransport
from tests.known_providers import FOREIGN, PERPLEXITY


@asynccontextmanager
async def listing(
    authority: Authority, body: bytes, status: int = 200, paths: list[str] | None = None
) -> AsyncIterator[Callable[[Provider], Awaitable[tuple[ListedModel, ...]]]]:
    async def handle(exchange: ServerExchange) -> None:
        await exchange.body()
        if paths is not None:
            paths.append(exchange.path)
        await exchange.respond(status, [("content-type", "application/json")], body)

    async with (
        open_server(handle, authority=authority) as server,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):

        async def ask(who: Provider) -> tuple[ListedModel, ...]:
            options = ProviderOptions(
                base_url=server.url, model="a/m", dialect=who.dialect.value, read_timeout=5.0
            )
            return await list_models(client, who, options)

        yield ask


async def listed(authority: Authority, body: object) -> tuple[ListedModel, ...]:
    async with listing(authority, json.dumps(body).encode()) as ask:
        return await ask(FOREIGN)


async def test_only_what_can_be_a_model_is_taken(authority: Authority) -> None:
    """Its name goes into a choice of Discord's, and its day into a warning."""
    entries: list[object] = [
        {"id": "good", "shutdown_date": "2026-12-11"},
        {"id": "@cf/m_x-1:free (Q4)"},
        {"id": "no-day", "shutdown_date": "2026-02-31"},
        {"id": "odd-day", "shutdown_date": ["2026-12-11"]},
        {"id": "words", "shutdown_date": "2026-12-11T00:00:00Z"},
        {"id": "x" * 101},
        {"id": "two\nlines"},
        {"id": "[https://bank.example](https://evil.example)"},
        {"id": "<@201>"},
        {"id": "`code"},
        {"id": "\u202emoor"},
        {"id": ""},
        {"id": 7},
        {"name": "nameless"},
        "text",
        None,
    ]
    found = await listed(authority, {"object": "list", "data": entries})
    assert found == (
        ListedModel("good", date(2026, 12, 11)),
        ListedModel("@cf/m_x-1:free (Q4)"),
        ListedModel("no-day"),
        ListedModel("odd-day"),
        ListedModel("words"),
    )


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": "x"}, {"models": ["x"]}])
async def test_a_list_of_another_shape_has_nothing_in_it(authority: Authority, body: object) -> None:
    """Nobody has to list anything."""
    assert await listed(authority, body) == ()


async def test_a_long_list_is_cut(authority: Authority) -> None:
    """Resellers list hundreds; what lists ten thousand is out of order."""
    many = {"data": [{"id": f"m{number}"} for number in range(10_000)]}
    assert len(await listed(authority, many)) == MOST_LISTED


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"<html>", 200, MalformedAnswer),
        (b"[]", 200, MalformedAnswer),
        (b"[" * 100_000, 200, MalformedAnswer),
        pytest.param(b"x" * (MOST_OF_AN_ANSWER + 1), 200, MalformedAnswer, marks=pytest.mark.slow),
        (b"{}", 404, EndpointNotFound),
    ],
    ids=["markup", "an array", "nested", "too long", "nothing there"],
)
async def test_what_is_no_list_has_a_name(
    authority: Authority, body: bytes, status: int, error: type[ProviderError]
) -> None:
    """Whoever asks decides what that means."""
    async with listing(authority, body, status) as ask:
        with pytest.raises(error):
            await ask(FOREIGN)


@pytest.mark.parametrize(
    ("who", "path"), [(FOREIGN, "/models"), (PERPLEXITY, "/v1/models")], ids=["chat", "agent"]
)
async def test_an_agents_address_gets_its_version(authority: Authority, who: Provider, path: str) -> None:
    """That of the others has it already."""
    paths: list[str] = []
    async with listing(authority, b"{}", paths=paths) as ask:
        await ask(who)
    assert paths == [path]
