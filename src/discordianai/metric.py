"""How to declare a metric, on the field of the statistics record that holds its value; and latencies, as
histograms.

    @dataclass(frozen=True, slots=True)
    class DispatchStatistics:
        retries: Annotated[int, Metric("retries_total", "Requests sent again")] = 0

That is all: Prometheus, the status page and the table in the docs find it there, because they walk the types
of the records (`operations/metrics.py`). `/status` and `advise` name it where it is `notable` and not 0. This
module imports nothing of ours, so that any package may declare metrics. `transport/`, which imports no other
package, writes a tuple in place of `Metric`: the name and the help text.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import cache
from itertools import accumulate
from operator import attrgetter
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds: what a bucket holds at most. One more bucket has what took longer."""

KEPT = 1000
"""Of the latest ones, which the percentiles are taken from."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A snapshot. `counts` has each bucket's own, `seconds` is their sum; both since the start.

    The others are seconds, of the latest ones only, and 0 where there are none.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0

    @property
    def count(self) -> int:
        """The number of measurements."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Seconds; 0 where nothing was measured."""
        return self.seconds / self.count if self.count > 0 else 0.0

    def since(self, before: "Latency") -> "Latency":
        """What came after `before`, with percentiles as far as the buckets tell them."""
        counts = tuple(max(now - then, 0) for now, then in zip(self.counts, before.counts, strict=False))
        return from_buckets(counts, self.seconds - before.seconds)


def from_buckets(counts: tuple[int, ...], seconds: float) -> Latency:
    """A latency of which nothing else is known: each percentile is what its bucket holds at most."""
    reached, total = list(accumulate(counts)), sum(counts)
    bounds = (*BOUNDS, BOUNDS[-1])

    def quantile(part: float) -> float:
        bucket = bisect_left(reached, min(math.floor(part * total) + 1, total))
        return bounds[min(bucket, len(bounds) - 1)] if total > 0 else 0.0

    return Latency(counts, seconds, quantile(0.5), quantile(0.99), quantile(1.0))


class Latencies:
    """Collects latencies. For one thread, or under its owner's lock."""

    __slots__ = ("_counts", "_latest", "_seconds")

    def __init__(self, kept: int = KEPT) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._latest: deque[float] = deque(maxlen=kept)

    def note(self, seconds: float) -> None:
        """Record a latency in seconds."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds
        self._latest.append(seconds)

    def now(self) -> Latency:
        """The statistics at this moment."""
        counts = tuple(self._counts)
        if not self._latest:
            return Latency(counts, self._seconds)
        ordered = sorted(self._latest)
        last = len(ordered) - 1
        p99 = min(math.floor(len(ordered) * 0.99), last)
        return Latency(counts, self._seconds, ordered[len(ordered) // 2], ordered[p99], ordered[last])


Kind = Literal["counter", "gauge", "histogram"]
Unit = Literal["seconds", "bytes", "ratio", ""]
UNITS: tuple[Unit, ...] = ("seconds", "bytes", "ratio")

Row = tuple[tuple[str, ...], float | Latency]
"""Label values in the order of the labels, and the figure."""

Declared = Mapping[Any, float | Latency] | str | float | Latency | None
"""What a field or property with a metric may hold."""


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` follows Prometheus's rules (https://prometheus.io/docs/practices/naming/), without the prefix
    `discordianai_`: `_total` ends what only grows, before it stands the base unit.

    A mapping has one figure for each of its keys: `labels` names them, several where the keys are tuples. An
    enum's members all have one, also those that the mapping lacks. A text is the value of its label, and has
    the figure 1. None has no figure. `/status` and `advise` tell what is `notable` wherever it is not 0.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    notable: bool = False

    @property
    def unit(self) -> Unit:
        """The base unit in its name; "" for what is only counted."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in UNITS if stem.endswith(f"_{unit}")), "")


@dataclass(frozen=True, slots=True)
class By:
    """Marks a mapping of records: their metrics have this label, with the mapping's keys as its values."""

    label: str


@dataclass(frozen=True, slots=True)
class Series:
    """A metric as it was found in a record, perhaps far below it: with all labels, the outermost first.

    `read` takes such a record.
    """

    metric: Metric
    kind: Kind
    labels: tuple[str, ...]
    read: Callable[[object], Iterator[Row]]


@cache
def series_of(record: type) -> tuple[Series, ...]:
    """Every metric that a record's type declares, on its fields and properties, and on the records in it.

    A record is searched where a field or property is of its type; those of a mapping, where `By` marks it.
    """
    return tuple(series for name, hint in _hints(record) for series in _declared(name, hint))


def _hints(record: type) -> Iterator[tuple[str, object]]:
    yield from get_type_hints(record, include_extras=True).items()
    for name, member in vars(record).items():
        if isinstance(member, property):
            yield name, get_type_hints(member.fget, include_extras=True).get("return")


def _declared(name: str, hint: object) -> Iterator[Series]:
    marks: tuple[object, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        marks = tuple(more)
    get = attrgetter(name)
    for mark in marks:
        if isinstance(mark, Metric | tuple):
            yield _own(get, hint, mark if isinstance(mark, Metric) else Metric(*mark))
        elif isinstance(mark, By):
            yield from (_of_each(get, mark.label, series) for series in series_of(get_args(hint)[1]))
    if not marks and isinstance(hint, type) and is_dataclass(hint):
        yield from (_inside(get, series) for series in series_of(hint))


def _own(get: Callable[[Any], Any], hint: object, metric: Metric) -> Series:
    keys, value = get_args(hint) if get_origin(hint) is Mapping else (str, hint)
    members = tuple(keys) if isinstance(keys, type) and issubclass(keys, Enum) else ()
    kind: Kind = "gauge"
    if metric.name.endswith("_total"):
        kind = "counter"
    elif value is Latency:
        kind = "histogram"
    return Series(metric, kind, metric.labels, lambda record: _rows(get(record), members))


def _rows(value: Declared, members: tuple[Enum, ...]) -> Iterator[Row]:
    if isinstance(value, Mapping):
        for key in members or value:
            labels = key if isinstance(key, tuple) else (str(key),)
            yield labels, value.get(key, 0)
    elif isinstance(value, str):
        yield (value,), 1
    elif value is not None:
        yield (), value


def _inside(get: Callable[[Any], Any], series: Series) -> Series:
    return Series(series.metric, series.kind, series.labels, lambda record: series.read(get(record)))


def _of_each(get: Callable[[Any], Any], label: str, series: Series) -> Series:
    def read(record: object) -> Iterator[Row]:
        for key, each in get(record).items():
            for labels, figure in series.read(each):
                yield (str(key), *labels), figure

    return Series(series.metric, series.kind, (label, *series.labels), read)
