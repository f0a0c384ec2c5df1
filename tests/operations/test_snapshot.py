"""A snapshot goes through JSON, and through Prometheus's format, and comes back."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser

from discordianai.conversations.accounting import Spent
from discordianai.conversations.store import Health
from discordianai.dispatch.statistics import DispatchStatistics, Outcome
from discordianai.latencies import BOUNDS, Latency, from_buckets
from discordianai.operations.metrics_file import from_metrics
from discordianai.operations.prometheus import make_registry
from discordianai.operations.snapshot import NotASnapshot, Snapshot, from_json, numbers, to_json
from discordianai.settings import Settings
from discordianai.transport.records import Statistics
from tests.operations.builders import provider, well

counts = st.integers(0, 2**40)
amounts = st.floats(0, 1e12)
latencies = st.builds(
    from_buckets, st.tuples(*[st.integers(0, 2**30)] * (len(BOUNDS) + 1)), st.floats(0, 1e9)
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Of a bot that may be in any state, as far as metrics tell of it."""
    chosen = draw(st.sets(st.sampled_from(("openai", "perplexity", "local-llm"))))
    model = draw(names)
    providers = {}
    for name in chosen:
        dispatch: DispatchStatistics = draw(
            st.builds(
                DispatchStatistics,
                in_flight=counts,
                waiting=counts,
                limit=counts,
                requests_left=st.one_of(st.floats(-1e6, 1e12), st.just(math.inf)),
                tokens_left=st.one_of(st.floats(-1e6, 1e12), st.just(math.inf)),
                waited=latencies,
                first_chunk=latencies,
                last_chunk=latencies,
                requests=counts,
                busiest=counts,
                requests_limit=st.one_of(amounts, st.just(math.inf)),
                models=st.just({}),
            )
        )
        figures = replace(provider(model), dispatch=replace(dispatch, models=provider(model).dispatch.models))
        spent = {model: draw(st.builds(Spent, answers=counts, cost=counts, unpriced=counts))}
        pool = draw(st.none() | st.builds(Statistics, st.integers(1, 1000), counts, protocols=st.just({})))
        providers[name] = replace(
            figures,
            pool=pool,
            spent={key: replace(s, input_tokens=0, output_tokens=0) for key, s in spent.items()},
        )
    return replace(
        well(),
        providers=providers,
        process=replace(well().process, version=draw(names), lag=draw(latencies)),
        discord=replace(
            well().discord,
            connected_since=draw(st.none() | amounts),
            unacknowledged={"late": draw(counts), "failed": draw(counts)},
            interactions=draw(st.dictionaries(names, counts, max_size=3)),
        ),
        health=Health(writable=draw(st.booleans()), kept=draw(counts), lost=draw(counts)),
    )


@given(snapshots())
def test_json_loses_nothing(snapshot: Snapshot) -> None:
    assert from_json(to_json(snapshot)) == snapshot


@given(snapshots())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_metrics_lose_nothing_that_they_are_to_tell(snapshot: Snapshot) -> None:
    text = generate_latest(make_registry(lambda: snapshot)).decode()
    assert from_metrics(text) == snapshot


def test_json_is_such_as_every_reader_takes() -> None:
    endless = replace(provider().dispatch, requests_left=math.inf)
    snapshot = well(providers={"openai": replace(provider(), dispatch=endless)})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    told = json.loads(to_json(snapshot), parse_constant=refuse)
    assert told["providers"]["openai"]["dispatch"]["requests_left"] == "Infinity"


def test_metrics_are_right_in_both_of_prometheus_formats() -> None:
    registry = make_registry(well)
    text = openmetrics.generate_latest(registry).decode()  # type: ignore[no-untyped-call]  # the library's
    families = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # the same
    names = {family.name for family in families}
    assert {"discordianai_requests", "discordianai_last_chunk_seconds", "process_cpu_seconds"} <= names


def test_a_snapshot_has_no_secret_and_nobodys_id() -> None:
    secret = {
        "discord": {"token": "hush-hush", "guild_ids": (1234567890123,), "admin_user_ids": (9876543210987,)},
        "providers": {"openai": {"api_key": "hush-hush"}},
    }
    told = to_json(well(settings=numbers(Settings.model_validate(secret)))).decode()
    for hidden in ("hush-hush", "1234567890123", "9876543210987"):
        assert hidden not in told


def test_the_pool_of_a_further_provider_is_told_where_nothing_is_written_of_it() -> None:
    """Advice holds what was used against it."""
    local = {"base_url": "http://x", "model": "m"}
    told = numbers(Settings.model_validate({"providers": {"local-llm": local}}))
    assert told["connection_pool.local-llm.max_connections"] == 20
    assert told["providers.local-llm.read_timeout"] == 60


def test_settings_are_told_by_the_keys_of_the_file() -> None:
    told = numbers(Settings())
    assert told["connection_pool.openai.max_connections"] == 50
    assert told["rate_limits.perplexity.requests_per_minute"] == 50
    assert told["providers.perplexity.read_timeout"] == 60
    assert "rate_limits.perplexity.tokens_per_minute" not in told


NO_SNAPSHOTS = [
    "",
    "{}",
    "[1, 2]",
    '{"process": {"version": 1}}',
    '{"process":' * 5000,
    "not metrics at all",
    '# TYPE a histogram\na_bucket{le="x"} 1\n',
    "up 1\n",
    "discordianai_info 1\n",
    'discordianai_info{version="1"} 1\n',
    'discordianai_info{version="1"} 1\ndiscordianai_provider_info{provider="nobody"} 1\n',
]


@pytest.mark.parametrize("text", NO_SNAPSHOTS)
def test_what_is_no_snapshot_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotASnapshot):
        from_json(text)
    with pytest.raises(NotASnapshot):
        from_metrics(text)


def test_a_histogram_with_other_buckets_is_left_out() -> None:
    text = generate_latest(make_registry(well)).decode()
    other = "\n".join(line for line in text.splitlines() if 'le="0.25"' not in line) + "\n"
    assert from_metrics(other).store.writes == Latency()
    assert from_metrics(other).store.commits == well().store.commits


def test_outcomes_are_told_apart_by_model() -> None:
    text = generate_latest(make_registry(well)).decode()
    assert (
        'discordianai_requests_total{model="gpt-5-mini",outcome="answered",provider="openai"} 998.0' in text
    )
    assert from_metrics(text).providers["openai"].dispatch.models["gpt-5-mini"].outcomes == {
        Outcome.ANSWERED: 998,
        Outcome.STOPPED: 2,
    }
