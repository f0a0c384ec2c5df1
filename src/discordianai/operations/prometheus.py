"""The snapshot as Prometheus metrics. `docs/monitoring.md` tells what to make of them."""

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

from discordianai.conversations.accounting import NANO
from discordianai.discord.figures import Unacknowledged
from discordianai.dispatch.breaker import BreakerState
from discordianai.dispatch.statistics import Outcome
from discordianai.latencies import BOUNDS, Latency
from discordianai.operations.health import judge
from discordianai.operations.metric_table import GROUPS, PREFIX, Figure, Group, Kind
from discordianai.operations.snapshot import Snapshot

Rows = Iterable[tuple[tuple[str, ...], float]]
"""Label values in the order of the labels, each with a figure."""

_BUCKETS = (*(str(bound) for bound in BOUNDS), "+Inf")


class SnapshotCollector(Collector):
    """Takes a snapshot for each scrape; shows nothing while there is none."""

    def __init__(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        snapshot = self._snapshot()
        if snapshot is not None:
            yield from families(snapshot)


def make_registry(snapshot: Callable[[], Snapshot | None]) -> CollectorRegistry:
    """What `/metrics` shows: the bot, its process, its Python."""
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Every metric of the bot's own."""
    for group in GROUPS:
        records = group.records(snapshot)
        for figure in group.figures:
            yield _family(
                group, figure, {key: getattr(record, figure.field) for key, record in records.items()}
            )
    yield from _of_process(snapshot)
    yield from _of_providers(snapshot)
    yield from _of_discord(snapshot)


def _family(group: Group, figure: Figure, values: dict[str, float | Latency]) -> Metric:
    labels = [group.label] if group.label else []
    rows = [((key,) if labels else (), value) for key, value in values.items()]
    if figure.kind is Kind.HISTOGRAM:
        return _histogram(
            figure.metric,
            figure.text,
            labels,
            [(key, value) for key, value in rows if isinstance(value, Latency)],
        )
    numbers = [(key, value) for key, value in rows if not isinstance(value, Latency)]
    return (_counter if figure.kind is Kind.COUNTER else _gauge)(figure.metric, figure.text, labels, numbers)


def _of_process(snapshot: Snapshot) -> Iterator[Metric]:
    version = [((snapshot.process.version,), 1.0)]
    yield _gauge("info", "Always 1; the version is in the label", ["version"], version)
    yield _gauge(
        "ready", "1 while the bot can answer, as /health/ready says", [], [((), judge(snapshot).ready)]
    )
    settings = [((key,), value) for key, value in snapshot.settings.items()]
    yield _gauge("setting", "A number of settings.toml, by its key", ["key"], settings)


def _of_providers(snapshot: Snapshot) -> Iterator[Metric]:
    providers = [*snapshot.providers.items()]
    yield _gauge(
        "provider_info",
        "Always 1; what people call it and the model that answers by default are in the labels",
        ["provider", "label", "model"],
        [((name, provider.label, provider.model), 1.0) for name, provider in providers],
    )
    yield _gauge(
        "breaker_state",
        "1 at the state that the circuit breaker is in",
        ["provider", "state"],
        [
            ((name, state.name.lower()), float(provider.dispatch.breaker is state))
            for name, provider in providers
            for state in BreakerState
        ],
    )
    models = [
        (name, model, figures)
        for name, provider in providers
        for model, figures in provider.dispatch.models.items()
    ]
    yield _counter(
        "requests",
        "Requests that have ended, by what became of them",
        ["provider", "model", "outcome"],
        [
            ((name, model, outcome.value), figures.outcomes.get(outcome, 0))
            for name, model, figures in models
            for outcome in Outcome
        ],
    )
    yield _counter(
        "tokens",
        "Tokens that the provider has counted",
        ["provider", "model", "direction"],
        [
            ((name, model, direction), count)
            for name, model, figures in models
            for direction, count in (("input", figures.input_tokens), ("output", figures.output_tokens))
        ],
    )
    spent = [((name, model), sum_) for name, provider in providers for model, sum_ in provider.spent.items()]
    labels = ["provider", "model"]
    yield _counter(
        "cost",
        "What was charged, in the currency of the prices",
        labels,
        [(key, sum_.cost / NANO) for key, sum_ in spent],
    )
    yield _counter("charged_answers", "Answers that were charged", labels, [(k, s.answers) for k, s in spent])
    yield _counter("unpriced_answers", "Those without a price", labels, [(k, s.unpriced) for k, s in spent])


def _of_discord(snapshot: Snapshot) -> Iterator[Metric]:
    discord = snapshot.discord
    since = discord.connected_since
    yield _gauge("discord_connected", "1 while there is a gateway", [], [((), float(since is not None))])
    connected = [((), since)] if since is not None else []
    yield _gauge("discord_connected_since_seconds", "Since when, since the epoch", [], connected)
    yield _counter(
        "discord_unacknowledged",
        "Acknowledgements that Discord did not take",
        ["reason"],
        [((reason.value,), discord.unacknowledged.get(reason.value, 0)) for reason in Unacknowledged],
    )
    yield _counter(
        "discord_interactions",
        "Interactions, by what was decided",
        ["kind"],
        [((kind,), count) for kind, count in discord.interactions.items()],
    )


def _gauge(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, figure in rows:
        family.add_metric(values, figure)
    return family


def _counter(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, figure in rows:
        family.add_metric(values, figure)
    return family


def _histogram(
    name: str, text: str, labels: list[str], rows: Iterable[tuple[tuple[str, ...], Latency]]
) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
    for values, latency in rows:
        buckets = list(zip(_BUCKETS, accumulate(latency.counts), strict=True))
        family.add_metric(values, buckets, latency.seconds)
    return family
