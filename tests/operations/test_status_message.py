"""What /status tells the bot's admins."""

from dataclasses import replace

import pytest

from discordianai.conversations.store import Health
from discordianai.discord.shard_statistics import ShardStatistics
from discordianai.dispatch.breaker import BreakerReason, BreakerState
from discordianai.operations.health import judge, status_line
from discordianai.operations.snapshot import Snapshot
from discordianai.operations.status_message import describe
from discordianai.transport.pool_events import Statistics
from tests.operations.builders import latency, provider, well


def test_a_bot_that_is_well_is_told_in_figures_and_nothing_is_advised() -> None:
    text = describe(well())
    assert text.startswith("**Ready** · started <t:1800000000:R>")
    assert "MiB of memory" in text
    assert "**OpenAI** · gpt-5-mini · breaker closed" in text
    assert "`█░░░░░░░░░` 2 of 50 slots (peak 8), 0 waiting" in text
    assert "`░░░░░░░░░░` discord: 0 requests on 1 connection (1 idle) of 20" in text
    assert text.endswith("**Advice**\nNothing needs to change.")


def test_counters_that_are_notable_are_told_where_they_are_not_0() -> None:
    worse = replace(well(), questions=replace(well().questions, unprotected=1200))
    assert "\n-# Acknowledgements that Discord did not accept (late): 1\n**Advice**" in describe(well())
    assert "which a crash would have lost: 1,200" in describe(worse)
    quiet = replace(well(), discord=replace(well().discord, unacknowledged={}))
    assert "-# " not in describe(quiet)


def test_why_it_is_not_ready_and_what_would_help_is_told() -> None:
    openai = provider()
    dispatch = replace(
        openai.dispatch, rate_limited=20, breaker=BreakerState.OPEN,
        breaker_reason=BreakerReason.RATE_LIMITED, next_probe=100.0, pause=3500.0,
    )  # fmt: skip
    ill = replace(openai, dispatch=dispatch)
    text = describe(
        replace(well(), providers={"openai": ill}, health=Health(writable=False, reason="disk full"))
    )
    assert text.startswith(
        "**Not ready: disk full; the circuit breaker of every provider is open, next try in 100 seconds**"
    )
    why = "429 with a long wait, pause ends in 59 minutes, next try in 100 seconds"
    assert f"breaker open: {why}\n" in text
    assert "`rate_limits.openai.requests_per_minute`: 500 → 400" in text


def test_a_slow_disk_and_a_clock_that_jumped_are_told_while_the_bot_answers() -> None:
    """In words, also on the health page."""
    jumped = replace(well().process, clock_jump=-3600.0)
    snapshot = replace(well(), process=jumped, health=Health(slow=True))
    slow = "the disk of the database is slow: answers are shown before they are stored"
    clock = "the system clock was set 3600 s back: the bot uses its own clock for now"
    assert judge(snapshot).ready
    assert {slow, clock} <= set(judge(snapshot).remarks)
    assert f"-# {clock}; {slow}" in describe(snapshot)


@pytest.mark.parametrize(
    ("servers", "missing", "seconds", "remarks"),
    [
        (3, 0, 3600.0, ()),
        (3, 2, 100.0, ()),
        (3, 2, 3600.0, ("2 of 3 servers for 60 minutes: commands work there",)),
        (1, 1, 3600.0, ("1 of 1 server for 60 minutes: commands work there",)),
        (0, 0, 3600.0, ("Discord has named no server that the bot is in",)),
        (None, 0, 3600.0, ()),
    ],
)
def test_servers_that_discord_does_not_send_are_mentioned_after_two_minutes(
    servers: int | None, missing: int, seconds: float, remarks: tuple[str, ...]
) -> None:
    """The bot is ready all the same; without a gateway, that alone is said."""
    since = well().process.taken_at - seconds
    discord = replace(
        well().discord,
        connected_since=since,
        servers=servers,
        servers_missing=missing,
        servers_missing_since=since if missing else None,
    )
    verdict = judge(replace(well(), discord=discord))
    assert verdict.ready
    assert len(verdict.remarks) == len(remarks)
    assert all(part in remark for part, remark in zip(remarks, verdict.remarks, strict=True))
    assert judge(replace(well(), discord=replace(discord, connected_since=None))).remarks == ()


def sharded(*shards: ShardStatistics, total: int = 0) -> Snapshot:
    """All of these, as the bot's counter sums them up."""
    since = 1.0 if all(shard.connected for shard in shards) else None
    by_id = dict(enumerate(shards))
    servers = sum(shard.servers or 0 for shard in shards)
    return replace(
        well(),
        discord=replace(
            well().discord,
            connected_since=since,
            shards=by_id,
            shard_total=total or len(shards),
            servers=servers,
        ),
    )


UP, DOWN = ShardStatistics(1.0, 0.04, 900), ShardStatistics(trouble="it was lost", next_try=4e9)


def test_shards_are_told_in_a_line_where_there_are_several() -> None:
    """Not of the single one that most bots have."""
    text = describe(sharded(*[UP] * 15, replace(UP, servers=1200, heartbeat=0.3)))
    assert (
        "16 of 16 shards connected, heartbeats within 300 ms · 14,700 servers, 1,200 at most on one" in text
    )
    assert "4 of 4 shards (the bot has 16) connected" in describe(sharded(UP, UP, UP, UP, total=16))
    assert "· 1 server, 1 at most on one" in describe(sharded(replace(UP, servers=1), replace(UP, servers=0)))
    assert "shard" not in describe(well())
    assert "· 16 of 16 shards ·" in status_line(sharded(*[UP] * 16))
    assert "shard" not in status_line(well())


def test_a_bot_of_which_some_shards_are_connected_is_degraded_and_names_the_others() -> None:
    """At most five with the reason; without any shard it is just not ready."""
    some = judge(sharded(UP, DOWN, UP, replace(DOWN, trouble="", next_try=0.0)))
    assert (some.live, some.ready, some.degraded) == (True, False, True)
    assert some.reasons == (
        "2 of 4 shards are connected; not connected: 1 (it was lost; the next try is at 2096-10-02 07:06:40"
        " UTC), 3",
    )
    many = judge(sharded(UP, *[DOWN] * 15)).reasons[0]
    assert many.startswith("1 of 16 shards are connected; not connected: 1 (it was lost;")
    assert many.endswith(", and 10 more")
    none = judge(sharded(DOWN, DOWN))
    assert not none.degraded
    assert none.reasons[0].startswith("the Discord gateway is not connected")
    full = replace(sharded(UP, DOWN), health=Health(writable=False, reason="disk full"))
    assert not judge(full).degraded
    assert describe(sharded(UP, DOWN)).startswith(
        "**Degraded: 1 of 2 shards are connected; not connected: 1 ("
    )
    assert status_line(sharded(UP, DOWN)).startswith("degraded: 1 of 2 shards are connected; ")


@pytest.mark.parametrize("count", [2, 9])
def test_the_longest_figures_fit_into_one_message_and_leave_room_for_advice(count: int) -> None:
    """However many providers there are: those that find no room are counted."""
    many = 10**7
    pool = Statistics(1000, many, many, many, many, many, many, many, many)
    slow = latency({100.0: many})
    busy = provider("L" * 40, "m" * 300)
    dispatch = replace(
        busy.dispatch, in_flight=many, waiting=many, busiest=many, rate_limited=many,
        requests_left=many, requests_limit=many, tokens_left=many, tokens_limit=many,
        waited=slow, first_chunk=slow, last_chunk=slow, refused=many, breaker=BreakerState.OPEN,
        breaker_reason=BreakerReason.RATE_LIMITED, next_probe=899.0, pause=86_399.0,
    )  # fmt: skip
    names = [f"{number:040}" for number in range(count)]
    snapshot = replace(
        well(),
        providers=dict.fromkeys(names, replace(busy, dispatch=dispatch, pool=pool)),
        discord_pool=pool,
        health=Health(writable=False, reason="because " * 100, lost=many),
        questions=replace(well().questions, unprotected=many),
    )
    text = describe(snapshot)
    assert len(text) <= 2000
    assert "\n- **" in text.partition("**Advice**")[2]
    assert text.endswith("more: run `discordianai advise`")
    assert ("more providers" in text) is (count > 2)
