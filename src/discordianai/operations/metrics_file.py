"""Reads a snapshot out of what `/metrics` has shown: the way back of `metrics`.

What was not exported, as by a bot of another version, is as nothing: its default.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

from discordianai.conversations.accounting import NANO
from discordianai.dispatch.breaker import BreakerState
from discordianai.latencies import BOUNDS, Latency, from_buckets
from discordianai.operations import metric_table
from discordianai.operations.metric_table import PREFIX, Figure, Group, Kind
from discordianai.operations.snapshot import NotASnapshot, Snapshot, from_document

Labels = Mapping[str, str]
Document = dict[str, object]
"""A record of the snapshot, or a part of one, by its fields."""


def from_metrics(text: str) -> Snapshot:
    """Raises `NotASnapshot`."""
    try:
        samples = _Samples(text)
    except Exception as error:  # whatever a parser meets in whatever text
        raise NotASnapshot(f"it is not in Prometheus's text format ({type(error).__name__})") from None
    versions = samples.by_label("info", "version")
    if not versions:
        raise NotASnapshot("it has no metrics of this bot")
    lags = {loop: samples.latency("event_loop_lag_seconds", {"loop": loop}) for loop in ("trio", "asyncio")}
    process = samples.record(metric_table.PROCESS)
    return from_document(
        {
            "process": {**process, "version": next(iter(versions)), "lag": lags["trio"]},
            "providers": dict(_providers(samples)),
            "discord": {**_discord(samples), "lag": lags["asyncio"]},
            "discord_pool": _pool(samples, "discord"),
            "health": samples.record(metric_table.HEALTH),
            "store": samples.record(metric_table.STORE),
            "questions": samples.record(metric_table.QUESTIONS),
            "settings": samples.by_label("setting", "key"),
        }
    )


class _Samples:
    """What was exported, by name. Names are without the prefix."""

    def __init__(self, text: str) -> None:
        self._samples: defaultdict[str, list[tuple[Labels, float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name.removeprefix(PREFIX)].append((sample.labels, sample.value))

    def of(self, name: str, labels: Labels) -> Iterator[tuple[Labels, float]]:
        """Those that have these labels among theirs."""
        for found, value in self._samples[name]:
            if labels.items() <= found.items():
                yield found, value

    def by_label(self, name: str, label: str, labels: Labels | None = None) -> dict[str, float]:
        """The values of one label, each with its figure."""
        return {found[label]: value for found, value in self.of(name, labels or {}) if label in found}

    def latency(self, name: str, labels: Labels) -> Latency:
        """A histogram; nothing where its buckets are others than ours."""
        buckets = sorted((float(found["le"]), value) for found, value in self.of(f"{name}_bucket", labels))
        if tuple(bound for bound, _ in buckets[:-1]) != BOUNDS:
            return Latency()
        reached = [0, *(int(value) for _, value in buckets)]
        counts = tuple(now - before for before, now in pairwise(reached))
        return from_buckets(counts, sum(value for _, value in self.of(f"{name}_sum", labels)))

    def record(self, group: Group, key: str = "") -> Document:
        """The fields of one record, as far as they were exported."""
        labels = {group.label: key} if group.label else {}
        found = {figure.field: self._figure(figure, labels) for figure in group.figures if not figure.derived}
        return {field: value for field, value in found.items() if value is not None}

    def _figure(self, figure: Figure, labels: Labels) -> float | Latency | None:
        if figure.kind is Kind.HISTOGRAM:
            return self.latency(figure.metric, labels)
        name = f"{figure.metric}_total" if figure.kind is Kind.COUNTER else figure.metric
        return next((value for _, value in self.of(name, labels)), None)


def _providers(samples: _Samples) -> Iterator[tuple[str, Document]]:
    for found, _ in samples.of("provider_info", {}):
        name = found.get("provider", "")
        labels = {"provider": name}
        states = samples.by_label("breaker_state", "state", labels)
        state = max(states, key=lambda state: states[state], default="closed")
        dispatch = samples.record(metric_table.DISPATCH, name)
        models = {
            model: _model(samples, name, model) for model in samples.by_label("tokens_total", "model", labels)
        }
        yield (
            name,
            {
                "label": found.get("label", name),
                "model": found.get("model", ""),
                "pool": _pool(samples, name),
                "dispatch": {**dispatch, "breaker": BreakerState(state.replace("_", " ")), "models": models},
                "spent": {
                    model: _spent(samples, name, model)
                    for model in samples.by_label("cost_total", "model", labels)
                },
            },
        )


def _model(samples: _Samples, provider: str, model: str) -> Document:
    labels = {"provider": provider, "model": model}
    tokens = samples.by_label("tokens_total", "direction", labels)
    outcomes = samples.by_label("requests_total", "outcome", labels)
    return {
        "outcomes": {outcome: count for outcome, count in outcomes.items() if count},
        "input_tokens": tokens.get("input", 0),
        "output_tokens": tokens.get("output", 0),
    }


def _spent(samples: _Samples, provider: str, model: str) -> Document:
    labels = {"provider": provider, "model": model}

    def total(name: str) -> float:
        return sum(value for _, value in samples.of(name, labels))

    return {
        "answers": total("charged_answers_total"),
        "cost": round(total("cost_total") * NANO),
        "unpriced": total("unpriced_answers_total"),
    }


def _pool(samples: _Samples, name: str) -> Document | None:
    return samples.record(metric_table.POOLS, name) or None


def _discord(samples: _Samples) -> Document:
    since = [value for _, value in samples.of("discord_connected_since_seconds", {})]
    return {
        **samples.record(metric_table.DISCORD),
        "connected_since": since[0] if since else None,
        "unacknowledged": samples.by_label("discord_unacknowledged_total", "reason"),
        "interactions": samples.by_label("discord_interactions_total", "kind"),
    }
