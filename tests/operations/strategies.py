"""Snapshots of bots in any state, for hypothesis."""

import math
from dataclasses import replace

from hypothesis import strategies as st

from discordianai.conversations.accounting import Spent
from discordianai.conversations.store import Health
from discordianai.discord.discord_statistics import Unacknowledged
from discordianai.dispatch.dispatcher_statistics import DispatchStatistics
from discordianai.metric import BOUNDS, from_buckets
from discordianai.operations.snapshot import Snapshot
from discordianai.transport.pool_events import Statistics
from tests.operations.builders import provider, well

counts = st.integers(0, 2**40)
amounts = st.floats(0, 1e12)
latencies = st.builds(
    from_buckets, st.tuples(*[st.integers(0, 2**30)] * (len(BOUNDS) + 1)), st.floats(0, 1e9)
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Of a bot that may be in any state."""
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
            unacknowledged={reason: draw(counts) for reason in Unacknowledged},
            interactions=draw(st.dictionaries(names, counts, max_size=3)),
        ),
        health=Health(writable=draw(st.booleans()), kept=draw(counts), lost=draw(counts)),
    )
