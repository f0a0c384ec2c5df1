"""Which requests get lost under the load of real servers?  `make bench-servers [SERVERS="nginx node"]`

Compared to: httpx's own pool, in the same cases, which are those of `make test-servers`. A cell has the
requests that were killed or hung, of stock httpx, then of ours.
Required: none of ours, but for Hypercorn, which cannot finish its streams once it has sent GOAWAY. A server
that is not installed is left out.
"""

import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence

import httpx
import trio

from benchmarks.harness import Report, command_line, parse
from benchmarks.transport import ours, stock
from discordianai.sandbox.certificates import Authority, make_authority
from tests.transport.servers import BY_HAND, HYPERCORN, IN_CI, Kind, open_server
from tests.transport.servers.load import TIMEOUT, Load, Tally

CASE_TIMEOUT = 30.0
"""Seconds; no case takes ten, unless its requests wait for each other."""

CASES: dict[str, Callable[[Load], Awaitable[Tally]]] = {
    "2000 posts at 50": lambda load: load.posts(2000, 50),
    "200 downloads left, 400 posts": lambda load: load.cancelled_downloads(200, 400),
    "20 MB read slowly, 200 posts": lambda load: load.slow_reader(200),
    "reload in 2000 posts": lambda load: load.reload(2000, 50),
    "15 uploads rejected early, 200 posts": lambda load: load.early_rejects(15, 200),
    "3000 posts cancelled, 1000 not": lambda load: load.cancels_beside(3000, 1000, 0.015),
}


def is_possible(kind: Kind, case: str) -> bool:
    """Whether the server can reload, or answers before it has read an upload, where that is the case."""
    return not (
        (case.startswith("reload") and kind.reload is None) or ("rejected" in case and not kind.rejects)
    )


async def outcome(client: httpx.AsyncClient, load: Load, case: str) -> str:
    """For a cell of the table; `0` if all went well."""
    with trio.move_on_after(CASE_TIMEOUT) as scope:
        async with client:
            await CASES[case](load)
    stuck = f"stuck after {load.tally.answered} answers" if scope.cancelled_caught else ""
    if load.tally.faults:
        print(f"  {case}: {dict(load.tally.faults.most_common(3))}", file=sys.stderr)
    return ", ".join(filter(None, (str(load.tally) if load.tally.faults or not stuck else "", stuck)))


def compare(report: Report, kind: Kind, authority: Authority, case: str) -> str:
    """Both clients' outcomes, each with a server of its own."""
    if not is_possible(kind, case):
        return "–"
    found = []
    make: Callable[[ssl.SSLContext, httpx.Timeout], httpx.AsyncClient]
    for make in (stock, ours):
        with open_server(kind, authority) as server:
            client = make(authority.client_context(), TIMEOUT)
            found.append(trio.run(outcome, client, Load(client, server), case))
    if found[1] != "0" and kind.name != HYPERCORN.name:
        report.miss(f"{kind.name}, {case}: {found[1]}")
    return " / ".join(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit status."""
    parser = command_line(__doc__)
    parser.add_argument("servers", nargs="*", help="their names; all that are installed without any")
    options = parse(parser, arguments)
    authority, report = make_authority(), Report()
    cases = list(CASES)[:1] if options.quick else list(CASES)
    report.table("server", *cases)
    for kind in (*IN_CI, *BY_HAND):
        if options.servers and kind.name not in options.servers:
            continue
        if kind.installed() is None:
            print(kind.missing, file=sys.stderr)
            continue
        report.row(kind.name, *(compare(report, kind, authority, case) for case in cases))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
