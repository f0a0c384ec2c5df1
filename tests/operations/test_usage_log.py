"""Usage is reported at DEBUG, and only where something has changed."""

from dataclasses import replace

import structlog
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from discordianai.operations.usage_log import INTERVAL, report_usage
from discordianai.transport import ConnectionStatistics, Statistics
from tests.operations.builders import provider, well


async def test_a_pool_whose_connections_only_grow_older_is_not_reported(autojump_clock: MockClock) -> None:
    structlog.reset_defaults()
    now = well()
    with capture_logs() as lines:
        async with report_usage(lambda: now):
            for age in (30.0, 60.0, 90.0):
                connection = ConnectionStatistics("https://api.example", "HTTP/2", 0, 100, age, None, False)
                now = replace(well(), discord_pool=Statistics(50, connections=(connection,)))
                await trio.sleep(INTERVAL * 1.5)
    assert lines == []


async def test_what_has_changed_is_reported_and_what_has_not_is_not(autojump_clock: MockClock) -> None:
    structlog.reset_defaults()
    now = well()

    with capture_logs() as lines:
        async with report_usage(lambda: now):
            await trio.sleep(INTERVAL * 2.5)
            assert lines == []
            now = replace(now, discord_pool=Statistics(max_connections=50, streams_in_use=10))
            await trio.sleep(INTERVAL * 2)
            busy = replace(provider(), dispatch=replace(provider().dispatch, in_flight=7))
            now = replace(now, providers={**now.providers, "openai": busy})
            await trio.sleep(INTERVAL)
    pool, dispatch = lines
    assert (pool["of"], pool["streams_in_use"], pool["utilisation"]) == ("discord pool", 10, 0.2)
    assert (dispatch["of"], dispatch["in_flight"], dispatch["last_chunk_p50"]) == ("openai dispatch", 7, 10.0)
    assert {line["log_level"] for line in lines} == {"debug"}
