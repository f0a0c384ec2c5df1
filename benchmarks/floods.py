"""What do floods of HTTP/2 frames that need no answer cost the pool?  `make bench-floods`

A server in a process of its own floods every connection of one client for 20 s, which keeps asking; another
client of the same process asks a well-behaved server.
Compared to: the same process without a flood.
Required: at most 0.3 cores and 20 MB more, and no failure of the other client.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import trio

from benchmarks.harness import Report, command_line, parse, percentile
from benchmarks.http_server import FLOODS, open_servers
from benchmarks.processes import resident_mb
from discordianai.transport import MultiplexedTransport

PAUSE = 0.05
"""Seconds between two requests of a worker."""

WORKERS = 5
"""Of each client."""

MAX_CORES, MAX_MB = 0.3, 20.0


@dataclass(slots=True)
class Figures:
    """What a flood costs. Times are in seconds, those of the client that is not flooded."""

    cores: float = 0.0
    megabytes: float = 0.0
    times: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    connections: int = 0
    """Opened to the flooding server."""


async def ask(client: httpx.AsyncClient, url: str, times: list[float], failures: list[str]) -> None:
    """Ask again and again, until cancelled."""
    while True:
        began = time.perf_counter()
        try:
            await client.get(url)
            times.append(time.perf_counter() - began)
        except httpx.TransportError as error:
            failures.append(type(error).__name__)
        await trio.sleep(PAUSE)


async def measure(kind: str | None, seconds: float) -> Figures:
    """Let it flood for so long; None is no flood."""
    figures = Figures()
    async with open_servers() as servers:
        pools = [MultiplexedTransport(ssl_context=servers.context) for _ in range(2)]
        async with (
            httpx.AsyncClient(transport=pools[0], timeout=10) as bystander,
            httpx.AsyncClient(transport=pools[1], timeout=10) as flooded,
            trio.open_nursery() as nursery,
        ):
            for _ in range(WORKERS):
                nursery.start_soon(ask, bystander, servers.honest, figures.times, figures.failures)
            await trio.sleep(1)
            figures.times.clear()
            memory, cpu = resident_mb(), time.process_time()
            for _ in range(WORKERS if kind else 0):
                nursery.start_soon(ask, flooded, f"{servers.flooding}/{kind}", [], [])
            await trio.sleep(seconds)
            figures.cores = (time.process_time() - cpu) / seconds
            figures.megabytes = resident_mb() - memory
            figures.connections = pools[1].statistics().connections_opened
            nursery.cancel_scope.cancel()
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit status."""
    parser = command_line(__doc__)
    parser.add_argument("--seconds", type=float, help="of each flood (20)")
    parser.add_argument("kinds", nargs="*", help=f"some of {', '.join(FLOODS)}; all of them without any")
    options = parse(parser, arguments)
    seconds = options.seconds or (1.0 if options.quick else 20.0)
    kinds = options.kinds or list(FLOODS)
    report = Report()
    report.table("flood", "cores more", "MB more", "others: answered, failed, p99", "connections")
    quiet = trio.run(measure, None, seconds).cores
    for kind in kinds:
        figures = trio.run(measure, kind, seconds)
        cores, failed = figures.cores - quiet, len(figures.failures)
        others = f"{len(figures.times)}, {failed}, {percentile(figures.times, 0.99) * 1000:.0f} ms"
        report.row(kind, f"{cores:.2f}", f"{figures.megabytes:.1f}", others, figures.connections)
        if cores > MAX_CORES or figures.megabytes > MAX_MB or failed:
            report.miss(f"{kind}: {cores:.2f} cores, {figures.megabytes:.1f} MB, {failed} failures")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
