"""A connection that is closed while something is sent on it ends alone."""

import socket
from contextlib import suppress
from typing import Any, cast

import pytest
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from discordianai.guarded_hypercorn import GuardedConnection

TIMES = 40
"""trio starts the two tasks in any order."""


class FakeProtocol:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    async def handle(self, event: Event) -> None:
        self.told.append(event)


async def close_while_sending(kind: type[TCPServer]) -> list[Event]:
    """What the protocols are told."""
    told: list[Event] = []
    for _ in range(TIMES):
        ours, other = socket.socketpair()
        with other:
            async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
                ends: Any = stream  # with TLS or without
                server = kind(cast(Any, None), Config(), WorkerContext(None), ConnectionState({}), ends)
                server.protocol = protocol = cast(Any, FakeProtocol())
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(server._close)
                    nursery.start_soon(server.protocol_send, RawData(b"words"))
            told += protocol.told
    return told


async def test_the_other_end_hears_no_more_and_nothing_else_ends() -> None:
    """The connection is told that it is closed."""
    told = await close_while_sending(GuardedConnection)
    assert told
    assert all(isinstance(event, Closed) for event in told)


async def test_hypercorn_alone_ends_with_an_error() -> None:
    """Once it does not, this module is no longer needed."""
    with suppress(BaseExceptionGroup):
        await close_while_sending(TCPServer)
        pytest.fail("Hypercorn copes with this now")
