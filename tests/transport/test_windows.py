"""Flow control: what is not read holds nobody up, and what was read is given back whatever became of it."""

import anyio
import httpx
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange
from discordianai.transport.frames import Http2ConnectionError
from discordianai.transport.stream import ReceiveWindow
from tests.transport.backends import on_both
from tests.transport.builders import scene

SIZE = 8_000_000


async def sizes(exchange: ServerExchange) -> None:
    """`/known` announces its length, `/unknown` does not."""
    announced = [("content-length", str(SIZE))] if exchange.path == "/known" else []
    await exchange.start(200, announced)
    for _ in range(SIZE // 16_000):
        await exchange.send(bytes(16_000))
    await exchange.finish()


@pytest.mark.parametrize("unread", ["/known", "/unknown"])
@pytest.mark.parametrize("read", ["/known", "/unknown"])
@on_both
async def test_nine_streams_that_nobody_reads_do_not_hold_up_the_tenth(
    authority: Authority, unread: str, read: str
) -> None:
    """With a length or without: there is one account of the connection's window."""
    async with scene(authority, sizes, max_connections=1) as s, anyio.create_task_group() as tasks:

        async def leave_unread() -> None:
            async with s.client.stream("GET", s.url(unread)):
                await anyio.sleep_forever()

        for _ in range(9):
            tasks.start_soon(leave_unread)
        await s.until(lambda: s.open_streams == 9)
        with anyio.fail_after(10):
            assert len((await s.get(read)).content) == SIZE
        assert s.server.connections_opened == 1
        tasks.cancel_scope.cancel()


@on_both
async def test_answers_that_are_whole_and_unread_take_nothing_of_the_window(authority: Authority) -> None:
    """However many of them somebody keeps, the connection goes on."""

    async def handler(exchange: ServerExchange) -> None:
        await exchange.respond(200, body=bytes(200_000))

    async with scene(authority, handler, max_connections=1, streams_per_connection=2) as s:
        kept: list[httpx.Response] = []
        with anyio.fail_after(10):
            for _ in range(20):
                response = await s.client.send(s.client.build_request("GET", s.url()), stream=True)
                kept.append(response)
                await s.until(lambda: s.open_streams == 0)
        assert [len(await response.aread()) for response in kept] == [200_000] * 20


@on_both
async def test_both_sides_agree_on_the_windows_after_any_use(authority: Authority) -> None:
    """The server's view of what it may still send is within what has not been announced yet."""

    async def handler(exchange: ServerExchange) -> None:
        await exchange.body()
        await exchange.respond(200, body=bytes(100_000))

    async with scene(authority, handler, max_connections=1) as s:
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(fetch, s.client, s.url(), number)
        await s.until(lambda: s.open_streams == 0)
        # One more answer, so that nothing of theirs is under way any more.
        assert len((await s.get()).content) == 100_000
        # What this one gave back may still be on its way.
        least = 10 * 262_144 - 131_072
        await s.until(lambda: s.connection().machine.outbound_flow_control_window > least)


async def fetch(client: httpx.AsyncClient, url: str, number: int) -> None:
    with anyio.move_on_after(0.02 if number % 3 else 5):
        async with client.stream("POST", url, content=b"x" * number * 1000) as response:
            if number % 2:
                await response.aread()


def test_a_window_is_announced_in_portions_and_never_exceeded() -> None:
    """What was read and not announced yet stays below a portion."""
    window = ReceiveWindow(100, 50)
    window.received(100)
    assert [window.consumed(30), window.consumed(30), window.consumed(40)] == [0, 60, 0]
    window.received(60)
    with pytest.raises(Http2ConnectionError):
        window.received(1)
