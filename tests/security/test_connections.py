"""A key goes to whom it is for alone: over TLS that proves who answers, and to no other address."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest
import trio
import trustme
from pydantic import SecretStr

from discordianai.discord.messages.attachments import AttachmentReader, Unreadable
from discordianai.option import Live
from discordianai.providers.client import make_provider
from discordianai.providers.errors import ProviderError
from discordianai.providers.options import ProviderOptions
from discordianai.providers.options import provider as record
from discordianai.providers.port import TextDelta
from discordianai.records import Attachment, ChatRequest, Dialect, Role, Turn
from discordianai.sandbox.certificates import Authority, make_authority
from discordianai.sandbox.http import ServerExchange, open_server
from discordianai.transport import MultiplexedTransport
from tests.discord.builders import question
from tests.discord.messages.test_attachments import LIMITS

KEY = "sk-very-secret"
ANSWER = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


async def ask(url: str, client_context: ssl.SSLContext) -> str:
    """What the provider at that address says. Raises `ProviderError`."""
    async with httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=client_context)) as client:
        options = ProviderOptions(base_url=url, api_key=SecretStr(KEY), model="m", read_timeout=5.0)
        asked = make_provider(client, record("here", "Here", Dialect.CHAT), options)
        async with asked.stream(ChatRequest("m", (Turn(Role.USER, "why?"),))) as events:
            return "".join([event.text async for event in events if isinstance(event, TextDelta)])


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[tuple[str, bytearray]]:
    """A server with that TLS, which answers once it has a request, and what it was sent."""
    received = bytearray()

    async def serve(stream: trio.SocketStream) -> None:
        secure = trio.SSLStream(stream, context, server_side=True)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while b"\r\n\r\n" not in received:
                if not (data := await secure.receive_some()):
                    return
                received.extend(data)
            head = (
                f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(ANSWER)}\r\n\r\n"
            )
            await secure.send_all(head.encode() + ANSWER)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield f"https://127.0.0.1:{listener.socket.getsockname()[1]}", received
        nursery.cancel_scope.cancel()


def old_tls(authority: Authority) -> ssl.SSLContext:
    """TLS 1.1, as a server of 2010 has it."""
    context = authority.server_context(("http/1.1",))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("wrong", ["another name", "an unknown authority", "TLS 1.1", "nothing"])
async def test_a_key_is_sent_only_to_whom_the_certificate_names(wrong: str, authority: Authority) -> None:
    """By an authority that is trusted, and with TLS 1.2 or newer."""
    trusted = trustme.CA()
    names = ("bank.example",) if wrong == "another name" else ("127.0.0.1",)
    server = Authority(trusted, trusted.issue_cert(*names))
    context = old_tls(server) if wrong == "TLS 1.1" else server.server_context(("http/1.1",))
    client = (authority if wrong == "an unknown authority" else server).client_context()
    async with tls_server(context) as (url, received):
        with trio.fail_after(20):
            if wrong == "nothing":
                assert await ask(url, client) == "hello"
                assert KEY.encode() in received
                return
            try:
                await ask(url, client)
            except ProviderError:
                assert not received
            else:
                pytest.fail(f"the provider was asked in spite of {wrong}")


async def test_a_redirect_is_not_followed(authority: Authority) -> None:
    """A provider's would take the key along."""
    elsewhere: list[str] = []

    async def other(exchange: ServerExchange) -> None:
        elsewhere.append(exchange.path)
        await exchange.respond(200)

    async with open_server(other, authority=authority) as second:

        async def redirect(exchange: ServerExchange) -> None:
            await exchange.body()
            await exchange.respond(307, [("location", f"{second.url}/taken")])

        async with open_server(redirect, authority=authority) as first:
            with pytest.raises(ProviderError):
                await asked_in(first.url, authority)
            await expect_unreadable(first.url, authority)
    assert elsewhere == []


async def asked_in(url: str, authority: Authority) -> str:
    return await ask(url, authority.client_context())


async def expect_unreadable(url: str, authority: Authority) -> None:
    """A file whose address leads on is not read."""
    asked = replace(question(), attachments=(Attachment("a.txt", f"{url}/a.txt", 5, "text/plain"),))
    async with httpx.AsyncClient(verify=authority.client_context()) as client:
        reader = AttachmentReader(client, f"{url}/api/v10", Live(LIMITS))
        with pytest.raises(Unreadable):
            await reader.read(asked, trio.current_time() + 10)


def test_two_authorities_are_strangers() -> None:
    """Or the test above would show nothing."""
    assert make_authority().ca.cert_pem.bytes() != make_authority().ca.cert_pem.bytes()
