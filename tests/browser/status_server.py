"""Serves the status page with made-up figures, where one provider was never asked; prints its port."""

import logging
from dataclasses import replace

import trio

from discordianai.dispatch.dispatcher_statistics import DispatchStatistics
from discordianai.operations.http_server import serving_on
from discordianai.operations.snapshot import Snapshot
from discordianai.transport.pool_events import ConnectionStatistics, Statistics
from tests.operations.builders import provider, well

CONNECTION = ConnectionStatistics("api.openai.com:443", "HTTP/2", 3, 10, age=75.0, last_ping=12.0)
ASKED = replace(provider(), pool=Statistics(50, open_connections=1, connections=(CONNECTION,)))
NEVER_ASKED = replace(
    provider("Perplexity", "fast"),
    dispatch=DispatchStatistics(
        in_flight=0,
        waiting=0,
        limit=30,
        requests_left=50,
        tokens_left=float("inf"),
        breaker=provider().dispatch.breaker,
    ),
)


def figures() -> Snapshot:
    """An hour of one provider alone."""
    return well(providers={"openai": ASKED, "perplexity": NEVER_ASKED})


async def main() -> None:
    """Serve until killed."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with serving_on(listeners, "127.0.0.1") as pages:
        pages.shows(figures)
        logging.getLogger("discordianai.dispatch").warning("a provider asked for a pause")
        print(port, flush=True)  # noqa: T201  # for the test that started it
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
