"""A million requests through one pool: `make soak-transport`. Prints resident memory as it goes."""

import argparse
import time

import httpx
import trio

from benchmarks.process_figures import resident_mb
from discordianai.sandbox.certificates import make_authority
from discordianai.transport import MultiplexedTransport
from tests.transport.servers import NginxOptions, nginx, open_server

CONCURRENCY = 50
BODY = b"q" * 4096


async def soak(transport: MultiplexedTransport, url: str, requests: int) -> None:
    """Send them, and print ten lines."""
    left = iter(range(requests))
    errors = 0

    async def worker(client: httpx.AsyncClient) -> None:
        nonlocal errors
        for number in left:
            try:
                response = await client.post(url, content=BODY)
                errors += response.status_code != 200
            except httpx.TransportError:
                errors += 1
            if number % (requests // 10) == 0:
                figures = transport.statistics()
                row = (number, f"{resident_mb():.1f} MB", errors, figures.connections_opened, figures.replays)
                print("| " + " | ".join(map(str, row)) + " |", flush=True)

    print("| requests | memory | errors | connections opened | replays |\n| --- | --- | --- | --- | --- |")
    clock = time.perf_counter()
    async with httpx.AsyncClient(transport=transport, timeout=30) as client, trio.open_nursery() as nursery:
        for _ in range(CONCURRENCY):
            nursery.start_soon(worker, client)
    figures, seconds = transport.statistics(), time.perf_counter() - clock
    row = (requests, f"{resident_mb():.1f} MB", errors, figures.connections_opened, figures.replays)
    print("| " + " | ".join(map(str, row)) + " |")
    print(f"{requests / seconds:.0f} requests a second")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    options = parser.parse_args()
    authority = make_authority()
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    limits = NginxOptions(keepalive_requests=1000, max_concurrent_streams=10)
    with open_server(nginx(limits), authority) as server:
        trio.run(soak, transport, server.url + "/echo", options.requests)


if __name__ == "__main__":
    main()
