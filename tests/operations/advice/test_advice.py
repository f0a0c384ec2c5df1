"""Each finding comes when it should, and only then; what is advised is right."""

import math
from dataclasses import asdict, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from discordianai.conversations.store import Health
from discordianai.discord.audit_log import AlwaysRefused, AuditStatistics, RefusalCause
from discordianai.discord.discord_statistics import Unacknowledged
from discordianai.discord.shard_statistics import ShardStatistics
from discordianai.dispatch.breaker import BreakerReason, BreakerState
from discordianai.dispatch.dispatcher_statistics import DispatchStatistics, ModelStatistics, RequestOutcome
from discordianai.operations.advice import SettingChange, advise, as_markdown, as_text, period
from discordianai.operations.advice.bot_rules import BOT_RULES
from discordianai.operations.advice.provider_rules import PROVIDER_RULES
from discordianai.operations.advice.recommendation import Use
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot, from_json, to_json
from tests.examples import examples
from tests.operations.builders import HOUR, STARTED, latency, provider, well

OPENAI = "openai"
KEY = "connection_pool.openai."


def with_dispatch(**changes: object) -> Snapshot:
    """OpenAI's dispatcher has these figures, all else is well."""
    dispatch: DispatchStatistics = replace(provider().dispatch, **changes)  # type: ignore[arg-type]  # by name
    return with_provider(dispatch=dispatch)


def with_provider(**changes: object) -> Snapshot:
    figures: ProviderSnapshot = replace(provider(), **changes)  # type: ignore[arg-type]  # by name
    return well(providers={**well().providers, OPENAI: figures})


def with_outcomes(**counts: int) -> Snapshot:
    outcomes = {RequestOutcome(name): count for name, count in counts.items()}
    return with_dispatch(models={"gpt-5-mini": ModelStatistics(outcomes)}, requests=sum(counts.values()))


def with_settings(snapshot: Snapshot, **changes: float | None) -> Snapshot:
    """Keys with a double underscore for each dot."""
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    kept = {**snapshot.settings, **changed}
    return replace(snapshot, settings={key: value for key, value in kept.items() if value is not None})


def with_discord(**changes: object) -> Snapshot:
    return well(discord=replace(well().discord, **changes))  # type: ignore[arg-type]  # by name


FULL, EMPTY = [ShardStatistics(1.0, servers=2100)] * 2, [ShardStatistics(1.0, servers=4)] * 2


def with_shards(*shards: ShardStatistics) -> Snapshot:
    """All shards of a bot, as its counter sums them up."""
    since = 1.0 if all(shard.connected for shard in shards) else None
    return with_discord(connected_since=since, shards=dict(enumerate(shards)), shard_total=len(shards))


def with_refusals(kind: str) -> Snapshot:
    """Somebody is refused all the time."""
    one = AlwaysRefused(kind, "id-0123456789ab", 240, STARTED, RefusalCause.ACCESS)
    return with_discord(audit=AuditStatistics({RefusalCause.ACCESS: 240}, {}, (one,)))


def with_store(**changes: object) -> Snapshot:
    return well(store=replace(well().store, **changes))  # type: ignore[arg-type]  # by name


def with_pool(
    busiest: int = 8, seconds: float = HOUR, requests: int = 1002, opened: int = 60, lost: int = 0
) -> Snapshot:
    pool = provider().pool
    assert pool is not None
    dispatch = replace(provider().dispatch, busiest=busiest, requests=requests)
    snapshot = with_provider(
        pool=replace(pool, connections_opened=opened, connections_lost=lost), dispatch=dispatch
    )
    return replace(snapshot, process=replace(snapshot.process, taken_at=STARTED + seconds))


def with_perplexity(requests_limit: float, **changes: object) -> Snapshot:
    """An agent in OpenAI's place."""
    figures = with_dispatch(requests_limit=requests_limit, **changes).providers[OPENAI]
    return with_provider(dispatch=figures.dispatch, label="Perplexity", dialect="agent")


WAITS = latency({0.5: 900, 4.0: 100})
CALM = latency({0.0005: 1000})
FULL_AT_THE_BUDGET = {"last_chunk": latency({4.0: 1000}), "busiest": 45, "in_flight": 45}

TABLE: list[tuple[str, Snapshot, str, tuple[SettingChange, ...], Snapshot]] = [
    (
        "the pool is full",
        with_dispatch(busiest=47, last_chunk=latency({9.0: 1000})),
        "pool of OpenAI is nearly full",
        (SettingChange(KEY + "max_connections", "50", "75"),),
        with_dispatch(busiest=40),
    ),
    (
        "the pool is full, and the budget carries little more",
        with_dispatch(busiest=48, last_chunk=latency({6.6: 1000})),
        "pool of OpenAI is nearly full",
        (SettingChange(KEY + "max_connections", "50", "55"),),
        # It carries 500 a minute, of 4 s each: 33 at once.
        with_dispatch(busiest=48, last_chunk=latency({4.0: 1000})),
    ),
    (
        "questions wait, the pool is not full, the budget hardly used",
        with_dispatch(waited=WAITS, requests_left=450),
        "wait for OpenAI, although its budget is hardly used",
        (SettingChange("rate_limits.openai.requests_per_minute", "500", "1000"),),
        with_dispatch(waited=CALM, requests_left=450),
    ),
    (
        "questions wait for the budget of tokens",
        with_dispatch(waited=WAITS, tokens_left=1_000),
        "wait for the budget of OpenAI",
        (SettingChange("rate_limits.openai.tokens_per_minute", "200000", "400000"),),
        with_dispatch(waited=latency({4.0: 19}), tokens_left=1_000),
    ),
    (
        "questions wait for what a tier of Perplexity's allows",
        with_perplexity(50, waited=WAITS, requests_left=1),
        "A higher tier of the account with Perplexity would shorten the queue",
        (
            SettingChange("rate_limits.openai.requests_per_minute", "500", "150"),
            SettingChange("rate_limits.openai.burst", "not set", "3"),
        ),
        with_perplexity(50, waited=CALM, requests_left=1),
    ),
    (
        "questions wait for a budget that the provider has told",
        with_dispatch(waited=WAITS, requests_left=2, requests_limit=600),
        "wait for the budget of OpenAI",
        (),
        with_dispatch(waited=CALM, requests_left=2, requests_limit=600),
    ),
    (
        "the slots are full because the budget carries no more",
        with_dispatch(waited=WAITS, requests_left=3, **FULL_AT_THE_BUDGET),
        "wait for the budget of OpenAI",
        (SettingChange("rate_limits.openai.requests_per_minute", "500", "1000"),),
        with_dispatch(waited=CALM, requests_left=3, **FULL_AT_THE_BUDGET),
    ),
    (
        "429s, by the settings",
        with_dispatch(rate_limited=20),
        "OpenAI rejects too many requests",
        (SettingChange("rate_limits.openai.requests_per_minute", "500", "400"),),
        with_dispatch(rate_limited=4),
    ),
    (
        "429s, although the provider's own limit is kept",
        with_dispatch(rate_limited=20, requests_limit=3000),
        "OpenAI rejects too many requests",
        (SettingChange("rate_limits.openai.burst", "not set", "300"),),
        with_dispatch(rate_limited=2, requests_limit=3000),
    ),
    (
        "429s, although bursts are capped",
        with_settings(
            with_dispatch(rate_limited=20, requests_limit=3000, busiest=30), rate_limits__openai__burst=50
        ),
        "OpenAI rejects too many requests",
        (SettingChange(KEY + "max_connections", "50", "25"),),
        well(),
    ),
    (
        "requests time out before the first word",
        replace(
            with_outcomes(answered=900, timed_out=40),
            settings={
                **well().settings,
                "providers.openai.first_token_timeout": 20.0,
                "providers.openai.read_timeout": 5.0,
            },
            providers={
                OPENAI: replace(
                    provider(),
                    dispatch=replace(
                        provider().dispatch,
                        models={
                            "m": ModelStatistics({RequestOutcome.ANSWERED: 900, RequestOutcome.TIMED_OUT: 40})
                        },
                        first_chunk=latency({1.0: 900, 11.0: 40}),
                    ),
                )
            },
        ),
        "OpenAI is often too slow",
        (SettingChange("providers.openai.first_token_timeout", "20", "30"),),
        with_outcomes(answered=980, timed_out=10),
    ),
    (
        "requests time out in the midst",
        with_outcomes(answered=900, timed_out=40),
        "OpenAI is often too slow",
        (SettingChange("providers.openai.read_timeout", "45", "70"),),
        with_outcomes(answered=900, timed_out=2),
    ),
    (
        "connections are lost",
        with_outcomes(answered=900, connection_lost=20, cut=20),
        "Connections to OpenAI are often lost",
        (SettingChange(KEY + "ping_interval", "15", "5"),),
        with_outcomes(answered=980, connection_lost=10),
    ),
    (
        "connections are opened again and again, as few are kept",
        with_settings(with_pool(busiest=40, opened=800), connection_pool__openai__max_keepalive=2),
        "opened again and again",
        (SettingChange(KEY + "max_keepalive", "2", "4"),),
        with_pool(busiest=40, opened=100),
    ),
    (
        "connections are opened again and again, as they are not kept for long",
        with_pool(busiest=1, requests=40, opened=36),
        "opened again and again",
        (SettingChange(KEY + "keepalive_expiry", "60", "270"),),
        # So few questions that no connection is worth keeping.
        with_pool(busiest=1, requests=40, opened=36, seconds=40 * HOUR),
    ),
    (
        "the circuit breaker is open",
        with_dispatch(breaker=BreakerState.OPEN, breaker_reason=BreakerReason.QUOTA, next_probe=15.0),
        "The circuit breaker of OpenAI is open",
        (),
        with_dispatch(breaker=BreakerState.CLOSED),
    ),
    (
        "the queue was full",
        with_dispatch(refused=5, queue_full=5),
        "The queue of OpenAI was full",
        (SettingChange("dispatch.queue_size", "200", "400"),),
        with_dispatch(refused=5),
    ),
    (
        "the key is wrong",
        with_outcomes(authentication=1),
        "OpenAI does not accept the key",
        (SettingChange("providers.openai.api_key", "the one that is set", "one that is valid"),),
        with_outcomes(answered=1),
    ),
    (
        "the account has no credit left",
        with_outcomes(quota=1),
        "account with OpenAI has no credit left",
        (),
        well(),
    ),
    (
        "requests are refused as wrong",
        with_outcomes(answered=50, bad_request=10),
        "OpenAI rejects requests as invalid",
        (),
        with_outcomes(answered=500, bad_request=10),
    ),
    (
        "the model is gone",
        with_outcomes(answered=50, model_not_found=1),
        "OpenAI does not give this account the model",
        (SettingChange("providers.openai.model", "gpt-5-mini", "one that the account may use"),),
        with_outcomes(answered=500, malformed=1),
    ),
    (
        "the account may not use the model",
        with_outcomes(permission=1),
        "OpenAI does not give this account the model",
        (SettingChange("providers.openai.model", "gpt-5-mini", "one that the account may use"),),
        with_outcomes(answered=1),
    ),
    (
        "the address is wrong",
        with_outcomes(endpoint_not_found=3),
        "OpenAI has nothing at this address",
        (),
        with_outcomes(answered=1),
    ),
    (
        "questions are not protected",
        well(questions=replace(well().questions, unprotected=30)),
        "not protected against a crash",
        (SettingChange("conversations.database", "where it is", "a path on a faster disk"),),
        well(questions=replace(well().questions, unprotected=2)),
    ),
    (
        "the store is slow",
        with_store(writes=latency({0.004: 900, 0.3: 100})),
        "The database is slow",
        (SettingChange("conversations.database", "where it is", "a path on a faster disk"),),
        with_store(writes=latency({0.004: 900, 0.09: 100})),
    ),
    (
        "a store on a server is slow",
        with_store(engine="PostgreSQL", writes=latency({0.004: 900, 0.3: 100})),
        "The database is slow",
        (),
        with_store(engine="PostgreSQL", writes=latency({0.004: 900, 0.09: 100})),
    ),
    (
        "words cross a network in the clear",
        with_store(engine="PostgreSQL", unencrypted=True),
        "The connection to the database is not encrypted",
        (),
        with_store(engine="PostgreSQL"),
    ),
    (
        "the store takes nothing",
        well(health=Health(writable=False, reason="the disk is full", kept=7)),
        "The database accepts no writes",
        (),
        well(),
    ),
    ("a person is refused all the time", with_refusals("person"), "A person is always refused", (), well()),
    ("a server is refused all the time", with_refusals("server"), "id-0123456789ab", (), well()),
    ("changes were lost", well(health=Health(lost=7)), "Changes to the database were lost", (), well()),
    (
        "the cache is too small",
        with_store(cached_bytes=16 * 2**20, cache_hits=1000, cache_misses=4000),
        "The conversation cache is too small",
        (SettingChange("conversations.cache_megabytes", "16", "32"),),
        with_store(cached_bytes=2**20, cache_hits=1000, cache_misses=4000),
    ),
    (
        "the cache takes much memory",
        with_settings(
            replace(
                with_store(cached_bytes=400 * 2**20),
                process=replace(well().process, memory_bytes=600 * 2**20),
            ),
            conversations__cache_megabytes=400.0,
        ),
        "The bot uses a lot of memory",
        (SettingChange("conversations.cache_megabytes", "400", "200"),),
        well(process=replace(well().process, memory_bytes=500 * 2**20)),
    ),
    (
        "memory that no setting explains",
        well(process=replace(well().process, memory_bytes=600 * 2**20)),
        "The bot uses a lot of memory",
        (),
        well(),
    ),
    (
        "the machine is too slow",
        well(process=replace(well().process, lag=latency({0.0005: 900, 0.4: 100}))),
        "The machine is too slow",
        (),
        well(process=replace(well().process, lag=latency({0.4: 90}))),
    ),
    (
        "acknowledgements come late",
        with_discord(unacknowledged={Unacknowledged.LATE: 40, Unacknowledged.FAILED: 3}),
        "Discord rejects some acknowledgements",
        (),
        with_discord(unacknowledged={Unacknowledged.LATE: 10}),
    ),
    (
        "there is no gateway",
        with_discord(connected_since=None, shards={0: ShardStatistics()}),
        "The Discord gateway is not connected",
        (),
        replace(
            with_discord(connected_since=None, shards={}), process=replace(well().process, stopping=True)
        ),
    ),
    (
        "a shard is nearly full",
        with_shards(ShardStatistics(1.0, servers=2100)),
        "The bot needs more shards soon",
        (SettingChange("discord.shards", "1", '"auto"'),),
        with_shards(ShardStatistics(1.0, servers=1900)),
    ),
    (
        "shards have few servers",
        with_shards(*[ShardStatistics(1.0, servers=4)] * 16),
        "The bot has more shards than it needs",
        (SettingChange("discord.shards", "16", "1"),),
        with_shards(*[ShardStatistics(1.0, servers=700)] * 16),
    ),
    (
        "a shard of one process of several is nearly full",
        with_discord(connected_since=1.0, shards=dict(enumerate(FULL)), shard_total=4),
        "The bot needs more shards soon",
        (),
        with_discord(connected_since=1.0, shards=dict(enumerate(EMPTY)), shard_total=4),
    ),
    (
        "one of four shards is not connected",
        with_shards(*[ShardStatistics(1.0, servers=700)] * 3, ShardStatistics(trouble="it was refused")),
        "Some shards are not connected",
        (),
        with_shards(*[ShardStatistics(1.0, servers=700)] * 4),
    ),
    (
        "the gateway is lost again and again",
        with_discord(losses=30),
        "The Discord gateway is lost again and again",
        (),
        with_discord(losses=9),
    ),
]


@pytest.mark.parametrize(
    ("ill", "title", "changes", "not_quite"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_a_finding_comes_when_it_should_and_not_otherwise(
    ill: Snapshot, title: str, changes: tuple[SettingChange, ...], not_quite: Snapshot
) -> None:
    found = [finding for finding in advise(ill) if title in finding.title]
    assert [finding.changes for finding in found] == [changes]
    assert all(any(character.isdigit() for character in finding.figures) for finding in found)
    assert advise(not_quite) == ()


WELL_ENOUGH = {
    "all is well": well(),
    "nobody has asked yet": well(providers={}),
    "a server ends each connection itself": with_pool(busiest=1, requests=40, opened=36, lost=30),
    "waits, in a line that is not measured": with_settings(
        with_dispatch(waited=WAITS, requests_limit=math.inf, tokens_limit=math.inf)
    ),
}


@pytest.mark.parametrize("snapshot", WELL_ENOUGH.values(), ids=WELL_ENOUGH)
def test_a_bot_that_is_well_needs_no_change(snapshot: Snapshot) -> None:
    assert advise(snapshot) == ()


@pytest.mark.parametrize(
    ("limit", "changes"),
    [
        (50, {"dialect": "responses"}),
        (2000, {"dialect": "agent"}),
        (math.inf, {"dialect": "agent"}),
    ],
)
def test_no_tier_is_named_where_none_helps(limit: float, changes: dict[str, str]) -> None:
    """The table is Perplexity's; beyond its end there is nothing to buy."""
    dispatch = replace(provider().dispatch, waited=WAITS, requests_limit=limit, requests_left=1)
    told = advise(with_provider(dispatch=dispatch, **changes))
    assert not any("tier" in finding.title for finding in told)


def test_429s_speak_against_more_at_once() -> None:
    titles = [finding.title for finding in advise(with_dispatch(busiest=50, rate_limited=50, waited=WAITS))]
    assert titles == ["OpenAI rejects too many requests"]


def test_between_two_looks_only_what_has_happened_between_them_counts() -> None:
    long_ago = with_dispatch(rate_limited=400, waited=WAITS)
    later = replace(long_ago, process=replace(long_ago.process, taken_at=STARTED + 2 * HOUR))
    assert advise(long_ago) != ()
    assert advise(later, long_ago) == ()
    more = with_dispatch(rate_limited=420, waited=WAITS, requests=2002)
    assert [finding.figures for finding in advise(more, long_ago)] == [
        "20 of 1000 requests got a 429 (2.0 %)."
    ]


def test_a_look_at_an_earlier_run_is_no_comparison() -> None:
    earlier = replace(
        with_dispatch(rate_limited=400), process=replace(well().process, started_at=STARTED - HOUR)
    )
    now = with_dispatch(rate_limited=20)
    assert advise(now, earlier) == advise(now)
    assert period(now, earlier).since_start


def test_what_is_urgent_comes_first() -> None:
    both = replace(with_dispatch(busiest=48, last_chunk=latency({9.0: 1000})), health=Health(writable=False))
    assert [finding.urgent for finding in advise(both)] == [True, False]


def test_over_http_1_there_is_advice_without_figures_of_a_pool() -> None:
    snapshot = with_provider(
        pool=None, dispatch=replace(provider().dispatch, busiest=50, last_chunk=latency({9.0: 1000}))
    )
    (finding,) = advise(snapshot)
    assert finding.changes == (SettingChange(KEY + "max_connections", "50", "75"),)


ODD = (0, -1, 1, 10**20, 0.0, -1.5, 1e308, 5e-324, math.inf, -math.inf, math.nan)


@st.composite
def shaken(draw: st.DrawFn) -> Snapshot:
    """One that something is found in, with any of its numbers at the ends of what numbers can be."""

    def shake(value: object) -> object:
        if isinstance(value, dict):
            return {key: shake(inner) for key, inner in value.items()}
        if isinstance(value, bool) or not isinstance(value, int | float) or draw(st.integers(0, 3)):
            return value
        odd = draw(st.sampled_from(ODD))
        return odd if isinstance(odd, type(value)) else value

    document = asdict(draw(st.sampled_from([row[1] for row in TABLE])))
    document["settings"] = {key: float(value) for key, value in document["settings"].items()}
    return TypeAdapter(Snapshot).validate_python({key: shake(value) for key, value in document.items()})


@given(st.from_type(Snapshot) | shaken(), st.none() | st.from_type(Snapshot) | shaken())
@settings(
    deadline=None,
    max_examples=examples(150),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink a snapshot takes five minutes
)
def test_no_snapshot_makes_it_fail(now: Snapshot, before: Snapshot | None) -> None:
    for earlier in (None, before, replace(now, process=replace(now.process, taken_at=0))):
        found = advise(now, earlier)
        looked_at = period(now, earlier)
        assert as_text(found, looked_at)
        assert sum(len(line) + 1 for line in as_markdown(found, 1500)) <= 1500


@given(st.sampled_from([row[1] for row in TABLE]))
def test_advice_on_a_snapshot_that_was_kept_is_the_same(snapshot: Snapshot) -> None:
    assert advise(from_json(to_json(snapshot))) == advise(snapshot)


def everything() -> Snapshot:
    """All goes wrong at once."""
    worst = with_dispatch(
        breaker=BreakerState.OPEN,
        queue_full=5,
        rate_limited=100,
        models={"m": ModelStatistics(dict.fromkeys(RequestOutcome, 100))},
    )
    both = dict.fromkeys((OPENAI, "perplexity"), worst.providers[OPENAI])
    return replace(
        worst,
        providers=both,
        health=Health(writable=False, kept=3),
        discord=replace(well().discord, connected_since=None, unacknowledged={Unacknowledged.LATE: 500}),
        process=replace(well().process, memory_bytes=2**30, lag=latency({2.0: 1000})),
        questions=replace(well().questions, unprotected=900),
        store=replace(well().store, writes=latency({0.5: 1000})),
    )


def test_for_discord_it_is_markdown_that_fits_and_says_what_is_left_out() -> None:
    found = advise(everything())
    lines = as_markdown(found, 1500)
    shown = sum(line.startswith("- **") for line in lines)
    assert 3 < shown < len(found)
    assert sum(len(line) + 1 for line in lines) <= 1500
    assert lines[-1] == f"-# and {len(found) - shown} more: run `discordianai advise`"
    (one,) = advise(with_dispatch(rate_limited=20))
    assert as_markdown([one], 1500) == (
        "- **OpenAI rejects too many requests.** 20 of 1002 requests got a 429 (2.0 %).",
        "  - `rate_limits.openai.requests_per_minute`: 500 → 400",
    )
    assert as_markdown((), 1500) == ("Nothing needs to change.",)


def test_who_is_refused_all_the_time_is_named_so_that_the_operator_can_find_them() -> None:
    """By the pseudonym that `conversations who` knows."""
    text = as_text(advise(with_refusals("person")), period(with_refusals("person")))
    assert "240 times in 1.0 h, the last time for the lists of [discord]" in " ".join(text.split())
    assert "discordianai conversations who id-0123456789ab" in " ".join(text.split())


def test_for_the_terminal_it_tells_figures_change_and_reason() -> None:
    text = as_text(advise(with_dispatch(rate_limited=20)), period(with_dispatch(rate_limited=20)))
    assert "The bot since its start, 60 minutes:" in text
    assert "OpenAI: 8 of 50 slots used at once (16 %)" in text
    assert "20 of 1002 requests got a 429" in text
    assert "rate_limits.openai.requests_per_minute: 500 -> 400" in text
    assert "\n  Acknowledgements that Discord did not accept (late): 1\n" in text
    assert text.endswith("The keys are in settings.toml. A reload applies some of them, a restart all.\n")
    assert "Nothing needs to change." in as_text((), period(well()))


def test_the_table_tries_every_rule() -> None:
    for rule in BOT_RULES:
        assert any(list(rule(period(ill))) for _, ill, *_ in TABLE), rule.__name__
    for of_provider in PROVIDER_RULES:
        uses = [Use.of(period(ill), OPENAI) for _, ill, *_ in TABLE]
        assert any(list(of_provider(use)) for use in uses), of_provider.__name__
