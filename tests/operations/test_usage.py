"""Usage is reported at DEBUG, and only where something has changed."""

import structlog
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from discordianai.operations.usage import INTERVAL, report_usage
from discordianai.transport import Statistics


async def test_what_has_changed_is_reported_and_what_has_not_is_not(autojump_clock: MockClock) -> None:
    structlog.reset_defaults()
    busy = {"now": 0}

    def changing() -> Statistics:
        return Statistics(max_connections=50, streams_in_use=busy["now"])

    with capture_logs() as lines:
        async with report_usage({"openai pool": changing, "discord pool": lambda: None}):
            await trio.sleep(INTERVAL * 2.5)
            assert lines == []
            busy["now"] = 10
            await trio.sleep(INTERVAL * 2)
    assert [(line["of"], line["streams_in_use"], line["utilisation"]) for line in lines] == [
        ("openai pool", 10, 0.2)
    ]
    assert lines[0]["log_level"] == "debug"
