"""What Prometheus reads is what the snapshot says."""

from collections.abc import Iterator
from itertools import accumulate

from hypothesis import HealthCheck, Phase, given, settings
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from discordianai.conversations.accounting import NANO
from discordianai.dispatch.breaker import BreakerReason, BreakerState
from discordianai.dispatch.dispatcher_statistics import RequestOutcome
from discordianai.metric import BOUNDS, Latency
from discordianai.operations.metrics import make_registry
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot
from discordianai.transport.pool_events import Statistics
from tests.examples import examples
from tests.operations.builders import well
from tests.operations.strategies import snapshots

Samples = dict[tuple[object, ...], float]
"""By name, without the prefix, and the values of the labels in the order of their names."""


def exported(snapshot: Snapshot) -> Samples:
    text = generate_latest(make_registry(lambda: snapshot)).decode()
    return {
        (sample.name.removeprefix("discordianai_"), *(value for _, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def expected(snapshot: Snapshot) -> Iterator[tuple[tuple[object, ...], float]]:
    """One metric at least of every shape, and of every record."""
    yield ("info", snapshot.process.version), 1
    yield ("start_time_seconds",), snapshot.process.started_at
    yield ("cpu_seconds_total",), snapshot.process.cpu_seconds
    yield ("questions_answered_total",), snapshot.questions.answered
    yield ("store_writable",), snapshot.health.writable
    yield ("store_lost_changes_total",), snapshot.health.lost
    yield ("store_commits_total",), snapshot.store.commits
    yield ("discord_connected",), snapshot.discord.connected_since is not None
    yield from (
        (("discord_unacknowledged_total", reason), count)
        for reason, count in snapshot.discord.unacknowledged.items()
    )
    yield from (
        (("discord_interactions_total", kind), count) for kind, count in snapshot.discord.interactions.items()
    )
    yield from ((("setting", key), value) for key, value in snapshot.settings.items())
    yield from of_latency(("event_loop_lag_seconds", "trio"), snapshot.process.lag)
    yield from of_latency(("event_loop_lag_seconds", "asyncio"), snapshot.discord.lag)
    for name, provider in snapshot.providers.items():
        yield from of_provider(name, provider)
        yield from of_pool(name, provider.pool)
    yield from of_pool("discord", snapshot.discord_pool)


def of_provider(name: str, provider: ProviderSnapshot) -> Iterator[tuple[tuple[object, ...], float]]:
    dispatch = provider.dispatch
    yield ("provider_info", provider.label, provider.model, name), 1
    yield ("requests_in_flight", name), dispatch.in_flight
    yield ("requests_sent_total", name), dispatch.requests
    yield ("budget_requests_left", name), dispatch.requests_left
    yield ("budget_tokens", name), dispatch.tokens_limit
    for state in BreakerState:
        yield ("breaker_state", name, state.name.lower()), dispatch.breaker is state
    for reason in BreakerReason:
        yield ("breaker_reason", name, reason.value), dispatch.breaker_reason is reason
    yield ("breaker_next_probe_seconds", name), dispatch.next_probe
    yield ("provider_pause_seconds", name), dispatch.pause
    for model, figures in dispatch.models.items():
        yield ("tokens_total", "input", model, name), figures.input_tokens
        yield ("tokens_total", "output", model, name), figures.output_tokens
        for outcome in RequestOutcome:
            yield ("requests_total", model, outcome.value, name), figures.outcomes.get(outcome, 0)
    for model, spent in provider.spent.items():
        yield ("cost_total", model, name), spent.cost / NANO
        yield ("charged_answers_total", model, name), spent.answers
    yield from of_latency(("first_chunk_seconds", name), dispatch.first_chunk)


def of_pool(name: str, pool: Statistics | None) -> Iterator[tuple[tuple[object, ...], float]]:
    if pool is not None:
        yield ("pool_open_connections", name), pool.open_connections
        yield ("pool_utilisation_ratio", name), pool.utilisation


def of_latency(sample: tuple[str, str], latency: Latency) -> Iterator[tuple[tuple[object, ...], float]]:
    name, label = sample
    yield (f"{name}_count", label), latency.count
    yield (f"{name}_sum", label), latency.seconds
    for bound, reached in zip((*map(str, BOUNDS), "+Inf"), accumulate(latency.counts), strict=True):
        labels = sorted([("le", bound), ("loop" if label in {"trio", "asyncio"} else "provider", label)])
        yield (f"{name}_bucket", *(value for _, value in labels)), reached


@given(snapshots())
@settings(
    deadline=None,
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink a snapshot takes minutes
)
def test_metrics_tell_what_the_snapshot_tells(snapshot: Snapshot) -> None:
    """Whatever names and numbers are in it, and whatever is missing."""
    found = exported(snapshot)
    wanted = dict(expected(snapshot))
    assert {sample: found.get(sample) for sample in wanted} == wanted
    assert (("discord_connected_since_seconds",) in found) is (snapshot.discord.connected_since is not None)
    without_pool = {name for name, provider in snapshot.providers.items() if provider.pool is None}
    assert not [name for name in without_pool if ("pool_open_connections", name) in found]


def test_outcomes_are_told_apart_by_model_and_none_is_missing() -> None:
    """Prometheus sees a counter grow only if it has seen it at 0."""
    found = exported(well())
    assert found["requests_total", "gpt-5-mini", "answered", "openai"] == 998
    assert found["requests_total", "gpt-5-mini", "quota", "openai"] == 0
    assert found["discord_unacknowledged_total", "failed"] == 0


def test_metrics_are_right_in_both_of_prometheus_formats() -> None:
    """Its own, and OpenMetrics, whose parser is the stricter one."""
    registry = make_registry(well)
    text = openmetrics.generate_latest(registry).decode()  # type: ignore[no-untyped-call]  # the library's
    families = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # the same
    names = {family.name for family in families}
    assert {"discordianai_requests", "discordianai_last_chunk_seconds", "process_cpu_seconds"} <= names
