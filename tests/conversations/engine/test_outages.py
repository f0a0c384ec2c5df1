"""What the log has of a database that fails, whatever the engine."""

import pytest
import structlog
import trio
from structlog.testing import capture_logs

from discordianai.conversations.engine import outages as outages_module
from discordianai.conversations.engine.outages import Outages

FULL, BROKEN = "the disk is full", "the disk reports an error"
BEGUN, OVER = "conversations are kept in memory only", "conversations are kept in the database again"


def told(outages: Outages, *reasons: str) -> list[str]:
    """What an operator sees of so many outages, one after the other."""
    with capture_logs() as logs:
        for reason in reasons:
            outages.begin(reason)
            outages.end()
    return [log["event"] for log in logs if log["log_level"] != "debug"]


async def test_what_fails_again_and_again_is_logged_as_that_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that cannot read one page fails for every question that needs it."""
    monkeypatch.setattr(outages_module, "WELL_AFTER", 0.2)
    structlog.reset_defaults()
    outages = Outages(structlog.get_logger())
    assert told(outages, *[FULL] * 1000) == [BEGUN, OVER, "the database fails again and again"]
    assert told(outages, BROKEN) == [BEGUN]
    with capture_logs() as logs:
        outages.check()
        await trio.sleep(0.3)
        outages.check()
        outages.check()
    assert [log["event"] for log in logs] == ["the database has not failed for a while"]
    assert told(outages, FULL) == [BEGUN, OVER]


async def test_outages_of_several_kinds_are_each_logged_when_they_begin_and_end() -> None:
    structlog.reset_defaults()
    assert told(Outages(structlog.get_logger()), FULL, BROKEN) == [BEGUN, OVER] * 2
