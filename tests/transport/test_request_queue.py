"""What a request waits for decides on its timeout; one that goes out again keeps nothing of before."""

import time
from contextlib import suppress

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.transport import ConnectionClosed
from discordianai.transport.exchange import DeadlineWatcher, Phase, Timeouts
from discordianai.transport.exchange import Exchange as Request
from discordianai.transport.pool_events import Origin
from discordianai.transport.request_queue import MAX_REPLAYS, REPLAY_BUDGET, RequestQueue
from discordianai.transport.uploads import BufferedBody
from tests.transport.builders import Scene, http2, patient, scene


async def outcomes(s: Scene, count: int, timeout: httpx.Timeout) -> list[str]:
    """Ask so many times at once; how each ended."""
    ends: list[str] = []

    async def ask() -> None:
        try:
            ends.append((await s.get(timeout=timeout)).text)
        except httpx.TimeoutException as error:
            ends.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask)
    return sorted(ends)


async def slow(exchange: ServerExchange) -> None:
    await trio.sleep(1.0)
    await exchange.respond(200, body=b"served")


async def test_a_connection_that_takes_fewer_than_expected_leaves_the_others_to_the_pool_timeout(
    authority: Authority,
) -> None:
    """Two streams of four: whoever finds no place waits for one, not for a connection."""
    async with scene(authority, slow, ServerOptions(max_concurrent_streams=2), max_connections=1) as s:
        timeout = httpx.Timeout(10, pool=0.4)
        assert await outcomes(s, 4, timeout) == ["PoolTimeout", "PoolTimeout", "served", "served"]


async def test_who_waits_while_another_connects_is_under_the_pool_timeout(authority: Authority) -> None:
    """One connection, one stream on it: the second waits for a place from the start."""
    options = ServerOptions(handshake_delay=0.5)
    async with scene(authority, slow, options, max_connections=1, streams_per_connection=1) as s:
        assert await outcomes(s, 2, httpx.Timeout(10, pool=0.2)) == ["PoolTimeout", "served"]


async def test_who_moves_up_when_others_leave_waits_for_the_connection_then(authority: Authority) -> None:
    """Its pool timeout does not go on."""
    options = ServerOptions(handshake_delay=0.6)
    async with (
        scene(authority, patient, options, max_connections=1, streams_per_connection=1) as s,
        trio.open_nursery() as nursery,
    ):
        scope = trio.CancelScope()

        async def first() -> None:
            with scope:
                await s.get()

        nursery.start_soon(first)
        await s.until(lambda: s.transport.statistics().requests_waiting == 1)
        nursery.start_soon(leave_soon, scope)
        assert (await s.get(timeout=httpx.Timeout(10, pool=0.4))).status_code == 200


async def leave_soon(scope: trio.CancelScope) -> None:
    await trio.sleep(0.2)
    scope.cancel()


def request(timekeeper: DeadlineWatcher) -> Request:
    return Request(Origin("x", 1), [], BufferedBody(b""), Timeouts(pool=0.25, connect=0.25), timekeeper)


async def test_the_waits_for_a_place_count_together(autojump_clock: trio.abc.Clock) -> None:
    """Coming back to the queue again and again, for one reason or another, ends all the same."""
    keeper = DeadlineWatcher()
    waiting = request(keeper)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)

        async def send_to_and_fro() -> None:
            while True:
                for phase in (Phase.POOL, Phase.WRITE, Phase.CONNECT, Phase.WRITE):
                    waiting.enter(phase)
                    await trio.sleep(0.1)

        nursery.start_soon(send_to_and_fro)
        began = trio.current_time()
        with pytest.raises(httpx.PoolTimeout):
            await waiting.response()
        assert trio.current_time() - began == pytest.approx(0.85, abs=0.01)
        nursery.cancel_scope.cancel()


async def test_the_line_tells_each_what_it_waits_for() -> None:
    """After any change: the first ones for connections, the others for a place."""
    queue, keeper = RequestQueue(), DeadlineWatcher()
    requests = [request(keeper) for _ in range(6)]
    for one in requests[:5]:
        queue.push(one)

    def phases() -> str:
        return "".join(one._phase.name[0] for one in queue.first(9))

    queue.set_connecting(3)
    assert phases() == "CCCPP"
    queue.pop()
    queue.set_connecting(3)
    assert phases() == "CCCP"
    queue.remove(requests[2])
    queue.set_connecting(2)
    assert phases() == "CCP"
    queue.push(requests[5], front=True)
    queue.set_connecting(2)
    assert phases() == "CCPP"
    queue.set_connecting(0)
    assert phases() == "PPPP"


async def test_no_time_to_wait_for_a_place_is_enough_where_there_is_one(authority: Authority) -> None:
    """`pool=0`: at once or not at all, on either protocol."""
    for alpn in (("h2",), ("http/1.1",)):
        options = ServerOptions(alpn=alpn)
        async with scene(authority, patient, options, max_connections=1, streams_per_connection=1) as s:
            await s.get()
            timeout = httpx.Timeout(5, pool=0)
            assert (await s.get(timeout=timeout)).status_code == 200
            async with s.client.stream("GET", s.url("/stall")):
                with pytest.raises(httpx.PoolTimeout):
                    await s.get(timeout=timeout)


async def test_no_time_to_write_is_enough_for_a_socket_that_has_room(authority: Authority) -> None:
    """`write=0`: sent at once, or a WriteTimeout."""
    async with scene(authority, patient) as s:
        await s.get()
        timeout = httpx.Timeout(30, write=0)
        for _ in range(20):  # a busy machine may not come to it within the 10 ms
            with suppress(httpx.WriteTimeout):
                answer = await s.client.post(s.url(), content=b"x" * 1000, timeout=timeout)
                break
        assert answer.status_code == 200
        s.connection().stall()
        with pytest.raises(httpx.WriteTimeout):
            await s.client.post(s.url(), content=b"x" * 10_000_000, timeout=timeout)


async def test_an_idle_connection_that_is_not_to_be_kept_is_closed_at_once(authority: Authority) -> None:
    """`keepalive_expiry=0`: no connection is kept, and none keeps the processor busy."""
    async with scene(authority, patient, keepalive_expiry=0) as s:
        assert len((await s.get("/drip")).content) == 20
        await s.until(lambda: not s.server.connections)
        assert (await s.get()).status_code == 200
        assert s.server.connections_opened == 2


def test_timeouts_of_any_shape_are_read() -> None:
    """What is not known or no number is left alone."""
    assert Timeouts.of({"timeout": {"read": 1, "total": 5, "write": "soon"}}) == Timeouts(read=1)
    assert Timeouts.of({"timeout": 5}) == Timeouts()
    assert Timeouts.of({}) == Timeouts()


async def test_rapid_cancels_beside_connections_that_end_reset_nobody_else(authority: Authority) -> None:
    """Connections end after each 20 requests, as nginx's do; bystanders are answered, all of them."""
    served: dict[object, int] = {}

    async def handler(exchange: ServerExchange) -> None:
        connection = http2(exchange).connection
        served[connection] = served.get(connection, 0) + 1
        if served[connection] == 20:
            await connection.goaway(None)
        await trio.sleep(0.002)
        await patient(exchange)

    async with scene(authority, handler, streams_per_connection=5) as s:
        bystanders: list[bool] = []

        async def stand_by(number: int) -> None:
            body = str(number).encode() * 1000
            bystanders.append((await s.client.post(s.url(), content=body)).content == body)

        async def leave(number: int) -> None:
            with trio.move_on_after(number % 7 / 1000):
                await s.client.post(s.url("/silent"), content=b"x" * 2000)

        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(leave, number)
                if number % 3 == 0:
                    nursery.start_soon(stand_by, number)
                    await trio.sleep(0.001)
        assert bystanders == [True] * 100
        await s.until(lambda: s.open_streams == 0)
        figures = s.transport.statistics()
        assert (figures.streams_in_use, figures.requests_waiting) == (0, 0)


async def test_a_request_that_is_refused_for_good_is_an_error_after_a_few_tries(authority: Authority) -> None:
    """With pauses between them, so that a server in trouble has time."""
    async with scene(authority, patient, ServerOptions(refuse_streams=10_000)) as s:
        began = time.perf_counter()
        with pytest.raises(httpx.RemoteProtocolError, match="refused the stream; it was tried 5 times"):
            await s.get()
        assert time.perf_counter() - began > 0.3
        assert sum(connection.streams_opened for connection in s.server.history) == 1 + MAX_REPLAYS


async def test_requests_that_are_refused_for_good_share_one_budget(authority: Authority) -> None:
    """Fifty of them go out little more than twice."""
    async with scene(authority, patient, ServerOptions(refuse_streams=10_000)) as s:
        failures: list[str] = []

        async def ask() -> None:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await s.get()
            failures.append(str(caught.value))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask)
        assert len(failures) == 50
        sent = sum(connection.streams_opened for connection in s.server.history)
        assert sent <= 50 + 50 + REPLAY_BUDGET
        # The budget is earned back by answers.
        s.server.options = ServerOptions()
        for connection in list(s.server.connections):
            await connection.abort()
        await s.until(lambda: s.transport.statistics().open_connections == 0)
        assert (await s.get()).status_code == 200


async def test_who_waits_to_go_out_again_is_under_the_pool_timeout_and_can_leave(
    authority: Authority,
) -> None:
    """Neither a cancel nor a timeout leaves anything."""
    async with scene(authority, patient, ServerOptions(refuse_streams=10_000)) as s:
        with pytest.raises(httpx.PoolTimeout):
            await s.get(timeout=httpx.Timeout(5, pool=0.02))
        with trio.move_on_after(0.02) as scope:
            await s.get()
        assert scope.cancelled_caught
        assert s.transport.statistics().requests_waiting == 0


async def test_a_request_whose_connections_ended_twice_has_the_third_for_itself(authority: Authority) -> None:
    """There it cannot be caught between two others; and that is its last try."""
    company: list[int] = []

    async def handler(exchange: ServerExchange) -> None:
        stream = http2(exchange)
        if exchange.path == "/unlucky":
            company.append(stream.connection.open_streams)
            if len(company) < 3:
                await stream.connection.goaway(max(stream.stream_id - 2, 0))
                await trio.sleep(0.1)
                return
            await trio.sleep(0.1)
            company.append(stream.connection.open_streams)
        await patient(exchange)

    async with scene(authority, handler, streams_per_connection=5) as s, trio.open_nursery() as nursery:

        async def others() -> None:
            while True:
                await s.get("/slow")

        for _ in range(12):
            nursery.start_soon(others)
        await s.until(lambda: s.open_streams == 12)
        assert (await s.get("/unlucky")).status_code == 200
        assert company[2:] == [1, 1]
        nursery.cancel_scope.cancel()
    assert not any(event.lost for event in s.told(ConnectionClosed))


async def test_the_last_try_ends_in_an_error(authority: Authority) -> None:
    """A server that goes away before every request has had three of them."""
    seen = 0

    async def handler(exchange: ServerExchange) -> None:
        nonlocal seen
        seen += 1
        stream = http2(exchange)
        await stream.connection.goaway(max(stream.stream_id - 2, 0))

    async with scene(authority, handler) as s:
        with pytest.raises(httpx.RemoteProtocolError, match="sent GOAWAY .*; it was tried 3 times"):
            await s.get()
        assert seen == 3
        assert s.transport.statistics().requests_waiting == 0
