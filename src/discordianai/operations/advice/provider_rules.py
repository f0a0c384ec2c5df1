"""Rules for one provider: `[connection_pool]`, `[rate_limits]` and the timeouts."""

import math
from collections.abc import Callable, Iterator

from discordianai.dispatch.breaker import BreakerState
from discordianai.dispatch.dispatcher_statistics import RequestOutcome
from discordianai.operations.advice.recommendation import Recommendation, SettingChange, Use, percent, rounded
from discordianai.operations.advice.tiers import tier
from discordianai.operations.health import why_held
from discordianai.operations.snapshot import ProviderSnapshot

ProviderRule = Callable[[Use], Iterator[Recommendation]]

FULL = 0.8
"""Of the slots: above it, a burst has no room."""

LONG_WAIT = 1.0
"""Seconds that one in a hundred may have to wait in the queue."""

FEW = 3
"""Failures that may be accidents."""

MOST_CONNECTIONS = 1000
LONGEST_TIMEOUT = 600.0


def breaker(use: Use) -> Iterator[Recommendation]:
    """The circuit breaker holds back requests, except probes."""
    state, why = use.figures.dispatch.breaker, why_held(use.figures)
    if state is not BreakerState.CLOSED:
        failed = use.ended(
            RequestOutcome.OVERLOADED,
            RequestOutcome.TIMED_OUT,
            RequestOutcome.CONNECTION_LOST,
            RequestOutcome.CUT,
        )
        yield Recommendation(
            f"The circuit breaker of {use.label} is {state.value}",
            f"{failed:.0f} of {use.ended():.0f} requests failed{why and f'; {why}'}.",
            "No setting helps while the provider is having trouble; see its status page. Another provider, "
            "if there is one, answers meanwhile.",
            urgent=state is BreakerState.OPEN,
        )


def refused_for_good(use: Use) -> Iterator[Recommendation]:
    """Failures that waiting does not fix."""
    label = use.label
    if refused := use.ended(RequestOutcome.AUTHENTICATION):
        key = SettingChange(use.key("", "api_key"), "the one that is set", "one that is valid")
        yield Recommendation(
            f"{label} does not accept the key",
            f"{refused:.0f} requests were refused for it.",
            "It answers nothing until the key is replaced.",
            (key,),
            urgent=True,
        )
    if refused := use.ended(RequestOutcome.QUOTA):
        yield Recommendation(
            f"The account with {label} has no credit left",
            f"{refused:.0f} requests were refused for it.",
            "Top it up on the provider's website.",
            urgent=True,
        )
    if missing := use.ended(RequestOutcome.MODEL_NOT_FOUND, RequestOutcome.PERMISSION):
        model = SettingChange(use.key("", "model"), use.figures.model, "one that the account may use")
        yield Recommendation(
            f"{label} does not give this account the model",
            f"{missing:.0f} requests were refused for it.",
            "Either the model is gone, or the account has no access to it.",
            (model,),
            urgent=True,
        )
    if lost := use.ended(RequestOutcome.ENDPOINT_NOT_FOUND):
        yield Recommendation(
            f"{label} has nothing at this address",
            f"{lost:.0f} requests were answered with 404.",
            f"Check {use.key('', 'base_url')} and {use.key('', 'dialect')}.",
            urgent=True,
        )
    refused = use.ended(RequestOutcome.BAD_REQUEST)
    if _often(refused, use, 0.05):
        yield Recommendation(
            f"{label} rejects requests as invalid",
            f"{refused:.0f} of {use.ended():.0f} requests ({percent(refused, use.ended())}).",
            "The model's context may be smaller than context_tokens says, or the model may lack something"
            " that is asked of it. The log has the provider's reasons.",
        )


def rate_limited(use: Use) -> Iterator[Recommendation]:
    """429s: more is sent than the account allows."""
    refused = use.grown(lambda figures: figures.dispatch.rate_limited)
    if not _often(refused, use, 0.005):
        return
    dispatch, burst = use.figures.dispatch, use.setting("rate_limits", "burst")
    known = use.setting("rate_limits", "requests_per_minute")
    if known is None or known == dispatch.requests_limit:
        limit = known if known is not None else 60 * use.grown(_requests) / max(use.period.seconds, 60.0)
        change = use.change("rate_limits", "requests_per_minute", rounded(0.8 * limit, 1, 1_000_000))
        why = "The bot then sends less than that in a minute, so nothing is refused and retried."
    elif burst is None and dispatch.requests_limit < math.inf:
        change = use.change("rate_limits", "burst", rounded(dispatch.requests_limit / 10, 1, 1_000_000))
        why = "The bot keeps to the stated limit per minute: the provider seems to count shorter periods."
    else:
        fewer = rounded(0.7 * min(use.busiest, use.slots), 1, MOST_CONNECTIONS)
        change = use.change("connection_pool", "max_connections", fewer)
        why = "Fewer requests at once are the simplest remedy."
    sent = use.grown(_requests)
    yield Recommendation(
        f"{use.label} rejects too many requests",
        f"{refused:.0f} of {sent:.0f} requests got a 429 ({percent(refused, sent)}).",
        why,
        (change,),
    )


def pool_full(use: Use) -> Iterator[Recommendation]:
    """All slots are in use, and the account allows more."""
    if not _is_full(use) or use.grown(lambda figures: figures.dispatch.rate_limited) > 0:
        return
    if use.carried <= use.slots:
        return  # the budget is the brake
    wait = use.latency(lambda figures: figures.dispatch.waited).p99
    least = use.slots + 1
    more = rounded(min(1.5 * use.busiest, use.carried), least, max(MOST_CONNECTIONS, least))
    carried = "" if math.isinf(use.carried) else f"; the minute's budget carries about {use.carried:.0f}"
    yield Recommendation(
        f"The pool of {use.label} is nearly full",
        f"{use.busiest} of {use.slots:g} requests in flight at once "
        f"({percent(use.busiest, use.slots)}); one in a hundred waited {wait:.1f} s or longer{carried}.",
        "There were no 429s: more requests at once shorten the queue.",
        (use.change("connection_pool", "max_connections", more),),
    )


def waiting(use: Use) -> Iterator[Recommendation]:
    """Questions wait for the budget, which may be set too low."""
    dispatch = use.figures.dispatch
    waited = use.latency(lambda figures: figures.dispatch.waited)
    refused = use.grown(lambda figures: figures.dispatch.rate_limited)
    slots_are_short = _is_full(use) and use.carried > use.slots
    if waited.p99 < LONG_WAIT or waited.count < 20 or refused > 0 or slots_are_short:
        return
    shares = {
        "requests_per_minute": (dispatch.requests_left, dispatch.requests_limit),
        "tokens_per_minute": (dispatch.tokens_left, dispatch.tokens_limit),
    }
    key, (left, limit) = min(shares.items(), key=lambda item: _share(*item[1]))
    if not 0 < limit < math.inf:
        return
    hardly = _share(left, limit) > 0.5
    set_to = use.setting("rate_limits", key)
    changes = (use.change("rate_limits", key, 2 * limit),) if set_to == limit else ()
    yield Recommendation(
        f"Questions wait for {use.label}, although its budget is hardly used"
        if hardly
        else f"Questions wait for the budget of {use.label}",
        f"One in a hundred waited {waited.p99:.1f} s or longer; {percent(left, limit)} of {limit:.0f} {key} "
        "are left now.",
        "People who asked within the last minute are slowed down to match it. There were no 429s: if the"
        " account allows more, raise the limit."
        if changes
        else "The provider itself allows no more; ask it for a higher limit.",
        changes,
    )


def queue_full(use: Use) -> Iterator[Recommendation]:
    """Questions were refused, because the queue was full."""
    refused = use.grown(lambda figures: figures.dispatch.queue_full)
    size = use.period.setting("dispatch.queue_size")
    if refused > 0 and size is not None:
        change = SettingChange("dispatch.queue_size", f"{size:g}", f"{rounded(2 * size, 1, 10_000):g}")
        yield Recommendation(
            f"The queue of {use.label} was full",
            f"{refused:.0f} questions were refused; {use.figures.dispatch.waiting} wait now, {size:g} may.",
            "A longer queue refuses fewer, but they wait longer. More slots or a larger budget "
            "help with both.",
            (change,),
            urgent=True,
        )


def timeouts(use: Use) -> Iterator[Recommendation]:
    """Requests that took too long."""
    late = use.ended(RequestOutcome.TIMED_OUT)
    if not _often(late, use, 0.02):
        return
    first = use.latency(lambda figures: figures.dispatch.first_chunk).p99
    limit, read = use.setting("", "first_token_timeout"), use.setting("", "read_timeout")
    key, now = "read_timeout", read
    if limit is not None and first >= limit / 2:
        key, now = "first_token_timeout", limit
    more = rounded(1.5 * now, 1, LONGEST_TIMEOUT) if now is not None else None
    changes = (use.change("", key, more),) if more is not None and now is not None and more > now else ()
    yield Recommendation(
        f"{use.label} is often too slow",
        f"{late:.0f} of {use.ended():.0f} requests timed out ({percent(late, use.ended())}); the first piece "
        f"of an answer took up to {first:.1f} s.",
        "More time lets slow answers finish, but people wait longer for those that never come."
        if changes
        else "It already has more than enough time: another model may be faster.",
        changes,
    )


def connections_lost(use: Use) -> Iterator[Recommendation]:
    """The network, or something on the way, ends connections."""
    lost = use.ended(RequestOutcome.CONNECTION_LOST, RequestOutcome.CUT)
    if not _often(lost, use, 0.02):
        return
    interval = use.setting("connection_pool", "ping_interval")
    changes = (
        (use.change("connection_pool", "ping_interval", 5),) if interval is not None and interval > 5 else ()
    )
    yield Recommendation(
        f"Connections to {use.label} are often lost",
        f"{lost:.0f} of {use.ended():.0f} requests ({percent(lost, use.ended())}) failed or found none.",
        "More frequent PINGs keep a NAT or a load balancer from dropping a quiet connection, and find "
        "a dead one sooner."
        if changes
        else "The log at DEBUG has the reasons: network, firewall, proxy, or the provider.",
        changes,
    )


def churn(use: Use) -> Iterator[Recommendation]:
    """Connections are opened for hardly more than one request each."""
    pool, requests = use.figures.pool, use.grown(_requests)
    opened = use.grown(lambda figures: figures.pool.connections_opened if figures.pool else 0)
    lost = use.grown(lambda figures: figures.pool.connections_lost if figures.pool else 0)
    if pool is None or opened < 20 or requests > 2 * opened or requests <= 0 or lost > opened / 2:
        return
    keep, streams = (
        use.setting("connection_pool", "max_keepalive"),
        use.setting("connection_pool", "streams_per_connection"),
    )
    expiry = use.setting("connection_pool", "keepalive_expiry")
    if keep is None or not expiry or (streams is not None and streams < 1):
        return
    needed, gap = math.ceil(use.busiest / (streams or 1)), use.period.seconds / requests
    if needed > keep:
        change = use.change("connection_pool", "max_keepalive", min(needed, use.slots))
    elif gap < 10 * expiry:
        change = use.change("connection_pool", "keepalive_expiry", rounded(max(3 * gap, 2 * expiry), 1, 3600))
    else:
        return  # so few requests that no connection is worth keeping
    yield Recommendation(
        f"Connections to {use.label} are opened again and again",
        f"{opened:.0f} were opened for {requests:.0f} requests.",
        "Each costs two round trips before its first request.",
        (change,),
    )


def _requests(figures: ProviderSnapshot) -> int:
    return figures.dispatch.requests


def _is_full(use: Use) -> bool:
    return use.utilisation > FULL


def _often(count: float, use: Use, share: float) -> bool:
    return count >= FEW and count > share * use.ended()


def _share(left: float, limit: float) -> float:
    """What is left of a budget; all of one without a limit."""
    return left / limit if 0 < limit < math.inf else 1.0


PROVIDER_RULES: tuple[ProviderRule, ...] = (
    breaker,
    refused_for_good,
    rate_limited,
    pool_full,
    waiting,
    tier,
    queue_full,
    timeouts,
    connections_lost,
    churn,
)
