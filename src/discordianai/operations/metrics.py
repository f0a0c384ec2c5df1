"""Every metric of the bot, as declared in the records (see `discordianai.metric`), with its values; for
Prometheus, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from pydantic import ConfigDict, TypeAdapter

from discordianai.metric import BOUNDS, Kind, Latency, Row, Series, Unit, series_of
from discordianai.operations.health import HealthVerdict, judge
from discordianai.operations.snapshot import Snapshot

PREFIX = "discordianai_"


def declared() -> tuple[Series, ...]:
    """All metrics, in the order of the snapshot."""
    return series_of(Snapshot) + series_of(HealthVerdict)


def read(snapshot: Snapshot) -> Iterator[tuple[Series, Iterator[Row]]]:
    """Each metric with its values, possibly none."""
    verdict = judge(snapshot)
    yield from ((series, series.read(snapshot)) for series in series_of(Snapshot))
    yield from ((series, series.read(verdict)) for series in series_of(HealthVerdict))


def notable(now: Snapshot, before: Snapshot | None = None) -> tuple[str, ...]:
    """Notable metrics that are not 0, as in "Changes lost: 3"; with `before`, the increase since then."""
    found = []
    for series in series_of(Snapshot):
        if series.metric.notable:
            then = dict(series.read(before)) if before is not None else {}
            for labels, figure in series.read(now):
                grown = _number(figure) - _number(then.get(labels, 0))
                if grown > 0:
                    of = f" ({', '.join(labels)})" if labels else ""
                    found.append(f"{series.metric.help}{of}: {grown:,.0f}")
    return tuple(found)


def _number(figure: float | Latency) -> float:
    return figure.count if isinstance(figure, Latency) else figure


@dataclass(frozen=True, slots=True)
class _Sample:
    labels: Mapping[str, str]
    value: float | Latency


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    help: str
    kind: Kind
    unit: Unit
    samples: list[_Sample]


def to_json(snapshot: Snapshot) -> bytes:
    """The content of `/api/metrics`: the bot's metrics in `/metrics`, as JSON."""
    told = [
        _Told(
            PREFIX + series.metric.name,
            series.metric.help,
            series.kind,
            series.metric.unit,
            [_Sample(dict(zip(series.labels, labels, strict=True)), value) for labels, value in rows],
        )
        for series, rows in read(snapshot)
    ]
    return _adapter().dump_json(told)


@cache
def _adapter() -> TypeAdapter[list[_Told]]:
    return TypeAdapter(list[_Told], config=ConfigDict(ser_json_inf_nan="strings"))


_BUCKETS = (*(str(bound) for bound in BOUNDS), "+Inf")


class SnapshotCollector(Collector):
    """Takes a snapshot for each scrape; shows nothing while there is none."""

    def __init__(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        snapshot = self._snapshot()
        if snapshot is not None:
            for series, rows in read(snapshot):
                yield _family(series, rows)


def make_registry(snapshot: Callable[[], Snapshot | None]) -> CollectorRegistry:
    """What `/metrics` shows: the bot, its process, its Python."""
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def _family(series: Series, rows: Iterable[Row]) -> Metric:
    name, text, labels = PREFIX + series.metric.name, series.metric.help, series.labels
    if series.kind == "histogram":
        histogram = HistogramMetricFamily(name, text, labels=labels)
        for values, latency in rows:
            if isinstance(latency, Latency):
                buckets = list(zip(_BUCKETS, accumulate(latency.counts), strict=True))
                histogram.add_metric(values, buckets, latency.seconds)
        return histogram
    kind = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
    family = kind(name, text, labels=labels)
    for values, figure in rows:
        if not isinstance(figure, Latency):
            family.add_metric(values, figure)
    return family
