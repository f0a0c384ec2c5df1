"""What waits in memory for the database."""

from functools import partial

from discordianai.conversations.engine.backlog import OVERHEAD, Backlog, Write


def test_a_write_that_fails_late_keeps_its_place() -> None:
    """An answer that was on its way must not be overtaken by the end of its question: it would be dropped."""
    answered, finished, another = Write("answered"), Write("finished"), Write("another")
    backlog = Backlog[str]()
    for write in (finished, answered, another):
        backlog.add(write)
    assert [write.statements for write in backlog] == ["answered", "finished", "another"]


def test_what_does_not_fit_is_dropped_oldest_first_and_told() -> None:
    dropped: list[str] = []
    writes = [Write(str(number), on_failure=partial(dropped.append, str(number))) for number in range(3)]
    backlog = Backlog[str](2 * OVERHEAD)
    for write in writes:
        backlog.add(write)
    assert dropped == ["0"]
    assert backlog.lost == 1
    assert not backlog.remove(writes[0])
    assert backlog.remove(writes[1])
    assert backlog.first is writes[2]
