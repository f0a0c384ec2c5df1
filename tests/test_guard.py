"""A bug ends its own block; what is no bug ends what it is meant to end."""

import pytest
import trio
from structlog.testing import capture_logs
from structlog.typing import FilteringBoundLogger

from discordianai.guard import Guard


@pytest.fixture
def log() -> FilteringBoundLogger:
    import structlog

    logger: FilteringBoundLogger = structlog.get_logger("discordianai.test")
    return logger


def test_a_bug_ends_its_block_alone_and_is_logged_with_its_traceback(log: FilteringBoundLogger) -> None:
    """Whoever comes after the block sees that it failed, and the log has what the operator needs."""
    with capture_logs() as lines, Guard(log, "a bug", question=7) as guard:
        raise ZeroDivisionError
    assert guard.failed
    (line,) = lines
    assert (line["event"], line["question"], line["log_level"]) == ("a bug", 7, "error")
    assert isinstance(line["exc_info"], ZeroDivisionError)


def test_a_block_that_goes_well_has_not_failed(log: FilteringBoundLogger) -> None:
    """The failure of a former turn does not count for this one."""
    guard = Guard(log, "a bug")
    with capture_logs():
        with guard:
            raise ZeroDivisionError
        with guard:
            pass
    assert not guard.failed


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_what_ends_the_process_passes_through(log: FilteringBoundLogger, error: BaseException) -> None:
    """A guard is no wall against signals and exits."""
    with pytest.raises(type(error)), Guard(log, "a bug"):
        raise error


async def test_cancellation_passes_through(
    log: FilteringBoundLogger, autojump_clock: trio.testing.MockClock
) -> None:
    """The scope that was cancelled is the one that ends, and nothing is logged."""
    with capture_logs() as lines, trio.move_on_after(1) as scope:
        with Guard(log, "a bug"):
            await trio.sleep_forever()
        raise AssertionError("the guard swallowed the cancellation")
    assert scope.cancelled_caught
    assert lines == []


async def test_of_a_bug_and_a_cancellation_in_one_group_the_cancellation_passes_through(
    log: FilteringBoundLogger,
) -> None:
    """A task that meets a bug while it is being cancelled must not keep its siblings from ending."""

    async def breaks() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError

    with capture_logs() as lines, trio.CancelScope() as scope:
        with Guard(log, "a bug"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(breaks)
                nursery.start_soon(trio.sleep_forever)
                await trio.lowlevel.checkpoint()
                scope.cancel()
                await trio.sleep_forever()
        raise AssertionError("the guard swallowed the cancellation")
    assert scope.cancelled_caught
    assert [line["event"] for line in lines] == ["a bug"]


def test_in_a_loop_the_same_bug_is_logged_once_until_a_turn_goes_well(log: FilteringBoundLogger) -> None:
    """A figure that is read four times a second must not fill the log."""
    guard = Guard(log, "a bug")

    def turn(value: int) -> None:
        with guard:
            _ = 1 / value

    with capture_logs() as lines:
        for value in (0, 0, 0, 1, 0):
            turn(value)
    assert len(lines) == 2


def test_a_bug_whose_text_cannot_be_made_is_logged_by_its_name() -> None:
    """What logs is not what failed."""

    class Picky:
        lines: tuple[dict[str, object], ...] = ()

        def error(self, event: str, **fields: object) -> None:
            if "exc_info" in fields:
                raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "half a pair")
            Picky.lines += ({"event": event, **fields},)

    with Guard(Picky(), "a bug") as guard:  # type: ignore[arg-type]  # all of a logger that it needs
        raise ZeroDivisionError
    assert guard.failed
    assert Picky.lines == ({"event": "a bug", "kind": "ZeroDivisionError"},)
