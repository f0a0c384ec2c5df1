"""What the benchmarks share: bounds, reports, percentiles, programs."""

import math
import os
from collections.abc import Iterator

import pytest
import structlog

from benchmarks.harness import Report, alternate, command_line, keeps, parse, percentile
from benchmarks.processes import open_program


@pytest.mark.parametrize(
    ("required", "measured", "kept"),
    [
        ("< 1.5 s", 1.49, True),
        ("< 1.5 s", 1.5, False),
        ("<= 0.5 x", 0.5, True),
        (">= 1.8 x", 1.79, False),
        ("> 2", 2, False),
        ("0", 0, True),
        ("1500", 1499, False),
        ("< 1.5 s", math.inf, False),
        ("< 1.5 s", math.nan, False),
        ("< 50 ms at p99.9", 49, True),
    ],
)
def test_a_bound_is_what_its_text_says(required: str, measured: float, kept: bool) -> None:
    """As it is printed, so it is judged; what could not be measured is not kept."""
    assert keeps(required, measured) is kept


@pytest.mark.parametrize(("required", "measured"), [("as shipped", 1), ("1,500", 1500), ("< 1 s", None)])
def test_a_bound_that_cannot_be_judged_is_an_error(required: str, measured: float | None) -> None:
    """Or a benchmark would pass that looks at nothing."""
    with pytest.raises(ValueError, match="no bound"):
        keeps(required, measured)


def test_a_missed_bound_is_shown_and_ends_the_program_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """In its row, and in a list at the end."""
    report = Report()
    report.table("case", "ours", "required")
    report.row("kept", "1 s", required="< 2 s", measured=1)
    report.row("not judged", "9 s")
    assert report.finish() == 0
    report.row("late", "3 s", required="< 2 s", measured=3)
    assert report.finish() == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"{os.cpu_count()} cores" in lines[0]
    assert lines[2:7] == [
        "| case | ours | required |",
        "| --- | --- | --- |",
        "| kept | 1 s | < 2 s |",
        "| not judged | 9 s |  |",
        "| late | 3 s | < 2 s, missed |",
    ]
    assert lines[-1] == "- late: 3, required < 2 s"


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """The one at that part of all, in order."""
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0), percentile(values, 0.5), percentile(values, 0.99)) == (1, 51, 100)
    assert percentile([7.0], 1) == 7


async def test_candidates_take_turns() -> None:
    """So that a change of the machine meets all of them."""
    order = []

    async def run(name: str) -> int:
        order.append(name)
        return len(order)

    found = await alternate(2, {"stock": lambda: run("stock"), "ours": lambda: run("ours")})
    assert order == ["stock", "ours"] * 2
    assert found == {"stock": [1, 3], "ours": [2, 4]}


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Logging as it was, after a command line has set it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_quick_run_has_one_round(own_logging: None) -> None:
    """Whatever `--rounds` says."""
    parser = command_line("A benchmark.", rounds=5)
    assert parse(parser, []).rounds == 5
    assert parse(parser, ["--quick", "--rounds", "3"]).rounds == 1


async def test_a_program_that_ended_is_told_from_one_that_is_silent() -> None:
    """Instead of waiting for its next line."""
    async with open_program("this") as program:
        assert await program.line() == "The Zen of Python, by Tim Peters"
        lines = [await program.line() for _ in range(20)]
        assert lines[-1].startswith("Namespaces are one honking great idea")
        with pytest.raises(EOFError, match="this has ended"):
            await program.line()
