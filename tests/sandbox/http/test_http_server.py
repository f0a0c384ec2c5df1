"""The scripted server, seen by httpx and by a bare h2 client."""

import h2.connection
import h2.events
import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import PeerGone, ServerExchange, ServerOptions, open_server
from discordianai.sandbox.http.http2_server import Http2Exchange


async def echo(exchange: ServerExchange) -> None:
    body = await exchange.body()
    await exchange.respond(200, [("x-path", exchange.path)], body)


@pytest.mark.parametrize("http2", [True, False])
async def test_both_protocols_carry_bodies_larger_than_any_window(authority: Authority, http2: bool) -> None:
    body = bytes(range(256)) * 4096
    async with (
        open_server(echo, authority=authority) as server,
        httpx.AsyncClient(http2=http2, verify=authority.client_context(), timeout=60) as client,
    ):
        for _ in range(3):
            answer = await client.post(f"{server.url}/there?q=1", content=body)
            assert answer.content == body
            assert answer.headers["x-path"] == "/there?q=1"
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert server.connections_opened == 1


async def test_an_origin_without_h2_is_spoken_to_in_http_1(authority: Authority) -> None:
    options = ServerOptions(alpn=("http/1.1",))
    async with (
        open_server(echo, authority=authority, options=options) as server,
        httpx.AsyncClient(http2=True, verify=authority.client_context(), timeout=60) as client,
    ):
        assert (await client.get(server.url)).http_version == "HTTP/1.1"


async def test_a_handler_can_break_off_and_the_server_goes_on(authority: Authority) -> None:
    async def handler(exchange: ServerExchange) -> None:
        if exchange.path == "/reset":
            await exchange.start(200)
            await exchange.reset()
        elif exchange.path == "/abort":
            assert isinstance(exchange, Http2Exchange)
            await exchange.connection.abort()
        else:
            await exchange.respond(200)

    async with (
        open_server(handler, authority=authority) as server,
        httpx.AsyncClient(http2=True, verify=authority.client_context(), timeout=60) as client,
    ):
        for path in ("/reset", "/abort"):
            with pytest.raises(httpx.TransportError):
                await client.get(server.url + path)
            assert (await client.get(server.url)).status_code == 200


async def test_a_client_that_leaves_cancels_its_handler(authority: Authority) -> None:
    left = trio.Event()

    async def handler(exchange: ServerExchange) -> None:
        await exchange.start(200)
        try:
            while True:
                await exchange.send(b"x" * 1000)
                await trio.sleep(0.01)
        except (trio.Cancelled, PeerGone):
            left.set()
            raise

    async with open_server(handler, authority=authority) as server:
        async with (
            httpx.AsyncClient(verify=authority.client_context(), timeout=60) as client,
            client.stream("GET", server.url) as response,
        ):
            assert response.status_code == 200
        with trio.fail_after(2):
            await left.wait()


async def test_after_a_graceful_goaway_the_open_stream_still_ends_well(authority: Authority) -> None:
    async def handler(exchange: ServerExchange) -> None:
        assert isinstance(exchange, Http2Exchange)
        await exchange.start(200)
        await exchange.connection.goaway()
        await exchange.send(b"the rest")
        await exchange.finish()

    frames = bytearray()
    async with open_server(handler, authority=authority) as server:
        machine = h2.connection.H2Connection()
        machine.initiate_connection()
        machine.send_headers(
            1,
            [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x")],
            end_stream=True,
        )
        tcp = await trio.open_tcp_stream("127.0.0.1", server.port)
        context = authority.client_context()
        context.set_alpn_protocols(["h2"])
        stream = trio.SSLStream(tcp, context, server_hostname="127.0.0.1", https_compatible=True)
        await stream.send_all(machine.data_to_send())
        with trio.move_on_after(0.5):
            while data := await stream.receive_some():
                frames += data
        await stream.aclose()
    # Seen as frames: h2's own client would refuse all that follows a GOAWAY.
    kinds = []
    while frames:
        length, kind = int.from_bytes(frames[:3], "big"), frames[3]
        kinds.append((kind, bytes(frames[9 : 9 + length])))
        del frames[: 9 + length]
    assert [kind for kind, _ in kinds if kind in {0, 1, 7}] == [1, 7, 0, 0]
    assert (0, b"the rest") in kinds
