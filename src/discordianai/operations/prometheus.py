"""Every metric in Prometheus's text format, as `/metrics` shows it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from discordianai.latencies import BOUNDS, Latency
from discordianai.metric import Row, Series
from discordianai.operations.metrics import PREFIX, read
from discordianai.operations.snapshot import Snapshot

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
