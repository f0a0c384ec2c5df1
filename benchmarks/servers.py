"""Our pool beside httpx's own, under the load of real servers: `make bench-servers [SERVERS="nginx node"]`.

Prints a table: for each server and case the requests that were killed or hung, of stock httpx, then of ours.
A server that is not installed is left out. The cases are those of `make test-servers`.
"""

import argparse
import platform
import ssl
import sys
from collections.abc import Awaitable, Callable

import httpx
import trio

from discordianai.sandbox.certificates import Authority, make_authority
from discordianai.transport import MultiplexedTransport
from tests.transport.servers import BY_HAND, IN_CI, Kind, open_server
from tests.transport.servers.load import TIMEOUT, Load, Tally

LONGEST = 30.0
"""Seconds for a case; none takes ten, unless its requests wait for each other."""

CASES: dict[str, Callable[[Load], Awaitable[Tally]]] = {
    "2000 posts at 50": lambda load: load.posts(2000, 50),
    "200 downloads left, 400 posts": lambda load: load.cancelled_downloads(200, 400),
    "20 MB read slowly, 200 posts": lambda load: load.slow_reader(200),
    "reload in 2000 posts": lambda load: load.reload(2000, 50),
    "15 uploads rejected early, 200 posts": lambda load: load.early_rejects(15, 200),
    "3000 posts cancelled, 1000 not": lambda load: load.cancels_beside(3000, 1000, 0.015),
}
RELOAD = "reload in 2000 posts"


def stock(context: ssl.SSLContext) -> httpx.AsyncClient:
    """httpx's own pool."""
    limits = httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=60)
    return httpx.AsyncClient(http2=True, verify=context, limits=limits, timeout=TIMEOUT)


def ours(context: ssl.SSLContext) -> httpx.AsyncClient:
    """The project's pool."""
    return httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=context), timeout=TIMEOUT)


async def outcome(client: httpx.AsyncClient, load: Load, case: str) -> str:
    """For a cell of the table."""
    with trio.move_on_after(LONGEST) as scope:
        async with client:
            await CASES[case](load)
    stuck = f"stuck after {load.tally.answered} answers" if scope.cancelled_caught else ""
    if load.tally.faults:
        print(f"  {case}: {dict(load.tally.faults.most_common(3))}", file=sys.stderr)
    return ", ".join(filter(None, (str(load.tally) if load.tally.faults or not stuck else "", stuck)))


def cell(kind: Kind, authority: Authority, case: str) -> str:
    """Both clients' outcome, each with a server of its own."""
    if (case == RELOAD and kind.reload is None) or ("rejected" in case and kind.rejects is None):
        return "–"
    found = []
    for make in (stock, ours):
        with open_server(kind, authority) as server:
            client = make(authority.client_context())
            found.append(trio.run(outcome, client, Load(client, server), case))
    return " / ".join(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="*", help="their names; all that are installed without any")
    wanted = parser.parse_args().servers
    authority = make_authority()
    print(f"Python {platform.python_version()}, httpx {httpx.__version__}\n")
    print("| server | " + " | ".join(CASES) + " |")
    print("| --- |" + " --- |" * len(CASES))
    for kind in (*IN_CI, *BY_HAND):
        if wanted and kind.name not in wanted:
            continue
        if kind.installed() is None:
            print(kind.missing, file=sys.stderr)
            continue
        cells = (cell(kind, authority, case) for case in CASES)
        print(f"| {kind.name} |", end="", flush=True)
        for text in cells:
            print(f" {text} |", end="", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
