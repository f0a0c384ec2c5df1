"""Statements that are sent together, and what is made of what they return."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

Row = tuple[Any, ...]

Parameters = Mapping[str, object]


Statement = tuple[LiteralString, Parameters]


def no_result(_rows: Sequence[Row]) -> None:
    """For a write whose caller wants to know nothing."""


def first_value(rows: Sequence[Row]) -> Any:  # of whatever type the column has
    """The first column of the first row; None where there is no row."""
    return rows[0][0] if rows else None


@dataclass(frozen=True, slots=True)
class Batch:
    """A read, or a write: in one transaction, perhaps with others' writes. Nothing waits for a reply in it.

    `result` takes the rows of the last statement. What it raises, a `StoreError`, is the outcome; the
    statements have changed nothing then.
    """

    statements: tuple[Statement, ...]
    result: Callable[[Sequence[Row]], Any] = no_result
