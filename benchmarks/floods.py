"""Floods of frames that bring no answer, each for 20 s: `make bench-floods`.

A server of its own process floods every connection of one client, which keeps asking; another client of the
same process asks an honest server. Printed are the CPU and the memory that the flood costs, and how the other
fared.
"""

import argparse
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import trio

from benchmarks.flooding_server import FLOODS
from benchmarks.process_figures import resident_mb
from discordianai.transport import MultiplexedTransport

PAUSE = 0.05
"""Seconds between two requests of each asker."""

ASKERS = 5


@contextmanager
def servers() -> Iterator[tuple[str, str, ssl.SSLContext]]:
    """The honest and the flooding server, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.flooding_server", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            honest, flooding = process.stdout.readline().split()
            try:
                yield honest, flooding, ssl.create_default_context(cafile=str(Path(folder) / "ca.pem"))
            finally:
                process.terminate()


async def ask(client: httpx.AsyncClient, url: str, times: list[float], failures: list[str]) -> None:
    """Ask again and again."""
    while True:
        began = time.perf_counter()
        try:
            await client.get(url)
            times.append(time.perf_counter() - began)
        except httpx.TransportError as error:
            failures.append(type(error).__name__)
        await trio.sleep(PAUSE)


async def run(kind: str | None, seconds: float) -> tuple[float, float, list[float], list[str], int]:
    """Cores, megabytes more, the honest server's times, its failures, connections to the flooding one."""
    with servers() as (honest, flooding, context):
        pools = [MultiplexedTransport(ssl_context=context) for _ in range(2)]
        times: list[float] = []
        failures: list[str] = []
        async with (
            httpx.AsyncClient(transport=pools[0], timeout=10) as good,
            httpx.AsyncClient(transport=pools[1], timeout=10) as bad,
            trio.open_nursery() as nursery,
        ):
            for _ in range(ASKERS):
                nursery.start_soon(ask, good, honest, times, failures)
            await trio.sleep(1)
            times.clear()
            memory, cpu = resident_mb(), time.process_time()
            for _ in range(ASKERS if kind else 0):
                nursery.start_soon(ask, bad, f"{flooding}/{kind}", [], [])
            await trio.sleep(seconds)
            cores = (time.process_time() - cpu) / seconds
            more = resident_mb() - memory
            opened = pools[1].statistics().connections_opened
            nursery.cancel_scope.cancel()
    return cores, more, times, failures, opened


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("kinds", nargs="*", default=list(FLOODS))
    options = parser.parse_args()
    print("| flood | cores more | MB more | others: answered, failed, p99 | connections |")
    print("| --- | --- | --- | --- | --- |")
    quiet = 0.0
    for kind in (None, *options.kinds):
        cores, more, times, failures, opened = trio.run(run, kind, options.seconds)
        if kind is None:
            quiet = cores
        slowest = statistics.quantiles(times, n=100)[98] * 1000
        told = f"{len(times)}, {len(failures)}, {slowest:.0f} ms"
        print(f"| {kind or 'none'} | {cores - quiet:.2f} | {more:.1f} | {told} | {opened} |", flush=True)


if __name__ == "__main__":
    main()
