"""Serves the operator's pages on a port, while the bot runs."""

import errno
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import structlog
import trio

from discordianai.operations.logs import recent_warnings
from discordianai.operations.options import OperationsOptions
from discordianai.operations.snapshot import Snapshot

if TYPE_CHECKING:
    from hypercorn.config import Config

LAST_REQUESTS = 0.5
"""Seconds that requests may still take at the end."""

SLOWEST_READER = 30
"""Seconds that a client may be silent in the midst of its request."""


class CannotServe(Exception):
    """The port is not available; the message says which key to change."""


class SnapshotReader(Protocol):
    """Something that shows snapshots."""

    def shows(self, snapshot: Callable[[], Snapshot]) -> None:
        """Show this snapshot from now on."""


class NoPages:
    """Used with port 0."""

    def shows(self, snapshot: Callable[[], Snapshot]) -> None:
        """See `SnapshotReader`."""


@asynccontextmanager
async def serving(options: OperationsOptions) -> AsyncIterator[SnapshotReader]:
    """Serve while the block runs, from its beginning. Raises `CannotServe`."""
    if not options.port:
        yield NoPages()
        return
    listeners = await _listen(options.host, options.port)
    async with serving_on(listeners, options.host) as pages:
        yield pages


@asynccontextmanager
async def serving_on(listeners: Sequence[trio.SocketListener], host: str) -> AsyncIterator[SnapshotReader]:
    """Serve on these sockets, which are closed at the end."""
    from discordianai.operations.pages import Pages  # with all that it needs, 0.1 s that port 0 need not pay

    addresses = [str(listener.socket.getsockname()[0]) for listener in listeners]
    with recent_warnings() as warnings:
        pages = Pages(_trusted_hosts(host, addresses), warnings)
        async with _served(pages.app, listeners):
            yield pages


@asynccontextmanager
async def _served(
    app: Callable[..., object], listeners: Sequence[trio.SocketListener]
) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        nursery.start_soon(_serve, app, _config(listeners), stop)
        yield
        stop.set()
        nursery.cancel_scope.deadline = trio.current_time() + LAST_REQUESTS


async def _listen(host: str, port: int) -> Sequence[trio.SocketListener]:
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise CannotServe(_why(host, port, error)) from error
    log = structlog.get_logger("discordianai.operations.http_server")
    log.info("serving health and metrics", address=f"http://{_bracketed(host)}:{port}")
    return listeners


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"operations.port: {port} is taken on {host}, perhaps by another bot; "
            "set another one, or 0 to serve neither health nor metrics"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"operations.port: {port} may not be used by this user; set one above 1023"
    return f"operations.host: {host} is not an address of this machine; set one that is, such as 127.0.0.1"


def _trusted_hosts(host: str, addresses: Sequence[str]) -> list[str] | None:
    """On loopback, the local names: any other name may come from DNS rebinding.

    Elsewhere nobody can know them.
    """
    if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        return None
    return ["localhost", "127.0.0.1", "[::1]", _bracketed(host)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _serve(app: Callable[..., object], config: "Config", stop: trio.Event) -> None:
    """Serve; a failure here does not end the bot."""
    from discordianai.guarded_hypercorn import serve

    try:
        await serve(app, config, stop)  # type: ignore[arg-type]  # ASGI 3, as Starlette types it
    except Exception:
        structlog.get_logger("discordianai.operations.http_server").exception(
            "health and metrics no longer served"
        )


def _config(listeners: Sequence[trio.SocketListener]) -> "Config":
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.socket.detach()}" for listener in listeners]  # Hypercorn closes them
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.read_timeout = SLOWEST_READER
    config.include_server_header = False
    return config
