"""Tells the log, at DEBUG, how much of each pool and dispatcher is used."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict

import structlog
import trio

from discordianai.dispatch.statistics import DispatchStatistics
from discordianai.transport.records import Statistics

INTERVAL = 30.0
"""Seconds between two reports; there is none of what has not changed."""

Source = Callable[[], Statistics | DispatchStatistics | None]


@asynccontextmanager
async def report_usage(sources: Mapping[str, Source]) -> AsyncIterator[None]:
    """Report on the named sources while the block runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_report, sources)
        yield
        nursery.cancel_scope.cancel()


async def _report(sources: Mapping[str, Source]) -> None:
    log = structlog.get_logger("discordianai.operations")
    last = {name: source() for name, source in sources.items()}
    while True:
        await trio.sleep(INTERVAL)
        for name, source in sources.items():
            figures = source()
            if figures is None or figures == last[name]:
                continue
            last[name] = figures
            shown = asdict(figures)
            if isinstance(figures, Statistics):
                shown["utilisation"] = round(figures.utilisation, 3)
            log.debug("usage", of=name, **shown)
