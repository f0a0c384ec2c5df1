"""Origins without HTTP/2, plain http, and an installation without h2."""

import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial

import anyio
import anyio.abc
import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerOptions, open_server
from discordianai.transport import FellBackToHttp1, MultiplexedTransport, http1
from tests.transport.backends import on_both
from tests.transport.builders import echo, patient, scene

HTTP1_ONLY = ServerOptions(alpn=("http/1.1",))


async def test_an_origin_that_picks_http1_is_served_that_way_and_remembered(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(authority, patient, HTTP1_ONLY) as s:
        for _ in range(3):
            response = await s.client.post(s.url(), content=b"hello")
            assert (response.http_version, response.content) == ("HTTP/1.1", b"hello")
        assert s.server.connections_opened == 2  # the one that found out, and the one that serves
        assert len(s.told(FellBackToHttp1)) == 1
        assert set(s.transport.statistics().protocols.values()) == {"HTTP/1.1"}
        monkeypatch.setattr(http1, "REMEMBERED", -1.0)
        s.transport._http1.remember(next(iter(s.transport._http1.origins)))  # ten minutes later
        await s.get()
        assert len(s.told(FellBackToHttp1)) == 2


async def test_a_burst_that_finds_http1_is_answered_whole_within_the_limits(authority: Authority) -> None:
    async with scene(authority, patient, HTTP1_ONLY, max_connections=4) as s:
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(s.get, "/slow")
            await s.until(lambda: s.transport.statistics().http1_requests > 0)
        assert s.transport.statistics().http1_requests == 0
        assert len(s.server.connections) <= 4


async def test_plain_http_works_too(authority: Authority) -> None:
    async with scene(authority, echo) as s, open_server(echo, authority=None) as plain:
        response = await s.client.post(plain.url, content=b"hello")
        assert (response.http_version, response.content) == ("HTTP/1.1", b"hello")


async def test_a_crowd_that_waits_for_http1_does_not_slow_it_down(authority: Authority) -> None:
    """A request costs the same whether ten times as many wait; by the processor's time, on any machine."""
    async with scene(authority, echo, max_connections=20) as s, open_server(echo, authority=None) as plain:

        async def cost(crowd: int) -> float:
            began = time.process_time()
            async with trio.open_nursery() as nursery:
                for _ in range(crowd):
                    nursery.start_soon(partial(s.client.post, plain.url, content=b"hello", timeout=None))
            return (time.process_time() - began) / crowd

        await cost(20)
        few, many = await cost(80), await cost(800)
        assert many < 2.5 * few
        assert s.transport.statistics().http1_requests == 0


async def test_waiting_for_http1_ends_with_the_pool_timeout_and_leaves_room_for_others(
    authority: Authority,
) -> None:
    async with scene(authority, echo, max_connections=1) as s, open_server(patient, authority=None) as plain:
        async with s.client.stream("GET", plain.url):
            with pytest.raises(httpx.PoolTimeout):
                await s.client.get(plain.url, timeout=httpx.Timeout(10, pool=0.05))
            with trio.move_on_after(0.05):
                await s.client.get(plain.url)
            assert s.transport.statistics().http1_requests == 1
        assert (await s.client.get(plain.url)).is_success


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[int, anyio.Event]]:
    """Its port, and an event for when a client has hung up. It accepts, and says nothing."""
    hung_up = anyio.Event()

    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await stream.receive()
        hung_up.set()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port), hung_up  # noqa: S610  # not Django's
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("scheme", ["http", "https"])
@on_both
async def test_closing_ends_a_request_and_its_connection(authority: Authority, scheme: str) -> None:
    """During the TLS handshake, and before the response."""
    pool = MultiplexedTransport(ssl_context=authority.client_context(), http2=False)
    async with silent_server() as (port, hung_up), anyio.create_task_group() as tasks:
        async with httpx.AsyncClient(transport=pool, timeout=60) as client:
            tasks.start_soon(fails, client, f"{scheme}://127.0.0.1:{port}")
            await anyio.sleep(0.05)
        with anyio.fail_after(2):
            await hung_up.wait()


@on_both
async def test_closing_ends_a_request_that_is_still_connecting() -> None:
    """The server's backlog is full, so that TCP does not connect."""
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            one = sockets.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        pool = MultiplexedTransport(http2=False)
        async with (
            anyio.create_task_group() as tasks,
            httpx.AsyncClient(transport=pool, timeout=60) as client,
        ):
            tasks.start_soon(fails, client, f"http://127.0.0.1:{full.getsockname()[1]}")
            await anyio.sleep(0.05)
            await client.aclose()


@on_both
async def test_closing_ends_a_request_that_waits_for_a_connection() -> None:
    """Another request has the only one."""
    pool = MultiplexedTransport(http2=False, max_connections=1)
    async with (
        silent_server() as (port, _),
        anyio.create_task_group() as tasks,
        httpx.AsyncClient(transport=pool, timeout=60) as client,
    ):
        for _ in range(2):
            tasks.start_soon(fails, client, f"http://127.0.0.1:{port}")
        await anyio.sleep(0.05)


async def fails(client: httpx.AsyncClient, url: str) -> None:
    """Ask, and get an error of httpx."""
    with pytest.raises(httpx.TransportError, match="the transport was closed"), anyio.fail_after(3):
        await client.get(url)


WITHOUT_H2 = """
import sys; sys.modules["h2"] = None
import httpx, trio
from discordianai.transport import MultiplexedTransport

async def main(url):
    async with httpx.AsyncClient(transport=MultiplexedTransport()) as client:
        for _ in range(2):
            print((await client.get(url)).http_version)

trio.run(main, sys.argv[1])
"""


async def test_without_h2_everything_goes_over_http1_with_one_warning(authority: Authority) -> None:
    async with open_server(echo, authority=None) as plain:
        done = await trio.run_process(
            [sys.executable, "-c", WITHOUT_H2, plain.url], capture_stdout=True, capture_stderr=True
        )
    assert done.stdout.decode().split() == ["HTTP/1.1", "HTTP/1.1"]
    assert done.stderr.decode().count("h2 is not installed") == 1


def test_the_package_is_imported_without_h2() -> None:
    code = "import sys; sys.modules['h2'] = None; import discordianai.transport.clients"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603  # fixed text
