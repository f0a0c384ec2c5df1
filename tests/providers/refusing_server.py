"""A server that refuses what a test tells it to, and answers every other question."""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from discordianai.providers.client import make_provider
from discordianai.providers.optional_fields import RefusedFields
from discordianai.providers.options import ProviderOptions
from discordianai.providers.options import provider as record
from discordianai.providers.port import ChatProvider
from discordianai.records import ChatRequest, Dialect, Role, Turn
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, open_server
from discordianai.transport import MultiplexedTransport

Json = dict[str, Any]
Refuses = Callable[[Json], tuple[int, object] | None]
"""The status and the body for a request that is refused; None for one that is answered."""

CHAT = [{"choices": [{"delta": {"content": "yes"}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]
RESPONSES = [
    {"type": "response.created", "response": {"id": "r"}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "yes"},
    {"type": "response.completed", "response": {"status": "completed"}},
]


class Bodies(list[Json]):
    """The bodies of all requests."""


class Redirected(MultiplexedTransport):
    """Sends everything to one server, whatever the host."""

    def __init__(self, authority: Authority, url: str) -> None:
        super().__init__(ssl_context=authority.client_context())
        self._url = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host=self._url.host, port=self._url.port)
        return await super().handle_async_request(request)


@asynccontextmanager
async def refusing(
    authority: Authority,
    refuses: Refuses,
    dialect: Dialect = Dialect.CHAT,
    base_url: str = "https://endpoint.example/v1",
    memory: RefusedFields | None = None,
    **options: Any,
) -> AsyncIterator[tuple[ChatProvider, Bodies]]:
    """A provider at `base_url`, whose server refuses so, and what it was sent."""
    bodies = Bodies()
    answer = CHAT if dialect is Dialect.CHAT else RESPONSES

    async def handle(exchange: ServerExchange) -> None:
        body = json.loads(await exchange.body())
        bodies.append(body)
        if (refusal := refuses(body)) is not None:
            status, told = refusal
            said = told if isinstance(told, str) else json.dumps(told)
            headers = [("content-type", "application/json"), ("x-request-id", f"req_{uuid.uuid4().hex}")]
            await exchange.respond(status, headers, said.encode())
            return
        await exchange.start(200, [("content-type", "text/event-stream")])
        for event in answer:
            await exchange.send(f"data: {json.dumps(event)}\n\n".encode())
        await exchange.finish()

    async with (
        open_server(handle, authority=authority) as server,
        httpx.AsyncClient(transport=Redirected(authority, server.url)) as client,
    ):
        told = {"api_key": SecretStr("key"), "model": "a-model", "read_timeout": 5.0, **options}
        who = record("here", "Here", dialect)
        yield (
            make_provider(client, who, ProviderOptions(base_url=base_url, **told), memory),
            bodies,
        )


def question(**asked: Any) -> ChatRequest:
    """One with instructions and identifiers."""
    asked = {"instructions": "Be brief.", "person": "abc", "conversation": "def", "number": 1, **asked}
    return ChatRequest("a-model", (Turn(Role.USER, "why?"),), **asked)


async def ask(asked: ChatProvider, request: ChatRequest | None = None) -> list[object]:
    """All events of the answer."""
    async with asked.stream(request or question()) as events:
        return [event async for event in events]
