"""How long something took: buckets that add up, and percentiles of the latest."""

from hypothesis import given
from hypothesis import strategies as st

from discordianai.metric import BOUNDS, Latencies, Latency

seconds = st.lists(st.floats(0, 1000), max_size=60)


def of(values: list[float], kept: int = 1000) -> Latency:
    measured = Latencies(kept)
    for value in values:
        measured.note(value)
    return measured.now()


@given(seconds)
def test_each_is_counted_once_in_the_bucket_that_holds_it(values: list[float]) -> None:
    latency = of(values)
    assert latency.count == len(values)
    for number, bound in enumerate(BOUNDS):
        assert sum(latency.counts[: number + 1]) == sum(value <= bound for value in values)


@given(seconds, seconds)
def test_what_came_since_is_what_came_since(earlier: list[float], later: list[float]) -> None:
    since = of(earlier + later).since(of(earlier))
    assert since.counts == of(later).counts
    assert since.count == len(later)
    # Nothing but the buckets is known of it: each percentile is at most a bucket too high.
    bounds = (*BOUNDS, BOUNDS[-1])
    for field in ("p50", "p99", "longest"):
        true = getattr(of(later), field)
        assert getattr(since, field) == (bounds[sum(bound < true for bound in BOUNDS)] if later else 0.0)


def test_percentiles_are_of_the_latest_only() -> None:
    latency = of([50.0] * 10 + [1.0] * 5, kept=5)
    assert (latency.p50, latency.p99, latency.longest) == (1.0, 1.0, 1.0)
    assert latency.count == 15
    assert latency.mean == 505 / 15


def test_one_slow_one_in_a_hundred_is_the_ninety_ninth_percentile() -> None:
    latency = of([0.01] * 99 + [7.0])
    assert (latency.p50, latency.p99, latency.longest) == (0.01, 7.0, 7.0)


def test_nothing_took_no_time() -> None:
    assert (of([]).p50, of([]).mean, of([]).since(of([])).p99) == (0.0, 0.0, 0.0)
