"""The pool against servers that others wrote: nginx, where it is installed, and Hypercorn."""

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import httpx
import pytest
import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.typing import Framework
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from discordianai.sandbox.certificates import Authority
from discordianai.transport import MultiplexedTransport
from tests.transport.builders import TIMEOUT
from tests.transport.servers import NGINX, NginxOptions, nginx, open_server

needs_nginx = pytest.mark.skipif(NGINX.installed() is None, reason=NGINX.missing)


@pytest.fixture
def narrow_nginx(authority: Authority) -> Iterator[str]:
    """Its address. It allows 10 streams, and ends each connection after 100 requests."""
    limits = NginxOptions(keepalive_requests=100, max_concurrent_streams=10)
    with open_server(nginx(limits), authority) as server:
        yield server.url


async def ask_many(client: httpx.AsyncClient, url: str, count: int, concurrency: int) -> list[int]:
    left = iter(range(count))
    statuses: list[int] = []

    async def worker() -> None:
        for _ in left:
            response = await client.post(url, content=b"q" * 4096)
            statuses.append(response.status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(concurrency):
            nursery.start_soon(worker)
    return statuses


@needs_nginx
async def test_nginx_that_ends_connections_after_a_hundred_requests_loses_none(
    authority: Authority, narrow_nginx: str
) -> None:
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
        statuses = await ask_many(client, narrow_nginx + "/echo", 2000, 50)
        figures = transport.statistics()
    assert statuses == [200] * 2000
    assert figures.connections_opened >= 20
    assert set(figures.protocols.values()) == {"HTTP/2"}


@needs_nginx
async def test_nginx_sends_large_files_to_many_readers(authority: Authority, narrow_nginx: str) -> None:
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    sizes: list[int] = []

    async def read(client: httpx.AsyncClient) -> None:
        sizes.append(len((await client.get(narrow_nginx + "/files/medium")).content))

    async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(15):
                nursery.start_soon(read, client)
        assert transport.statistics().connections_opened == 2
    assert sizes == [2_097_152] * 15


@needs_nginx
async def test_nginx_without_http2_is_spoken_to_in_http1(authority: Authority) -> None:
    with open_server(nginx(NginxOptions(http2=False)), authority) as server:
        url = server.url
        transport = MultiplexedTransport(ssl_context=authority.client_context())
        async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
            assert await ask_many(client, url + "/echo", 100, 10) == [200] * 100
            assert (await client.get(url + "/echo")).http_version == "HTTP/1.1"


async def test_hypercorn_that_ends_connections_loses_nothing_that_was_not_begun(
    authority: Authority, tmp_path: Path
) -> None:
    async def answer(request: Request) -> Response:
        return Response(await request.body())

    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    authority.certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.certfile, config.keyfile = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    config.alpn_protocols = ["h2", "http/1.1"]
    config.accesslog = config.errorlog = None
    stop = trio.Event()
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    async with trio.open_nursery() as nursery:
        run = partial(serve, cast(Framework, app), config, shutdown_trigger=stop.wait, mode="asgi")
        await nursery.start(run)
        async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
            assert await ask_many(client, url, 300, 30) == [200] * 300
            large = bytes(range(256)) * 2000
            assert (await client.post(url, content=large)).content == large
        stop.set()
    assert set(transport.statistics().protocols.values()) == {"HTTP/2"}
