"""Logs the usage of each pool and dispatcher at DEBUG."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, fields, replace

import structlog
import trio

from discordianai.dispatch.dispatcher_statistics import DispatchStatistics
from discordianai.guard import Guard
from discordianai.metric import Latency
from discordianai.operations.snapshot import Snapshot
from discordianai.transport.pool_events import Statistics

INTERVAL = 30.0
"""Seconds between two reports; there is none of what has not changed."""

Line = Mapping[str, object]


@asynccontextmanager
async def report_usage(snapshot: Callable[[], Snapshot]) -> AsyncIterator[None]:
    """Report the usage while the block runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_report, snapshot)
        yield
        nursery.cancel_scope.cancel()


async def _report(snapshot: Callable[[], Snapshot]) -> None:
    log = structlog.get_logger("discordianai.operations.usage_log")
    guard = Guard(log, "bug in the usage report")
    last: dict[str, Line] = {}
    with guard:
        last |= _lines(snapshot())
    while True:
        await trio.sleep(INTERVAL)
        with guard:
            for name, line in _lines(snapshot()):
                if line != last.get(name):
                    last[name] = line
                    log.debug("usage", of=name, **line)


def _lines(snapshot: Snapshot) -> Iterator[tuple[str, Line]]:
    for name, pool in snapshot.pools.items():
        yield f"{name} pool", _of_pool(pool)
    for provider, figures in snapshot.providers.items():
        yield f"{provider} dispatch", _of_dispatch(figures.dispatch)


def _of_pool(pool: Statistics) -> Line:
    """Without the single connections, whose age is another one each time."""
    return asdict(replace(pool, connections=())) | {"utilisation": round(pool.utilisation, 3)}


def _of_dispatch(dispatch: DispatchStatistics) -> Line:
    """Each latency as two percentiles, in seconds; what is counted by model is for the metrics."""
    line: dict[str, object] = {}
    for field in fields(dispatch):
        value = getattr(dispatch, field.name)
        if isinstance(value, Latency):
            line |= {f"{field.name}_p50": round(value.p50, 3), f"{field.name}_p99": round(value.p99, 3)}
        elif not isinstance(value, Mapping):
            line[field.name] = value
    return line
