"""Each fault of a server or a caller touches the requests that it must, and no other."""

import random
from functools import partial

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.transport import (
    ConnectionClosed,
    GoawayReceived,
    MultiplexedTransport,
    PingTimedOut,
    Replayed,
)
from tests.transport.builders import Scene, echo, http2, patient, scene


async def failures(s: Scene, path: str, count: int) -> list[type[Exception]]:
    """Ask so many times at once; the errors."""
    met: list[type[Exception]] = []

    async def ask() -> None:
        try:
            await s.get(path)
        except httpx.TransportError as error:
            met.append(type(error))

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask)
    return met


async def test_who_leaves_resets_the_stream_and_disturbs_nobody(authority: Authority) -> None:
    chance = random.Random(7)
    async with scene(authority, patient) as s:

        async def leave() -> None:
            with trio.move_on_after(chance.uniform(0.001, 0.03)):
                await s.get("/silent")

        async def stay(number: int) -> None:
            body = bytes([number]) * 20_000
            assert (await s.client.post(s.url(), content=body)).content == body

        for _ in range(6):
            async with trio.open_nursery() as nursery:
                for number in range(25):
                    nursery.start_soon(leave)
                    nursery.start_soon(stay, number)
        await s.until(lambda: s.open_streams == 0)
        assert s.told(ConnectionClosed) == []
        assert s.resets > 0
        assert s.transport.statistics().streams_in_use == 0


async def test_a_client_whose_owner_is_cancelled_closes_at_once(authority: Authority) -> None:
    async with scene(authority, patient) as s:
        other = MultiplexedTransport(ssl_context=authority.client_context())
        began = trio.current_time()
        with trio.move_on_after(0.2):
            async with httpx.AsyncClient(transport=other) as client:
                await client.get(s.url("/silent"))
        assert trio.current_time() - began < 1.0


async def test_a_response_that_is_left_unread_gives_its_window_back(authority: Authority) -> None:
    async with scene(authority, patient, max_connections=1) as s:
        for _ in range(30):  # together far more than the connection's window
            async with s.client.stream("GET", s.url("/flood")):
                await trio.sleep(0.01)
        body = b"x" * 3_000_000
        assert (await s.client.post(s.url(), content=body)).content == body
        assert s.server.connections_opened == 1


async def test_a_stream_that_is_reset_is_an_error_of_that_stream_alone(authority: Authority) -> None:
    async def handler(exchange: ServerExchange) -> None:
        if exchange.path == "/reset":
            await exchange.start(200)
            await exchange.send(b"part")
            await exchange.reset()
        else:
            await patient(exchange)

    async with scene(authority, handler) as s, s.client.stream("GET", s.url("/drip")) as neighbour:
        async with s.client.stream("GET", s.url("/reset")) as response:
            pieces = response.aiter_raw()
            assert await anext(pieces) == b"part"
            with pytest.raises(httpx.RemoteProtocolError, match="INTERNAL_ERROR"):
                await anext(pieces)
        assert len(await neighbour.aread()) == 20
        assert s.server.connections_opened == 1


async def test_a_stream_that_is_refused_goes_out_again_unnoticed(authority: Authority) -> None:
    async with scene(authority, echo, ServerOptions(refuse_streams=3)) as s:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(s.get)
        assert s.transport.statistics().replays >= 3
        assert len(s.told(Replayed)) == s.transport.statistics().replays


async def test_a_server_that_refuses_for_good_is_an_error_soon(authority: Authority) -> None:
    async with scene(authority, echo, ServerOptions(refuse_streams=10_000)) as s:
        with pytest.raises(httpx.RemoteProtocolError, match="refused"), trio.fail_after(2):
            await s.get()


async def test_goaway_lets_the_open_streams_finish_and_replays_those_beyond(authority: Authority) -> None:
    last = 0

    async def handler(exchange: ServerExchange) -> None:
        nonlocal last
        stream = http2(exchange)
        if exchange.path == "/goaway":
            last = stream.stream_id
            await trio.sleep(0.05)
            await stream.connection.goaway(last)
            await exchange.respond(200)
        elif s.server.connections.index(stream.connection) == 0 and last:
            await trio.sleep_forever()  # it is beyond the GOAWAY that comes
        else:
            await patient(exchange)

    async with scene(authority, handler) as s, trio.open_nursery() as nursery:
        drips: list[bytes] = []

        async def drip() -> None:
            drips.append((await s.get("/drip")).content)

        for _ in range(3):
            nursery.start_soon(drip)
        await s.until(lambda: s.open_streams == 3)
        nursery.start_soon(s.client.get, s.url("/goaway"))
        await s.until(lambda: last > 0)
        for _ in range(3):
            nursery.start_soon(drip)
        await s.until(lambda: len(drips) == 6)
        assert drips == [b"0;1;2;3;4;5;6;7;8;9;"] * 6
        await s.until(lambda: len(s.server.connections) == 1)
        assert len(s.told(GoawayReceived)) == 1
        assert s.transport.statistics().replays == 3
        assert not any(event.lost for event in s.told(ConnectionClosed))


async def test_two_goaways_as_a_graceful_shutdown_sends_them_lose_nothing(authority: Authority) -> None:
    async def handler(exchange: ServerExchange) -> None:
        if exchange.path == "/goaway":
            connection = http2(exchange).connection
            await connection.goaway()
            await exchange.respond(200)
            await trio.sleep(0.05)
            await connection.goaway(None)
        else:
            await patient(exchange)

    async with scene(authority, handler) as s, trio.open_nursery() as nursery:
        nursery.start_soon(s.get, "/slow")
        await s.until(lambda: s.open_streams == 1)
        nursery.start_soon(s.get, "/goaway")
        await trio.sleep(0.02)
        for _ in range(5):
            nursery.start_soon(s.get, "/slow")
        await s.until(lambda: s.transport.statistics().streams_in_use == 0)
        assert len(s.told(GoawayReceived)) == 2
        assert not any(event.lost for event in s.told(ConnectionClosed))


async def test_an_origin_that_goes_away_at_once_is_an_error_not_a_storm(authority: Authority) -> None:
    async with scene(authority, echo) as s:
        await s.get()

        async def hostile(exchange: ServerExchange) -> None:
            await http2(exchange).connection.goaway(0)

        s.server.handler = hostile
        with pytest.raises(httpx.TransportError), trio.fail_after(3):
            await s.get()
        assert s.server.connections_opened <= 12


async def test_a_connection_that_is_cut_fails_its_streams_at_once_and_no_others(
    authority: Authority,
) -> None:
    async with scene(authority, patient, streams_per_connection=2) as s, trio.open_nursery() as nursery:
        met: list[type[Exception]] = []

        async def ask() -> None:
            met.extend(await failures(s, "/silent", 2))

        nursery.start_soon(ask)
        await s.until(lambda: s.open_streams == 2)
        async with s.client.stream("GET", s.url("/drip")) as neighbour:
            await s.connection(0).abort()
            assert len(await neighbour.aread()) == 20
        await s.until(lambda: len(met) == 2)
        # What may have been processed was not sent again.
        assert s.transport.statistics().replays == 0
        assert sum(event.lost for event in s.told(ConnectionClosed)) == 1
        nursery.cancel_scope.cancel()


async def test_a_stalled_stream_beside_a_busy_one_times_out_by_its_own_clock(authority: Authority) -> None:
    async def handler(exchange: ServerExchange) -> None:
        if exchange.path == "/busy":
            await exchange.start(200)
            for _ in range(60):
                await exchange.send(b"x" * 50)
                await trio.sleep(0.02)
            await exchange.finish()
        else:
            await patient(exchange)

    async with scene(authority, handler) as s, s.client.stream("GET", s.url("/busy")) as busy:
        for path in ("/stall", "/silent"):
            began = trio.current_time()
            with pytest.raises(httpx.ReadTimeout):
                await s.get(path, timeout=0.3)
            assert 0.3 <= trio.current_time() - began < 0.5
        assert len(await busy.aread()) == 3000
        assert s.server.connections_opened == 1
        await s.until(lambda: s.open_streams == 0)


async def test_an_upload_that_does_not_go_on_is_a_write_timeout(authority: Authority) -> None:
    async with scene(authority, patient) as s:
        await s.get()
        s.connection().stall()
        timeout = httpx.Timeout(5, write=0.2)
        with pytest.raises(httpx.WriteTimeout):
            await s.client.post(s.url("/silent"), content=b"x" * 10_000_000, timeout=timeout)
        assert s.transport.statistics().streams_in_use == 0


async def test_a_peer_that_is_silently_gone_is_noticed_by_a_ping(authority: Authority) -> None:
    async with scene(authority, patient, ping_interval=0.3, ping_timeout=0.2) as s:
        async with trio.open_nursery() as nursery:
            met: list[type[Exception]] = []

            async def ask() -> None:
                met.extend(await failures(s, "/silent", 10))

            nursery.start_soon(ask)
            await s.until(lambda: s.open_streams == 10)
            began = trio.current_time()
            s.connection().stall()
        assert met == [httpx.ReadError] * 10
        assert trio.current_time() - began < 0.3 + 0.2 + 0.1
        assert len(s.told(PingTimedOut)) == 1
        assert (await s.get()).status_code == 200


async def test_a_peer_that_answers_pings_keeps_its_quiet_streams(authority: Authority) -> None:
    async with scene(authority, patient, ping_interval=0.1, ping_timeout=0.3) as s:
        with pytest.raises(httpx.ReadTimeout):
            await s.get("/silent", timeout=2.5)
        assert s.connection().pings_received >= 5
        assert s.told(PingTimedOut) == []


async def test_no_ping_is_sent_while_nothing_is_asked(authority: Authority) -> None:
    async with scene(authority, echo, ping_interval=0.05) as s:
        await s.get()
        await trio.sleep(0.3)
        assert s.connection().pings_received == 0


async def test_garbage_is_an_error_and_the_next_request_has_a_new_connection(authority: Authority) -> None:
    async def handler(exchange: ServerExchange) -> None:
        if exchange.path == "/garbage":
            await http2(exchange).connection.send_raw(b"\0\0\x05\x00\x00\0\0\0\0hello")
            await trio.sleep_forever()
        await echo(exchange)

    async with scene(authority, handler) as s:
        with pytest.raises(httpx.RemoteProtocolError, match="broke the protocol"):
            await s.get("/garbage")
        assert (await s.get()).status_code == 200
        assert s.server.connections_opened == 2


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\x08\6\0\0\0\0\0" + bytes(8), b""]
)
async def test_a_server_that_speaks_something_else_is_told_in_words(
    authority: Authority, first: bytes
) -> None:
    """It agrees to HTTP/2 in the handshake and then says what is none, or nothing."""
    context = authority.server_context(("h2",))

    async def serve(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await tls.do_handshake()
        await tls.receive_some()
        if first:
            await tls.send_all(first)
        await tls.aclose()

    pool = MultiplexedTransport(ssl_context=authority.client_context())
    async with trio.open_nursery() as nursery, httpx.AsyncClient(transport=pool, timeout=5) as client:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        why = "the server broke the protocol" if first else "EndOfStream$"
        with pytest.raises(httpx.ConnectError, match=why), trio.fail_after(3):
            await client.get(f"https://127.0.0.1:{listener.socket.getsockname()[1]}/")
        nursery.cancel_scope.cancel()


async def test_more_data_than_the_window_allows_ends_the_connection(authority: Authority) -> None:
    async def handler(exchange: ServerExchange) -> None:
        stream = http2(exchange)
        await exchange.start(200)
        frame = b"\0\x3e\x80\0\0" + stream.stream_id.to_bytes(4, "big") + b"x" * 16_000
        await trio.sleep(0.1)
        for _ in range(30):
            await stream.connection.send_raw(frame)
        await trio.sleep_forever()

    async with scene(authority, handler) as s, s.client.stream("GET", s.url()) as response:
        await s.until(lambda: len(s.told(ConnectionClosed)) == 1)
        with pytest.raises(httpx.RemoteProtocolError, match="window"):
            await response.aread()
