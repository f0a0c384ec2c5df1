"""The same test on asyncio and on trio, against a server that runs beside either in a thread of its own."""

import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from queue import SimpleQueue
from typing import Any

import anyio
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import Handler, Server, ServerOptions, open_server


def on_both(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on each; its fixtures are synchronous."""

    @wraps(test)
    def run(backend: str, **fixtures: Any) -> None:
        anyio.run(partial(test, **fixtures), backend=backend)

    signature = inspect.signature(test)
    backend = inspect.Parameter("backend", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what pytest reads its fixtures from
        parameters=[*signature.parameters.values(), backend]
    )
    both: Callable[..., None] = pytest.mark.parametrize("backend", ["asyncio", "trio"])(run)
    return both


@contextmanager
def server_thread(
    authority: Authority | None, handler: Handler, options: ServerOptions | None = None
) -> Iterator[Server]:
    """The scripted server, in a trio loop of its own, while the block runs. Look at it, but don't touch."""
    told: SimpleQueue[tuple[Server, trio.lowlevel.TrioToken, trio.Event]] = SimpleQueue()

    async def serve() -> None:
        stop = trio.Event()
        async with open_server(handler, authority=authority, options=options) as server:
            told.put((server, trio.lowlevel.current_trio_token(), stop))
            await stop.wait()

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    server, token, stop = told.get(timeout=10)
    try:
        yield server
    finally:
        token.run_sync_soon(stop.set)
        thread.join(10)


@contextmanager
def server_beside(
    authority: Authority | None, handler: Handler, options: ServerOptions | None = None
) -> Iterator[str]:
    """Its address, while the block runs."""
    with server_thread(authority, handler, options) as server:
        yield server.url
