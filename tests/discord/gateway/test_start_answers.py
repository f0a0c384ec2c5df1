"""What the library's REST client is answered at a start, from pages to nonsense: each has a sentence."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web
from interactions.api.http.route import Route

from discordianai.discord.gateway.http_client import ListenerHTTPClient, RestUnavailable
from discordianai.discord.messages.application_limits import ApplicationLimits

JSON = "application/json"
NO_GATEWAYS: tuple[object, ...] = (
    *(
        {},
        [],
        None,
        7,
        "x",
        {"url": None},
        {"url": 7},
        {"url": "https://127.0.0.1"},
        {"url": "ws://u@127.0.0.1"},
    ),
)


def asked(body: bytes, use: Callable[[ListenerHTTPClient], Awaitable[object]], kind: str = JSON) -> object:
    """What `use` returns of an API that answers everything with that."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": kind})

    async def run() -> object:
        app = web.Application()
        app.add_routes([web.get("/{path:.*}", answer)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        previous = Route.BASE
        http = ListenerHTTPClient(ApplicationLimits(), logger=logging.getLogger("interactions"))
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            Route.BASE = f"http://127.0.0.1:{runner.addresses[0][1]}"
            with suppress(RestUnavailable):
                await http.login("token")
            return await use(http)
        finally:
            Route.BASE = previous
            await http.close()
            await runner.cleanup()

    return asyncio.run(run())


@pytest.mark.parametrize("answer", NO_GATEWAYS)
def test_an_answer_that_names_no_gateway_is_told_in_a_sentence(answer: object) -> None:
    with pytest.raises(RestUnavailable, match="GET /gateway (named no address|was answered with)"):
        asked(json.dumps(answer).encode(), ListenerHTTPClient.get_gateway)


@pytest.mark.parametrize("body", [b"<html>", b"", b"{", b"\xff\xfe", b"[" * 100_000], ids=range(5))
@pytest.mark.parametrize("kind", [JSON, "text/html"])
def test_an_answer_that_is_no_json_is_told_in_a_sentence(body: bytes, kind: str) -> None:
    with pytest.raises(RestUnavailable, match="GET /gateway was answered with"):
        asked(body, ListenerHTTPClient.get_gateway, kind)


@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=utf-8", "text/plain"])
def test_json_is_read_whatever_its_type_is_called(kind: str) -> None:
    """The library takes it for text where the type has a charset."""
    url = asked(b'{"url": "ws://127.0.0.1:1"}', ListenerHTTPClient.get_gateway, kind)
    assert str(url).startswith("ws://127.0.0.1:1?encoding=json&v=10")
