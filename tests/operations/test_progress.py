"""Long work shows how far it is."""

import io

import pytest

from discordianai.operations.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def work(out: io.StringIO, seconds: int, total: int, fail: type[Exception] | None = None) -> str:
    """Report once a second; in the end, perhaps, fail."""
    clock = Clock()
    with progress("copying", out, clock) as report:
        for second in range(seconds):
            clock.now += 1
            report(second + 1, total)
        if fail is not None:
            raise fail
    return out.getvalue()


def test_short_work_shows_nothing() -> None:
    clock = Clock()
    for out in (io.StringIO(), Terminal()):
        with progress("copying", out, clock) as report:
            for done in range(9):
                report(done, 10)
                clock.now += 0.1
        assert out.getvalue() == ""


def test_without_a_terminal_there_is_a_line_after_a_second_and_then_every_ten() -> None:
    assert work(io.StringIO(), 25, 50).splitlines() == [
        "copying: 2 %",
        "copying: 22 %",
        "copying: 42 %",
        "copying: done in 25 s",
    ]


def test_work_of_unknown_length_shows_that_it_goes_on() -> None:
    assert work(io.StringIO(), 2, 0).splitlines() == ["copying: ...", "copying: done in 2 s"]


def test_on_a_terminal_there_is_a_bar() -> None:
    shown = work(Terminal(), 25, 50)
    assert "copying" in shown
    assert "━" in shown
    assert "50%" in shown
    assert "100%" in shown


def test_work_that_failed_is_not_said_to_be_done() -> None:
    for out in (io.StringIO(), Terminal()):
        with pytest.raises(ArithmeticError):
            work(out, 2, 50, fail=ArithmeticError)
        assert out.getvalue()
        assert "done" not in out.getvalue()
        assert "100%" not in out.getvalue()
