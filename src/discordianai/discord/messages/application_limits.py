"""What Discord allows the application as a whole: one gate for every request that writes messages.

A rate-limit bucket belongs to a channel or an interaction (`buckets.py`). Three limits apply to all requests
together, and are tracked here, so that no request runs into them twice, whichever thread sends it:

- 50 requests a second with the bot's token. Interaction webhooks don't count.
- a global 429, and Cloudflare's ban of this address (a 429 with a page instead of JSON, or several such 403s
  in a row): nothing is sent until the named time is over, then one request tries whether it is.
- 10,000 answers of 401, 403 and 429 in ten minutes, for which Discord bans the address. 429s of a resource
  that others share don't count. Long before, message traffic slows down, then stops.

Acknowledgements don't wait here: they have three seconds, and a limit of their own. Their responses are still
counted, on the listener's thread; where too many requests were refused, and these among them, most are not
sent.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeGuard

import structlog
import trio

from discordianai.discord.messages.port import MessagesBusy
from discordianai.discord.messages.refused_calls import Call, RefusedCalls
from discordianai.metric import Metric
from discordianai.waits import longer, named_wait, now_of

REQUESTS_PER_SECOND, AT_ONCE = 35, 5
"""With the bot's token, evenly spaced but for the first few: Discord allows 50 in a second, and counts when
they arrive, which the network may bunch. What it holds up for 0.28 s still fits; at 40 a second half an hour
of trouble met the limit once."""

LONGEST_HOLD = 86_400.0
"""Seconds; a longer pause is cut to this."""

UNNAMED_HOLD = 60.0
"""Seconds, if a ban does not say how long it lasts."""

PAGES_IN_A_ROW = 5
"""Pages with 403 in place of Discord's JSON after which they count as a ban of this address."""

PROBE_EVERY = 60.0
"""Seconds between two requests that try whether a ban is over."""

PROBE_WITHIN = 30.0
"""Seconds after which a probe without a response counts as lost, and another one is sent."""

COUNTED_FOR = 600.0
SLOW_ABOVE, STOP_ABOVE = 1_000, 5_000
"""Invalid requests in ten minutes; Discord bans at 10,000."""

SLOW_GAP = 1.0
"""Seconds between two requests, at most, while message traffic is slow; see `_slow_gap`."""

RECENT = 50
"""Responses that count most in the share of those that are refused."""

SHORTEST_HOLD, GROWTH = 0.25, 2.0
"""Seconds that a global limit holds on at least where it was not over at its named time, and by how much more
each next time, up to `PROBE_EVERY`. Discord may name next to nothing each time."""

LONGEST_WAIT = 7_200.0
"""Seconds that a message waits here. Bans last an hour, and perhaps a little longer than they say; after two,
nobody expects an answer any more."""

SHORTEST_WAIT = 0.001
"""Seconds; less may not move the clock on at all."""

CLOUDFLARES = frozenset({"cloudflare_error", "error_code"})
"""Keys of Cloudflare's errors."""

BLOCKED_BEFORE = 40333
"""The code of an error in Discord's form that something before its API has made: *internal network error*."""

INVALID_STATUSES = frozenset({401, 403, 429})


class HoldReason(StrEnum):
    """Why nothing is sent at the moment."""

    GLOBAL = "Discord's global rate limit is reached"
    BANNED = "Discord's edge refuses all requests from this address"
    INVALID = "too many of the bot's requests were refused in the last ten minutes"


class ApplicationHeld(MessagesBusy):
    """Nothing may be sent for `wait` seconds."""


@dataclass(frozen=True, slots=True)
class ApplicationStatistics:
    """One moment of the gate. `held_until` is in seconds since the epoch, 0 while requests may be sent."""

    hold: str = ""
    held_until: Annotated[
        float,
        Metric("discord_held_until_seconds", "When Discord may be asked again, in seconds since the epoch"),
    ] = 0.0
    invalid_recently: Annotated[
        int,
        Metric(
            "discord_invalid_requests", "Requests answered 401, 403 or 429 in ten minutes; 10000 mean a ban"
        ),
    ] = 0
    holds: Annotated[
        int,
        Metric("discord_holds_total", "Times that a limit paused all message traffic", notable=True),
    ] = 0
    refused_from_memory: Annotated[
        int,
        Metric("discord_requests_spared_total", "Requests not sent because a 403 for them is remembered"),
    ] = 0


ACKNOWLEDGEMENT = Call("POST /callback", as_bot=False)


class _Line:
    """Those who wait for the same limit. Only the first of them asks: a thousand cost no more than one."""

    def __init__(self) -> None:
        self._head = trio.StrictFIFOLock()
        self._waiting: set[trio.CancelScope] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether anybody does."""
        return bool(self._waiting)

    async def wait(self, within: float, ask: Callable[[], float]) -> bool:
        """Line up, then `ask` until it says 0 seconds. Whether it has, `within` so many."""
        with trio.move_on_after(within + SHORTEST_WAIT) as patience:
            self._waiting.add(patience)
            try:
                async with self._head:
                    while wait := ask():
                        self._dismiss(trio.current_time() + wait)
                        await trio.sleep(max(wait, SHORTEST_WAIT))
                    return True
            finally:
                self._waiting.discard(patience)
        return False

    def _dismiss(self, until: float) -> None:
        """Those who give up before then need not wait for it."""
        for patience in self._waiting:
            if patience.deadline < until:
                patience.cancel()


class ApplicationLimits:
    """`take`, `takes_acknowledgement`, `probing` and `note` may be called on any thread; the rest is for
    trio's. `clock` is in seconds and never jumps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._log = structlog.get_logger("discordianai.discord.messages.application_limits")
        self._paced_until = -math.inf  # when the last request would be due if none might come early
        self._next_slow = self._next_acknowledgement = -math.inf
        self._refused_share = 0.0  # of the last responses
        self._invalid: deque[float] = deque(maxlen=STOP_ABOVE * 2)
        self._held_until = -math.inf
        self._reason: HoldReason | None = None
        self._probe_sent = -math.inf
        self._least_hold = SHORTEST_HOLD
        self._pages = 0
        self._holds = 0
        self._lines = {True: _Line(), False: _Line()}  # by whether it is sent as the bot
        self.refused = RefusedCalls(clock)

    async def enter(self, call: Call, within: float = 0.0) -> None:
        """Return when this request may be sent, which is then counted as sent; first come, first served.

        Raises `ApplicationHeld` where that takes more than `within` seconds, `MessageRefused` where it is
        known to be refused, and `MessagesBusy` where Discord has said for how long it will be.
        """
        self.refused.check(call)
        line = self._lines[call.as_bot]
        wait = (self.held_for or SHORTEST_WAIT) if line.is_waiting else self.take(call)
        if wait and (wait > within or not await line.wait(within, partial(self._ask, call))):
            raise ApplicationHeld(
                self._reason or "the bot's requests of this second are used up", self.held_for or wait
            )

    def _ask(self, call: Call) -> float:
        """What `take` says; Discord may have refused such a request meanwhile."""
        self.refused.check(call)
        return self.take(call)

    def take(self, call: Call) -> float:
        """Seconds until this request may be tried again; 0 counts it as sent."""
        now = self._clock()
        with self._lock:
            self._forget_old(now)
            gap = self._paced_until - AT_ONCE / REQUESTS_PER_SECOND if call.as_bot else -math.inf
            if len(self._invalid) > SLOW_ABOVE:
                gap = max(gap, self._next_slow)
            if wait := max(self._hold(now), gap - now, 0.0):
                return wait
            if self._reason is not None:
                self._probe_sent = now
            if call.as_bot:
                self._paced_until = max(self._paced_until, now) + 1.0 / REQUESTS_PER_SECOND
            self._next_slow = now + self._slow_gap()
            return 0.0

    def _slow_gap(self) -> float:
        """Seconds between two requests: if as many go on being refused, it takes ten minutes to the stop."""
        return min(self._refused_share * COUNTED_FOR / max(STOP_ABOVE - len(self._invalid), 1), SLOW_GAP)

    def takes_acknowledgement(self) -> bool:
        """Whether one may be sent: not where traffic is slow and the last one was refused a moment ago."""
        now = self._clock()
        with self._lock:
            self._forget_old(now)
            return len(self._invalid) <= SLOW_ABOVE or now >= self._next_acknowledgement

    def _hold(self, now: float) -> float:
        """Seconds for which nothing may be sent; 0 lets a request pass, as a probe during a pause."""
        if len(self._invalid) > STOP_ABOVE:
            self._begin_hold(HoldReason.INVALID, self._invalid[-STOP_ABOVE] + COUNTED_FOR, now)
        if self._reason is None:
            return 0.0
        if now < self._held_until:
            return self._held_until - now
        if self._reason is HoldReason.INVALID:
            self._end_hold()
            return 0.0
        if now < self._probe_sent + PROBE_WITHIN:  # its answer tells
            return min(self._probe_sent + PROBE_WITHIN - now, 0.25)
        return 0.0

    @contextmanager
    def probing(self) -> Iterator[None]:
        """The block is a request, after `enter`. If nothing is heard of it, the next one may be the probe."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._probe_sent = -math.inf
            raise

    def note(
        self,
        status: int,
        headers: Mapping[str, str],
        body: object,
        call: Call | None = None,
        reason: str = "Discord answered 403",
    ) -> None:
        """Learn from an answer of Discord's; `body` is None where it is not JSON, `reason` is for the log."""
        now = self._clock()
        with self._lock:
            self._count(
                status in INVALID_STATUSES and headers.get("x-ratelimit-scope") != "shared", call, now
            )
            refused = status == 429 and self._note_429(headers, body, now)
            if call is not None and not refused and (status == 429 or status >= 500):
                self.refused.close(call, wait_of(headers, body if isinstance(body, Mapping) else {}))
            if not (self._note_page(status, headers, body, now) or refused):
                self._note_passed(now)
            if status == 403 and call is not None and is_discords(body):
                self.refused.remember(call, reason, body.get("code"))

    def _count(self, invalid: bool, call: Call | None, now: float) -> None:
        if invalid:
            self._invalid.append(now)
        if call is not ACKNOWLEDGEMENT:
            self._refused_share += (invalid - self._refused_share) / RECENT
        elif invalid:
            self._next_acknowledgement = now + SLOW_GAP

    def _note_passed(self, now: float) -> None:
        """Neither a ban nor a global limit holds, if this answer is not one of an earlier request."""
        if self._reason in {HoldReason.GLOBAL, HoldReason.BANNED} and now >= self._held_until:
            self._end_hold()

    def _note_page(self, status: int, headers: Mapping[str, str], body: object, now: float) -> bool:
        """Whether pages with 403 come one after the other: they are not about what is in a message then."""
        self._pages = self._pages + 1 if status == 403 and not is_discords(body) else 0
        if self._pages < PAGES_IN_A_ROW:
            return False
        wait = wait_of(headers, {})
        self._begin_hold(HoldReason.BANNED, now + max(wait or 0.0, UNNAMED_HOLD), now)
        return True

    def _note_429(self, headers: Mapping[str, str], body: object, now: float) -> bool:
        """Whether it holds for the application."""
        page = not is_discords(body) and "x-ratelimit-scope" not in headers
        told = body if isinstance(body, Mapping) else {}
        wait = wait_of(headers, told)
        if page:  # of Cloudflare's
            probed = self._reason is HoldReason.BANNED and self._probe_sent >= self._held_until
            named = UNNAMED_HOLD if wait is None else wait
            self._begin_hold(HoldReason.BANNED, now + max(named, PROBE_EVERY if probed else 0.0), now)
            return True
        if _is_global(headers, told):
            self._begin_hold(HoldReason.GLOBAL, now + max(wait or 1.0, self._least_global(now)), now)
            return True
        return False

    def _least_global(self, now: float) -> float:
        """Seconds; longer each time, while the limit holds on when its named time is over."""
        if self._reason is not HoldReason.GLOBAL or now < self._held_until:
            return 0.0
        least, self._least_hold = self._least_hold, min(self._least_hold * GROWTH, PROBE_EVERY)
        return least

    def _begin_hold(self, reason: HoldReason, until: float, now: float) -> None:
        new = self._reason is None
        if new or until > self._held_until:
            self._held_until, self._reason = until, reason
        self._probe_sent = -math.inf
        if new:
            self._holds += 1
            self._log.warning("sending paused", reason=str(reason), seconds=round(until - now, 1))

    def _end_hold(self) -> None:
        self._log.info("sending resumed", reason=str(self._reason))
        self._reason, self._probe_sent, self._least_hold = None, -math.inf, SHORTEST_HOLD

    def _forget_old(self, now: float) -> None:
        while self._invalid and self._invalid[0] <= now - COUNTED_FOR:
            self._invalid.popleft()

    @property
    def held_for(self) -> float:
        """Seconds for which nothing may be sent at all; also for those that don't write messages."""
        if self._reason is None:
            return 0.0
        return min(max(self._held_until - self._clock(), 0.0), LONGEST_HOLD)

    def statistics(self) -> ApplicationStatistics:
        """This moment."""
        now = self._clock()
        with self._lock:
            self._forget_old(now)
            reason = self._reason
            until = time.time() + max(self._held_until - now, 0.0) if reason is not None else 0.0
            return ApplicationStatistics(
                hold=str(reason or ""),
                held_until=until,
                invalid_recently=len(self._invalid),
                holds=self._holds,
                refused_from_memory=self.refused.spared,
            )


def is_discords(body: object) -> TypeGuard[Mapping[Any, object]]:
    """Whether it is JSON of Discord's. Cloudflare may answer with JSON as well as with a page."""
    if not isinstance(body, Mapping):
        return False
    return body.get("code") != BLOCKED_BEFORE and body.keys().isdisjoint(CLOUDFLARES)


def _is_global(headers: Mapping[str, str], told: Mapping[Any, object]) -> bool:
    flag = headers.get("x-ratelimit-global", "false").strip().lower()
    return (
        told.get("global") is True
        or flag not in {"false", "0", ""}
        or headers.get("x-ratelimit-scope", "").strip().lower() == "global"
    )


def wait_of(headers: Mapping[str, str], told: Mapping[Any, object]) -> float | None:
    """Seconds that a 429 asks to wait; None where it doesn't say. `told` is its body.

    The header is what the body says, rounded up.
    """
    now = now_of(headers)
    exact, rounded = named_wait(told.get("retry_after"), now), named_wait(headers.get("retry-after"), now)
    wait = longer(exact, rounded)
    return named_wait(headers.get("x-ratelimit-reset-after"), now) if wait is None else wait
