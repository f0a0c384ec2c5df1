"""Liveness and readiness of the bot: a function of one snapshot, also as the line for `systemctl status`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from discordianai.discord.messages.application_limits import SLOW_ABOVE
from discordianai.dispatch.breaker import BreakerReason, BreakerState
from discordianai.dispatch.refusals import duration
from discordianai.metric import Metric
from discordianai.operations.shard_health import connected, count, not_connected, utc
from discordianai.operations.snapshot import ProviderSnapshot, Snapshot
from discordianai.providers.model_list import ENDS_SOON

LONGEST_SILENCE = 30.0
"""Seconds that the Discord loop may be overdue: a gateway waits longer for a heartbeat, a person does not."""


SERVERS_WITHIN = 120.0
"""Seconds that Discord may take to send the bot's servers, before health mentions it."""

DAY = 86_400.0

_WHY: Mapping[BreakerReason, str] = {
    BreakerReason.FAILURES: "most requests fail",
    BreakerReason.RATE_LIMITED: "429 with a long wait",
    BreakerReason.OVERLOADED: "5xx with a long wait",
    BreakerReason.QUOTA: "no credit left",
    BreakerReason.AUTHENTICATION: "key not accepted",
}


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """Not `live`: only a restart helps. `ready`: it can answer now. `reasons` say why not, `remarks` what is
    not as it should be all the same.

    `degraded`: it is not ready only because some shards are not connected; in the servers of the others it
    answers.
    """

    live: bool
    ready: Annotated[bool, Metric("ready", "1 while the bot can answer, as in /health/ready")]
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    degraded: Annotated[
        bool, Metric("degraded", "1 while the bot answers in the servers of some of its shards only")
    ] = False


STARTING = HealthVerdict(live=True, ready=False, reasons=("the bot is starting",))


def judge(snapshot: Snapshot) -> HealthVerdict:
    """Judge the figures of a snapshot."""
    dead = tuple(_why_dead(snapshot))
    reasons = (*dead, *_why_not_ready(snapshot))
    degraded = (
        len(reasons) == 1 and snapshot.discord.connected_since is None and connected(snapshot.discord) > 0
    )
    return HealthVerdict(not dead, not reasons, reasons, tuple(_remarks(snapshot)), degraded)


def why_held(provider: ProviderSnapshot) -> str:
    """Why requests to a provider are held back, and how long; "" if they are not, or nobody knows why."""
    dispatch = provider.dispatch
    told = [_WHY[dispatch.breaker_reason]] if dispatch.breaker_reason is not None else []
    if dispatch.pause > 0:
        told.append(f"pause ends in {duration(dispatch.pause)}")
    if dispatch.breaker is BreakerState.OPEN and dispatch.next_probe > 0:
        told.append(f"next try in {duration(dispatch.next_probe)}")
    return ", ".join(told)


def _why_dead(snapshot: Snapshot) -> Iterator[str]:
    overdue = snapshot.discord.overdue
    if overdue > LONGEST_SILENCE:
        yield f"the Discord loop has not answered for {overdue:.0f} s"


def _why_not_ready(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.process.stopping:
        yield "the bot is stopping"
    if snapshot.discord.connected_since is None:
        yield _why_no_gateway(snapshot)
    if hold := snapshot.application.hold:
        yield f"{hold}; the next try is at {utc(snapshot.application.held_until)}"
    if not snapshot.health.writable:
        yield snapshot.health.reason or "the database accepts no writes"
    dispatches = [provider.dispatch for provider in snapshot.providers.values()]
    if all(dispatch.breaker is BreakerState.OPEN for dispatch in dispatches):
        soonest = min((dispatch.next_probe for dispatch in dispatches), default=0.0)
        until = f", next try in {duration(soonest)}" if soonest > 0 else ""
        yield f"the circuit breaker of every provider is open{until}"


def _why_no_gateway(snapshot: Snapshot) -> str:
    discord = snapshot.discord
    if connected(discord):
        return not_connected(discord, snapshot.process.taken_at)
    sentence = "the Discord gateway is not connected"
    if not discord.trouble:
        return sentence
    if discord.next_try <= snapshot.process.taken_at:
        return f"{sentence}: {discord.trouble}; it is being tried now"
    return f"{sentence}: {discord.trouble}; the next try is at {utc(discord.next_try)}"


def _held(provider: ProviderSnapshot) -> Iterator[str]:
    breaker, why = provider.dispatch.breaker, why_held(provider)
    if breaker is not BreakerState.CLOSED:
        yield f"the circuit breaker of {provider.label} is {breaker.value}{why and f': {why}'}"
    elif why:
        yield f"{provider.label} asked for a pause: {why}"


def _models(provider: ProviderSnapshot, now: float) -> Iterator[str]:
    """While there is time to choose another one."""
    for model, at in provider.model_ends.items():
        days = math.ceil((at - now) / DAY)
        if days <= 0:
            yield f"{provider.label} was to shut down {model}: choose another model"
        elif days < ENDS_SOON:
            in_days = f"in {days} day{'s' * (days != 1)}"
            yield f"{provider.label} shuts down {model} {in_days}: choose another model"
    for model in provider.unlisted_models:
        yield f"{provider.label} does not list the model {model}"


def _left_out(provider: ProviderSnapshot) -> Iterator[str]:
    for model, fields in provider.left_out.items():
        yield f"{provider.label} refuses {', '.join(fields)} for {model}: left out for 24 hours"


def _missing_servers(snapshot: Snapshot) -> Iterator[str]:
    """A bot without its servers looks connected, but knows no channel and no thread."""
    discord, now = snapshot.discord, snapshot.process.taken_at
    if discord.connected_since is None:
        return
    since = discord.servers_missing_since
    if discord.servers == 0 and now - discord.connected_since > SERVERS_WITHIN:
        yield "Discord has named no server that the bot is in"
    elif since is not None and now - since > SERVERS_WITHIN:
        servers = f"{discord.servers} server{'' if discord.servers == 1 else 's'}"
        yield (
            f"Discord has not sent {discord.servers_missing} of {servers} for"
            f" {duration(now - since)}: commands work there, but channels and threads are not known"
        )


def _remarks(snapshot: Snapshot) -> Iterator[str]:
    if jump := snapshot.process.clock_jump:
        ahead = "ahead" if jump > 0 else "back"
        yield f"the system clock was set {abs(jump):.0f} s {ahead}: the bot uses its own clock for now"
    for provider in snapshot.providers.values():
        yield from _held(provider)
        yield from _models(provider, snapshot.process.taken_at)
        yield from _left_out(provider)
    refused = snapshot.application.invalid_recently
    if refused > SLOW_ABOVE:
        yield f"Discord refused {refused} requests in ten minutes: messages are slowed down until this stops"
    yield from _missing_servers(snapshot)
    health = snapshot.health
    if health.slow:
        slow = "disk of the database" if snapshot.store.engine == "SQLite" else "database server"
        yield f"the {slow} is slow: answers are shown before they are stored"
    if health.kept:
        yield f"{health.kept} changes wait in memory for the database"
    if health.lost:
        yield f"{health.lost} changes did not fit in memory and were lost"


def _state(verdict: HealthVerdict) -> str:
    if verdict.ready:
        return "ready"
    return f"{'degraded' if verdict.degraded else 'not ready'}: {'; '.join(verdict.reasons)}"


def status_line(snapshot: Snapshot) -> str:
    """The current figures, problems first."""
    verdict = judge(snapshot)
    parts = [_state(verdict), *verdict.remarks]
    if verdict.ready and len(snapshot.discord.shards) > 1:
        parts.append(count(snapshot.discord))
    parts.append(f"{snapshot.questions.open} questions open, {snapshot.questions.answered} answered")
    for provider in snapshot.providers.values():
        dispatch = provider.dispatch
        parts.append(f"{provider.label} {dispatch.in_flight} in flight, {dispatch.waiting} waiting")
    return " · ".join(parts)
