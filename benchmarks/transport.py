"""Our pool beside httpx's own, against nginx and a server that misbehaves: `make bench-transport`.

Each case runs both clients in turn, several times, and prints the median of each. CPU is the client's alone.
"""

import argparse
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import trio

from discordianai.sandbox.certificates import make_authority
from discordianai.transport import MultiplexedTransport
from tests.transport.servers import NginxOptions, nginx, open_server

CONCURRENCY = 50
BODY = b"q" * 4096
EVENTS = 10 * 500
TIMEOUT = 30.0
OpenClient = Callable[[], "httpx.AsyncClient"]


@dataclass(frozen=True, slots=True)
class Clients:
    """Makes either client, for a server that `context` trusts."""

    context: ssl.SSLContext

    def stock(self, **_: float) -> httpx.AsyncClient:
        """httpx's own pool."""
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=60)
        return httpx.AsyncClient(http2=True, verify=self.context, limits=limits, timeout=TIMEOUT)

    def ours(self, **more: float) -> httpx.AsyncClient:
        """The project's pool."""
        transport = MultiplexedTransport(ssl_context=self.context, **more)  # type: ignore[arg-type]  # tuning
        return httpx.AsyncClient(transport=transport, timeout=TIMEOUT)


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of requests took."""

    cpu_ms: float
    per_second: float
    errors: int


async def load(open_client: OpenClient, url: str, requests: int) -> Load:
    """So many requests at concurrency 50."""
    errors = 0
    left = iter(range(requests))

    async def worker(client: httpx.AsyncClient) -> None:
        nonlocal errors
        for _ in left:
            try:
                response = await client.post(url, content=BODY)
            except httpx.TransportError:
                errors += 1
            else:
                errors += response.status_code != 200

    async with open_client() as client:
        await client.post(url, content=BODY)
        cpu, clock = time.process_time(), time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(CONCURRENCY):
                nursery.start_soon(worker, client)
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return Load(cpu * 1000 / requests, requests / clock, errors)


async def chunks(open_client: OpenClient, url: str) -> float:
    """CPU in ms for each event of ten streams."""

    async def read(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", url + "/events", content=b"{}") as response:
            async for _ in response.aiter_bytes():
                pass

    async with open_client() as client:
        cpu = time.process_time()
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(read, client)
        return (time.process_time() - cpu) * 1000 / EVENTS


async def fifty_slow(open_client: OpenClient, url: str) -> float:
    """Seconds for 50 requests of one second each."""
    async with open_client() as client:
        clock = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(partial(client.post, url + "/slow", timeout=60))
        return time.perf_counter() - clock


async def beside_cancelled(open_client: OpenClient, url: str) -> tuple[int, int, int]:
    """600 requests beside 600 that are cancelled: how many fail, resets at the server, streams left open."""
    failed = 0

    async def ask(client: httpx.AsyncClient) -> None:
        nonlocal failed
        try:
            await client.post(url + "/quick", content=BODY)
        except Exception:  # httpx's own pool raises ValueError too
            failed += 1

    async def leave(client: httpx.AsyncClient, after: float) -> None:
        with trio.move_on_after(after):
            try:
                await client.post(url + "/stall", content=BODY)
                await trio.sleep_forever()
            except Exception:  # noqa: S110  # only what becomes of the neighbours counts
                pass

    async def both(client: httpx.AsyncClient, number: int) -> None:
        for turn in range(12):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, client)
                nursery.start_soon(leave, client, 0.004 + (number * 7 + turn * 3) % 20 / 1000)

    async with open_client() as client:
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(both, client, number)
        await trio.sleep(0.3)
        async with httpx.AsyncClient(verify=False) as control:  # noqa: S501  # only counts
            resets, still_open = (await control.get(url + "/counts")).text.split()
    return failed, int(resets), int(still_open)


async def stalled_beside_busy(open_client: OpenClient, url: str) -> tuple[float, bool]:
    """Seconds until the read timeout of one second fires, and whether the busy neighbour was unharmed."""
    fired, unharmed = 0.0, False

    async def busy(client: httpx.AsyncClient) -> None:
        nonlocal unharmed
        try:
            await client.get(url + "/busy", timeout=10)
            unharmed = True
        except httpx.TransportError:
            pass

    async def stalled(client: httpx.AsyncClient) -> None:
        nonlocal fired
        await trio.sleep(0.2)
        clock = time.perf_counter()
        try:
            await client.get(url + "/stall", timeout=1)
        except httpx.ReadTimeout:
            fired = time.perf_counter() - clock

    async with open_client() as client, trio.open_nursery() as nursery:
        nursery.start_soon(busy, client)
        nursery.start_soon(stalled, client)
    return fired, unharmed


async def silent_peer(open_client: OpenClient, url: str) -> float:
    """Seconds until ten streams have failed of a peer that is gone without a word; read timeout 8 s."""
    clock = 0.0

    async def ask(client: httpx.AsyncClient) -> None:
        with trio.move_on_after(20):
            try:
                await client.get(url + "/stall", timeout=8)
            except httpx.TransportError:
                return

    async with open_client() as client:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask, client)
            await trio.sleep(0.3)
            async with httpx.AsyncClient(verify=False) as control:  # noqa: S501  # only counts
                await control.get(url + "/silence")
            clock = time.perf_counter()
        return time.perf_counter() - clock


@contextmanager
def misbehaving(streams: int = 10) -> Iterator[tuple[str, Clients]]:
    """The scripted server in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.misbehaving_server", folder, str(streams)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            context = ssl.create_default_context(cafile=str(Path(folder) / "ca.pem"))
            try:
                yield url, Clients(context)
            finally:
                process.terminate()


def row(case: str, stock: str, ours: str, required: str) -> None:
    """One line of the table."""
    print(f"| {case} | {stock} | {ours} | {required} |", flush=True)


def throughput(requests: int, rounds: int) -> None:
    """CPU and rate, against nginx without a limit on requests."""
    authority = make_authority()
    clients = Clients(authority.client_context())
    stock: list[Load] = []
    ours: list[Load] = []
    with open_server(nginx(NginxOptions(keepalive_requests=10**9)), authority) as server:
        for _ in range(rounds):
            stock.append(trio.run(load, clients.stock, server.url + "/echo", requests))
            ours.append(trio.run(load, clients.ours, server.url + "/echo", requests))
    cpu = [statistics.median(run.cpu_ms for run in runs) for runs in (stock, ours)]
    rate = [statistics.median(run.per_second for run in runs) for runs in (stock, ours)]
    row("CPU per request", f"{cpu[0]:.2f} ms", f"{cpu[1]:.2f} ms = {cpu[1] / cpu[0]:.2f} x", "<= 0.5 x")
    row("requests per second", f"{rate[0]:.0f}", f"{rate[1]:.0f} = {rate[1] / rate[0]:.2f} x", ">= 1.8 x")


def limited_keepalive() -> None:
    """nginx ends each connection after 100 requests."""
    authority = make_authority()
    clients = Clients(authority.client_context())
    limits = NginxOptions(keepalive_requests=100, max_concurrent_streams=10)
    with open_server(nginx(limits), authority) as server:
        stock = trio.run(load, clients.stock, server.url + "/echo", 5000)
        ours = trio.run(load, clients.ours, server.url + "/echo", 5000)
    case = "5000 requests, nginx `keepalive_requests 100`"
    row(case, f"{stock.errors} errors", f"{ours.errors} errors", "0 errors")


def streaming(rounds: int) -> None:
    """CPU for each event of ten event streams."""
    with misbehaving() as (url, clients):
        runs = [
            (trio.run(chunks, clients.stock, url), trio.run(chunks, clients.ours, url)) for _ in range(rounds)
        ]
    stock, ours = (statistics.median(column) for column in zip(*runs, strict=True))
    row("CPU per event", f"{stock:.3f} ms", f"{ours:.3f} ms = {ours / stock:.2f} x", "<= 0.5 x")


def behaviour() -> None:
    """What each client makes of servers that limit, stall and vanish."""
    with misbehaving() as (url, clients):
        stock, ours = (trio.run(fifty_slow, make, url) for make in (clients.stock, clients.ours))
        row("50 requests of 1 s, 10 streams allowed", f"{stock:.2f} s", f"{ours:.2f} s", "< 1.3 s")
    cancelled = []
    for name in ("stock", "ours"):
        with misbehaving(100) as (url, clients):
            failed, resets, still_open = trio.run(beside_cancelled, getattr(clients, name), url)
            cancelled.append(f"{failed} fail, {resets} resets, {still_open} left open")
    row("600 requests beside 600 cancelled", cancelled[0], cancelled[1], "0 fail, 0 left open")
    with misbehaving() as (url, clients):
        runs = [trio.run(stalled_beside_busy, make, url) for make in (clients.stock, clients.ours)]
        told = [f"{seconds:.2f} s, neighbour {'well' if well else 'harmed'}" for seconds, well in runs]
        row("stalled stream beside a busy one, read timeout 1 s", told[0], told[1], "1.0-1.2 s, well")
    vanished = []
    for name in ("stock", "ours"):
        with misbehaving() as (url, clients):
            make = (
                clients.stock if name == "stock" else partial(clients.ours, ping_interval=2, ping_timeout=1)
            )
            vanished.append(f"{trio.run(silent_peer, make, url):.2f} s")
    row("peer silently gone, ping 2 s + 1 s, read timeout 8 s", vanished[0], vanished[1], "< 3 s")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    row("case", "stock httpx", "ours", "required")
    row("---", "---", "---", "---")
    throughput(options.requests, options.rounds)
    streaming(options.rounds)
    limited_keepalive()
    behaviour()


if __name__ == "__main__":
    main()
