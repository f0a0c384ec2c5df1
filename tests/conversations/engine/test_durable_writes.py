"""What the log says of writes that a database never takes."""

from collections.abc import Sequence

import pytest
import trio
from structlog.testing import capture_logs

from discordianai.conversations.engine.backlog import MAX_BYTES, Write
from discordianai.conversations.engine.durable_writes import DurableWrites
from discordianai.conversations.engine.writer import WriteOutcome
from discordianai.conversations.store import KeptInMemory


class Away:
    """A database that is not there until it is `back`."""

    label, slow_part, longest_write = "here", "the disk", 1.0

    def __init__(self) -> None:
        self.back = False
        self.writes = DurableWrites[str](self)
        self.taken: list[str] = []

    async def commit(self, group: Sequence[str]) -> Sequence[WriteOutcome]:
        """See `Engine.commit`."""
        await trio.lowlevel.checkpoint()
        self.taken += group
        return [WriteOutcome() for _ in group]

    async def recover(self) -> bool:
        """See `Engine.recover`."""
        return self.back and await self.writes.write_backlog()

    def diagnose(self, error: Exception) -> str:
        """See `Engine.diagnose`."""
        return str(error)

    def reason(self, error: Exception) -> str:
        """See `Engine.reason`."""
        return str(error)


async def test_changes_that_do_not_fit_into_memory_are_not_lost_in_silence() -> None:
    """The log says it once, however many they are, and once more in the next outage."""
    database = Away()
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.writes.run)
            for outage in (1, 2):
                database.writes.mark_unwritable("the disk is full")
                for number in range(6):
                    with pytest.raises(KeptInMemory):
                        await database.writes.write(Write(f"{outage} {number}", size=MAX_BYTES // 3))
                database.back = True
                assert await database.recover()
            await database.writes.finish()
    assert database.taken == ["1 4", "1 5", "2 4", "2 5"]
    assert [log["event"] for log in logs if "lost" in log["event"]] == [
        "changes kept in memory are lost: there are too many"
    ] * 2
