"""What does a request cost through our HTTP/2 pool?  `make bench-transport`

Compared to: httpx's own pool, in turn, against nginx and a server that streams events, each in a process of
its own; CPU is the client's alone, and the medians count.
Required: at most half of httpx's CPU for a request and for an event, 1.8 times its requests per second.

`--soak` (`make soak-transport`) asks instead whether memory stays flat over a million requests, against an
nginx that ends each connection after 1000 of them. Compared to: what it took after the first tenth.
Required: at most 1.05 times of it, and no error.
"""

import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import httpx
import trio

from benchmarks.harness import Report, alternate, command_line, parse
from benchmarks.http_server import EVENTS, open_servers
from benchmarks.processes import resident_mb
from discordianai.sandbox.certificates import make_authority
from discordianai.transport import MultiplexedTransport
from tests.transport.servers import NginxOptions, nginx, open_server

CONCURRENCY, STREAMS = 50, 10
BODY = b"q" * 4096
TIMEOUT = httpx.Timeout(30.0)

OpenClient = Callable[[], httpx.AsyncClient]


def stock(context: ssl.SSLContext, timeout: httpx.Timeout = TIMEOUT) -> httpx.AsyncClient:
    """A client with httpx's own pool."""
    limits = httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=60)
    return httpx.AsyncClient(http2=True, verify=context, limits=limits, timeout=timeout)


def ours(context: ssl.SSLContext, timeout: httpx.Timeout = TIMEOUT) -> httpx.AsyncClient:
    """A client with the project's pool."""
    return httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=context), timeout=timeout)


@dataclass(slots=True)
class Load:
    """What so many requests at once take."""

    requests: int
    cpu_ms: float = 0.0
    per_second: float = 0.0
    errors: int = 0

    async def run(self, client: httpx.AsyncClient, url: str, each: Callable[[int], None]) -> None:
        """Send them, and call `each` with the number of every one that has ended."""
        numbers = iter(range(1, self.requests + 1))

        async def worker() -> None:
            for number in numbers:
                try:
                    response = await client.post(url, content=BODY)
                    self.errors += response.status_code != 200
                except httpx.TransportError:
                    self.errors += 1
                each(number)

        cpu, clock = time.process_time(), time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(CONCURRENCY):
                nursery.start_soon(worker)
        self.cpu_ms = (time.process_time() - cpu) * 1000 / self.requests
        self.per_second = self.requests / (time.perf_counter() - clock)


async def ask(open_client: OpenClient, url: str, requests: int) -> Load:
    """So many requests, on connections that one request has opened."""
    load = Load(requests)
    async with open_client() as client:
        await client.post(url, content=BODY)
        await load.run(client, url, lambda _number: None)
    return load


async def read_events(open_client: OpenClient, url: str) -> float:
    """CPU in ms for each event of ten streams."""

    async def read(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", url + "/events", content=b"{}") as response:
            async for _ in response.aiter_bytes():
                pass

    async with open_client() as client:
        cpu = time.process_time()
        async with trio.open_nursery() as nursery:
            for _ in range(STREAMS):
                nursery.start_soon(read, client)
        return (time.process_time() - cpu) * 1000 / (STREAMS * EVENTS)


def compare(report: Report, requests: int, rounds: int) -> None:
    """Print the table of both pools."""
    authority = make_authority()
    context = authority.client_context()
    report.table("case", "stock httpx", "ours", "required")
    with open_server(nginx(NginxOptions(keepalive_requests=10**9)), authority) as server:
        asked = trio.run(
            alternate,
            rounds,
            {
                name: partial(ask, partial(make, context), server.url + "/echo", requests)
                for name, make in (("stock", stock), ("ours", ours))
            },
        )
    _row(report, "CPU per request", "{:.2f} ms", "<= 0.5 x", *_medians(asked, lambda load: load.cpu_ms))
    _row(report, "requests per second", "{:.0f}", ">= 1.8 x", *_medians(asked, lambda load: load.per_second))
    read = trio.run(_read_in_turn, rounds)
    _row(report, "CPU per event", "{:.3f} ms", "<= 0.5 x", median(read["stock"]), median(read["ours"]))
    errors = sum(load.errors for load in asked["ours"])
    report.row("errors", sum(load.errors for load in asked["stock"]), errors, required="0", measured=errors)


async def _read_in_turn(rounds: int) -> dict[str, list[float]]:
    async with open_servers() as servers:
        clients = {"stock": partial(stock, servers.context), "ours": partial(ours, servers.context)}
        return await alternate(
            rounds, {name: partial(read_events, make, servers.honest) for name, make in clients.items()}
        )


def _medians(asked: dict[str, list[Load]], figure: Callable[[Load], float]) -> tuple[float, float]:
    return median(map(figure, asked["stock"])), median(map(figure, asked["ours"]))


def _row(report: Report, case: str, form: str, required: str, baseline: float, ours: float) -> None:
    ratio = ours / baseline
    cells = form.format(baseline), f"{form.format(ours)} = {ratio:.2f} x"
    report.row(case, *cells, required=required, measured=ratio)


def soak(report: Report, requests: int) -> None:
    """Print memory and errors after each tenth of the requests."""
    authority = make_authority()
    limits = NginxOptions(keepalive_requests=1000, max_concurrent_streams=10)
    pool = MultiplexedTransport(ssl_context=authority.client_context())
    load = Load(requests)
    memory: list[float] = []

    def each(number: int) -> None:
        if number % (requests // 10) == 0:
            memory.append(resident_mb())
            figures = pool.statistics()
            shown = f"{memory[-1]:.1f} MB"
            report.row(number, shown, load.errors, figures.connections_opened, figures.replays)

    async def run(url: str) -> None:
        async with httpx.AsyncClient(transport=pool, timeout=TIMEOUT) as client:
            await load.run(client, url, each)

    report.table("requests", "memory", "errors", "connections opened", "replays")
    with open_server(nginx(limits), authority) as server:
        trio.run(run, server.url + "/echo")
    report.table("over the run", "measured", "required")
    report.figure("memory, the end beside the first tenth", memory[-1] / memory[0], "{:.2f} x", "<= 1.05 x")
    report.figure("errors", load.errors, required="0")
    report.figure("requests per second", load.per_second, "{:.0f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__, rounds=5)
    parser.add_argument("--requests", type=int, help="of each round (3000), or of the soak (1,000,000)")
    parser.add_argument("--soak", action="store_true", help="one long run of our pool alone")
    options = parse(parser, arguments)
    report = Report()
    if options.soak:
        soak(report, options.requests or (20_000 if options.quick else 1_000_000))
    else:
        compare(report, options.requests or (300 if options.quick else 3000), options.rounds)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
