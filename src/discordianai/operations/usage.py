"""Tells the log, at DEBUG, how much of each pool is used."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict

import structlog
import trio

from discordianai.transport.clients import PooledClient

INTERVAL = 30.0
"""Seconds between two reports; there is none while nothing has changed."""


@asynccontextmanager
async def report_usage(clients: Mapping[str, PooledClient]) -> AsyncIterator[None]:
    """Report on the named clients while the block runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_report, clients)
        yield
        nursery.cancel_scope.cancel()


async def _report(clients: Mapping[str, PooledClient]) -> None:
    log = structlog.get_logger("discordianai.transport")
    last = {name: client.statistics() for name, client in clients.items()}
    while True:
        await trio.sleep(INTERVAL)
        for name, client in clients.items():
            figures = client.statistics()
            if figures is not None and figures != last[name]:
                last[name] = figures
                log.debug(
                    "pool usage",
                    client=name,
                    utilisation=round(figures.utilisation, 3),
                    **asdict(figures),
                )
