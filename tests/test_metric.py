"""A metric is declared on the field that holds its figure, and found there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import pytest

from discordianai.metric import By, Latency, Metric, Row, Series, series_of


class Reason(StrEnum):
    LATE = "late"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Leaf:
    plain: int = 5
    sent: Annotated[int, Metric("sent_total", "Sent")] = 0
    plain_metadata: Annotated[int, ("read_total", "Read")] = 0
    took: Annotated[Latency, Metric("took_seconds", "Took")] = field(default_factory=Latency)

    @property
    def half(self) -> Annotated[float, Metric("half_ratio", "Half of them")]:
        return self.sent / 2


@dataclass(frozen=True, slots=True)
class Tree:
    leaf: Leaf = field(default_factory=Leaf)
    leaves: Annotated[Mapping[str, Leaf], By("leaf")] = field(default_factory=dict)
    unmarked: Mapping[str, Leaf] = field(default_factory=dict)
    perhaps: Leaf | None = None
    version: Annotated[str, Metric("info", "Version", ("version",))] = "1"
    since: Annotated[float | None, Metric("since_seconds", "Since")] = None
    reasons: Annotated[Mapping[Reason, int], Metric("lost_total", "Lost", ("reason",))] = field(
        default_factory=dict
    )
    pairs: Annotated[Mapping[tuple[str, str], int], Metric("pairs", "Pairs", ("a", "b"))] = field(
        default_factory=dict
    )
    woods: Annotated[Mapping[str, "Wood"], By("wood")] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wood:
    trees: Annotated[Mapping[str, int], Metric("trees", "Trees", ("kind",))]


def series(name: str) -> Series:
    """The last of the name: that in `leaves`, where both have it."""
    return [found for found in series_of(Tree) if found.metric.name == name][-1]


def rows(tree: Tree, name: str) -> list[Row]:
    return list(series(name).read(tree))


def test_each_is_found_once_wherever_a_record_may_be_and_nothing_else_is() -> None:
    """Neither fields without a metric, nor records that may be missing or that no label tells apart."""
    found = [(each.metric.name, each.kind, each.labels) for each in series_of(Tree)]
    of_leaf = [
        ("sent_total", "counter"),
        ("read_total", "counter"),
        ("took_seconds", "histogram"),
        ("half_ratio", "gauge"),
    ]
    assert sorted(found) == sorted(
        [
            *((name, kind, ()) for name, kind in of_leaf),
            *((name, kind, ("leaf",)) for name, kind in of_leaf),
            ("info", "gauge", ("version",)),
            ("since_seconds", "gauge", ()),
            ("lost_total", "counter", ("reason",)),
            ("pairs", "gauge", ("a", "b")),
            ("trees", "gauge", ("wood", "kind")),
        ]
    )


def test_figures_of_records_in_a_mapping_are_told_apart_by_its_keys() -> None:
    tree = Tree(leaves={"oak": Leaf(sent=3), "ash": Leaf(sent=4)})
    assert rows(tree, "sent_total") == [(("oak",), 3), (("ash",), 4)]
    assert rows(tree, "half_ratio") == [(("oak",), 1.5), (("ash",), 2.0)]
    assert rows(Tree(), "sent_total") == []


def test_the_outermost_label_comes_first() -> None:
    assert rows(Tree(woods={"west": Wood({"oak": 7})}), "trees") == [(("west", "oak"), 7)]


def test_a_figure_in_a_record_within_is_read_from_there() -> None:
    (sent, _) = (found for found in series_of(Tree) if found.metric.name == "sent_total")
    assert list(sent.read(Tree(leaf=Leaf(sent=9)))) == [((), 9)]


def test_every_member_of_an_enum_has_a_figure() -> None:
    """Prometheus sees a counter grow only if it has seen it at 0."""
    assert rows(Tree(reasons={Reason.LOST: 2}), "lost_total") == [(("late",), 0), (("lost",), 2)]


def test_a_text_is_a_label_and_nothing_is_no_figure() -> None:
    assert rows(Tree(version="2"), "info") == [(("2",), 1)]
    assert rows(Tree(), "since_seconds") == []
    assert rows(Tree(since=0.0), "since_seconds") == [((), 0.0)]
    assert rows(Tree(pairs={("x", "y"): 1}), "pairs") == [(("x", "y"), 1)]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("wait_seconds", "seconds"),
        ("cpu_seconds_total", "seconds"),
        ("memory_bytes", "bytes"),
        ("used_ratio", "ratio"),
        ("sent_total", ""),
        ("seconds", ""),
    ],
)
def test_the_unit_is_in_the_name(name: str, unit: str) -> None:
    assert Metric(name, "").unit == unit
