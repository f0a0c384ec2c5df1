"""Which warnings of the bot the faults of the soak explain: by event, reason, and what went wrong then."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from benchmarks.soak_discord_faults import (
    ACKNOWLEDGEMENTS_REFUSED,
    BANNED,
    CHANNEL_ERRORS,
    CLOSED,
    GLOBAL_429,
    NO_FILES,
    WEBHOOK_ERRORS,
)
from benchmarks.soak_faults import ACKNOWLEDGEMENT_ERRORS, AWAY, FaultLog

AFTERWARDS = 120.0
"""Seconds after a fault in which it explains a warning: answers wait for its end, up to their deadline."""

BEFORE = 1.0
"""Seconds: the log's moments and those of a fault are taken by different processes."""

HELD = r"Discord's edge refuses all requests from this address|Discord's global rate limit is reached"
UNKNOWN = r"Discord answered 404, code 10015 .*"
HELD_UP = (BANNED, GLOBAL_429, WEBHOOK_ERRORS, CHANNEL_ERRORS)
"""Until they are over, answers are not shown, and the next question of a conversation waits for its turn."""

UNACKNOWLEDGED = (BANNED, AWAY, ACKNOWLEDGEMENT_ERRORS)
MISSING_ACCESS = r"Discord answered 403, code 50001 .*"
NO_PLACE = "there is no other place for it"
OF_A_PROVIDER = (
    r"(?:BreakerOpen|ConnectionLost|MalformedAnswer|Overloaded|RateLimited|TimedOut|WaitTooLong): .*"
    r"|\w+: \w+: in the answer, .*"
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A warning whose `event` and `reason` these patterns fit, each all of it.

    Where `during` names faults, one of them has to have lasted then or shortly before.
    """

    event: str
    why: str
    reason: str = ".*"
    during: tuple[str, ...] = ()

    def explains(self, entry: Mapping[str, object], log: FaultLog) -> bool:
        """Whether it is this one."""
        event, reason = str(entry["event"]), str(entry.get("reason", ""))
        if not (re.fullmatch(self.event, event, re.DOTALL) and re.fullmatch(self.reason, reason, re.DOTALL)):
            return False
        at = datetime.fromisoformat(str(entry["timestamp"])).timestamp()
        return not self.during or not log.between(at - AFTERWARDS, at + BEFORE).isdisjoint(self.during)


EXPECTED = (
    Expected(
        "provider failed", "an answer met a fault that no other try or provider could help", OF_A_PROVIDER
    ),
    Expected(
        "provider failed",
        "its turn came shortly before its deadline",
        r"DeadlinePassed: \w+: the answer was not complete",
        HELD_UP,
    ),
    Expected("asking another provider", "one had said nothing yet: the other one answers", OF_A_PROVIDER),
    Expected("circuit breaker opened", "an outage, or half of the answers failed", "failures"),
    Expected(
        r"POST /interactions/\S+/callback Received 5\d\d\.\.\. retrying in \d+ seconds",
        "Discord 5xx for an acknowledgement: the library sends it again, within Discord's three seconds",
    ),
    Expected("the listener stopped; starting it again", "its session was forgotten", during=(AWAY,)),
    Expected("the gateway is lost again and again", "the gateway's faults in rotation", during=(AWAY,)),
    Expected(r"Heartbeat has not been acknowledged for \S+ seconds, .*", "a frozen gateway", during=(AWAY,)),
    Expected("The heartbeater raised an exception!.*", "it wrote to a closed connection", during=(AWAY,)),
    Expected("too many commands: one was not run", "one person floods, and is told"),
    Expected("question's deadline passed while it waited", "too much at once; the person is told"),
    Expected("interaction not acknowledged", "a resume brought it too late", r".*, code 10062.*", (AWAY,)),
    Expected("interaction not acknowledged", "a banned address", "RestUnavailable", (BANNED,)),
    Expected("interaction not acknowledged", "Discord 5xx for it for three seconds", "TimeoutError"),
    Expected(
        "interaction not acknowledged",
        "a refusal",
        r"Discord answered 404, code 0",
        (ACKNOWLEDGEMENTS_REFUSED,),
    ),
    Expected("sending paused", "a ban, or a global 429", HELD, (BANNED, GLOBAL_429)),
    Expected("answer could not be shown", "private, and not acknowledged", NO_PLACE, UNACKNOWLEDGED),
    Expected("answer could not be shown", "private, and not acknowledged", UNKNOWN, UNACKNOWLEDGED),
    Expected("answer could not be shown", "a closed channel", MISSING_ACCESS, (CLOSED,)),
    Expected("answer could not be shown", "Discord 5xx for each try", r"Discord answered 50\d, code 0"),
    Expected("refusal could not be sent", "a closed channel", MISSING_ACCESS, (CLOSED,)),
    Expected("refusal could not be sent", "private, and not acknowledged", NO_PLACE, UNACKNOWLEDGED),
    Expected("command reply rejected", "it could not be acknowledged", UNKNOWN, UNACKNOWLEDGED),
    Expected("reply's file rejected", "no permission", r"Discord answered 403, code 50013 .*", (NO_FILES,)),
    Expected("failure notice rejected", "it could not be acknowledged", UNKNOWN, UNACKNOWLEDGED),
    Expected("failure notice rejected", "a closed channel", MISSING_ACCESS, (CLOSED,)),
    Expected("failure notice rejected", "Discord 5xx for edits", r"Discord answered 50\d, code 0"),
    Expected("failure notice rejected", "Discord 429 for edits", r"Discord answered 429, code 0"),
    Expected("person could not be notified", "many at once, or many mentions", during=(BANNED, CLOSED, AWAY)),
    Expected("people could not be notified", "direct messages waited when the bot was told to end"),
)
"""Every warning that may be there."""
