"""The relay before a server, over real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from discordianai.sandbox.tcp_relay import Passing, TcpRelay, open_relay


async def echo(stream: trio.SocketStream) -> None:
    """Answer with what comes."""
    with suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data)


@asynccontextmanager
async def relayed() -> AsyncIterator[tuple[TcpRelay, trio.SocketStream]]:
    """A server that echoes, a relay, and a connection through it."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, echo, 0)
        async with (
            open_relay(listeners[0].socket.getsockname()[1]) as relay,
            await trio.open_tcp_stream("127.0.0.1", relay.port) as client,
        ):
            yield relay, client
        nursery.cancel_scope.cancel()


async def test_bytes_pass() -> None:
    """Unless told otherwise, it changes nothing."""
    async with relayed() as (_, client):
        await client.send_all(b"hello")
        assert await client.receive_some() == b"hello"


async def test_held_bytes_arrive_later() -> None:
    """A frozen network loses nothing."""
    async with relayed() as (relay, client):
        relay.let_pass(to_client=Passing.HELD)
        await client.send_all(b"hello")
        with trio.move_on_after(0.1) as waited:
            await client.receive_some()
        assert waited.cancelled_caught
        relay.let_pass()
        assert await client.receive_some() == b"hello"


async def test_swallowed_bytes_never_arrive() -> None:
    """A commit's answer can be lost though the server has committed."""
    async with relayed() as (relay, client):
        relay.let_pass(to_client=Passing.SWALLOWED)
        await client.send_all(b"hello")
        with trio.move_on_after(0.1):
            await client.receive_some()
        relay.let_pass()
        await client.send_all(b"again")
        assert await client.receive_some() == b"again"


async def test_cut_connections_are_reset_and_new_ones_only_if_accepted() -> None:
    """As when a server or a way to it goes away."""
    async with relayed() as (relay, client):
        await client.send_all(b"hello")
        await client.receive_some()
        relay.accepting = False
        assert relay.cut() == 2
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", relay.port) as refused:
            with pytest.raises(trio.BrokenResourceError):
                await refused.receive_some()
        relay.accepting = True
        async with await trio.open_tcp_stream("127.0.0.1", relay.port) as second:
            await second.send_all(b"hello")
            assert await second.receive_some() == b"hello"
        assert relay.accepted == 2
