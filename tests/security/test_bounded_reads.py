"""What the operator's commands read of services ends, however much comes, and however slowly."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.operations.checks.discord_check import DiscordCheck
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.operations.checks.online_check import CheckContext
from discordianai.providers.endpoint import MOST_OF_AN_ANSWER
from discordianai.providers.errors import ProviderError
from discordianai.providers.model_list import list_models
from discordianai.providers.options import ProviderOptions
from discordianai.providers.options import provider as record
from discordianai.records import Dialect
from discordianai.sandbox.figures import BotFigures
from discordianai.settings.tables import Settings

SLACK = 4 * 2**20
"""Bytes that sockets hold on their way."""


class Service:
    """Answers each request by a body without end, `piece` by piece."""

    def __init__(self, piece: bytes, pause: float) -> None:
        self._piece = piece
        self._pause = pause
        self.sent = 0
        self.url = ""

    async def serve(self, stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
            while True:
                await stream.send_all(self._piece)
                self.sent += len(self._piece)
                await trio.sleep(self._pause)


@asynccontextmanager
async def serving(piece: bytes, pause: float) -> AsyncIterator[Service]:
    service = Service(piece, pause)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        service.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.start_soon(trio.serve_listeners, service.serve, [listener])
        yield service
        nursery.cancel_scope.cancel()


EACH = pytest.mark.parametrize(("piece", "pause"), [(b"x" * 65_536, 0.0), (b" ", 0.02)], ids=["much", "slow"])


@EACH
async def test_the_list_of_models_is_read_within_bounds(piece: bytes, pause: float) -> None:
    """Checks and the running bot do without it."""
    async with serving(piece, pause) as service, httpx.AsyncClient(trust_env=False) as client:
        options = ProviderOptions(base_url=service.url, api_key=SecretStr("k"), model="m", read_timeout=0.5)
        with trio.fail_after(10), pytest.raises(ProviderError):
            await list_models(client, record("here", "Here", Dialect.CHAT), options)
        assert service.sent < MOST_OF_AN_ANSWER + SLACK


@EACH
async def test_discord_is_asked_within_bounds(piece: bytes, pause: float) -> None:
    """Each question ends with a finding."""
    told: list[Finding] = []
    async with serving(piece, pause) as service:
        settings = Settings.model_validate({"discord": {"token": "t", "api_url": service.url}})
        check = DiscordCheck(settings, CheckContext(http2=False, ssl_context=ssl.create_default_context()))
        with trio.fail_after(20):
            await check.ask(1.0, told.append)
        assert service.sent < 5 * (4 * 2**20 + SLACK)
    assert len(told) == 5
    assert {finding.verdict for finding in told} == {CheckStatus.PROBLEM}


@EACH
async def test_the_figures_of_the_sandboxs_bot_are_read_within_bounds(piece: bytes, pause: float) -> None:
    """Another program may listen where its bot should."""
    async with serving(piece, pause) as service, httpx.AsyncClient(trust_env=False) as client:
        with trio.fail_after(10):
            assert await BotFigures(client, service.url).text() == "null"
        assert service.sent < 4 * 2**20 + SLACK
