"""Serves an ASGI application with Hypercorn on a free port of 127.0.0.1, under trio."""

import logging
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import trio
from hypercorn.config import Config
from hypercorn.typing import Framework
from starlette.types import ASGIApp

from discordianai.guarded_hypercorn import serve

FREE_PORTS = range(20_000, 32_000)

CLOSE_TIMEOUT = 0.5
"""Seconds that requests may still take at the end."""


def listen() -> tuple[socket.socket, int]:
    """A socket on a free port, and the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener, int(listener.getsockname()[1])


def free_port() -> int:
    """A port that is free now, for a process that will listen there itself.

    It is below those that Linux gives to connections and to others that ask for any port, so that nobody gets
    it meanwhile. Raises `OSError` if there is none.
    """
    for port in random.sample(FREE_PORTS, 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


@asynccontextmanager
async def serve_on(listener: socket.socket, app: ASGIApp) -> AsyncIterator[None]:
    """Serve on this socket while the block runs; it is closed at the end."""
    framework, config = cast(Framework, app), _config(listener)
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        await nursery.start(serve, framework, config, stop)
        yield
        stop.set()
        nursery.cancel_scope.deadline = trio.current_time() + CLOSE_TIMEOUT


def _config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # Hypercorn closes it
    config.accesslog = None
    config.include_date_header = False  # the local Discord has a clock of its own
    config.include_server_header = False
    quiet = logging.getLogger("discordianai.sandbox.hypercorn")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    config.errorlog = quiet
    config.graceful_timeout = CLOSE_TIMEOUT
    config.keep_alive_timeout = 300.0
    config.keep_alive_max_requests = 10**9  # connections last as long as the client wants
    config.backlog = 1000
    return config
