"""What the operator can set of the way of a question to its provider."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from discordianai.option import Key

TOOL, RULES, DECISIONS = "tool", "rules", "decisions"
"""The strategies that choose; any other is the name of the provider that answers."""

STRATEGIES = (TOOL, RULES, DECISIONS)

Questions = Annotated[
    int, Ge(1), Le(1_000_000), Key("questions in any per_seconds; more are refused with a message", live=True)
]
Period = Annotated[float, Gt(0), Le(86_400), Key("length of that period", live=True)]


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """`[dispatch]`: what stands between a question and its provider."""

    queue_size: Annotated[
        int,
        Ge(1),
        Le(10_000),
        Key("questions that may wait for one provider; more are refused with a message"),
    ] = 200
    deadline_seconds: Annotated[
        float, Ge(1), Le(840), Key("seconds for one question, including waiting, retries and streaming")
    ] = 300.0
    max_attempts: Annotated[
        int,
        Ge(1),
        Le(10),
        Key("attempts per provider before the question fails, if nothing was shown yet"),
    ] = 3


@dataclass(frozen=True, slots=True)
class UserRateOptions:
    """`[rate_limits.user]`: each person's `questions` in any `per_seconds`.

    `in_flight` are worked on at once, `waiting` more may wait.
    """

    questions: Questions = 10
    per_seconds: Period = 60.0
    in_flight: Annotated[int, Ge(1), Le(100), Key("questions answered at the same time", live=True)] = 2
    waiting: Annotated[int, Ge(0), Le(100), Key("further questions that may wait for these", live=True)] = 3

    @property
    def most_open(self) -> int:
        """Of one person, being answered and waiting together."""
        return self.in_flight + self.waiting


@dataclass(frozen=True, slots=True)
class ServerRateOptions:
    """`[rate_limits.server]`: the same of all people of a server together."""

    questions: Questions = 300
    per_seconds: Period = 60.0


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """`[routing]`: who answers where a person has not said, if several providers are set up.

    `strategy` is one of `STRATEGIES`, or the name of a provider. `fallback` has names of providers; None is
    all of them, in the order of the settings.
    """

    strategy: Annotated[str, Key("tool, rules, decisions, or a provider's name")] = TOOL
    fallback: Annotated[
        tuple[str, ...] | None,
        Key("providers to ask if one fails, in this order; unset: all, []: none"),
    ] = None
