"""Which provider a question goes to, and why."""

from collections import OrderedDict
from collections.abc import Collection, Hashable
from dataclasses import dataclass, replace
from enum import StrEnum

import structlog

from discordianai.dispatch import rules
from discordianai.model import ProviderName, Tool, Turn

WEB_SEARCH = Tool(
    name="web_search",
    description="Search the live web. Use it for news, weather, prices, recent events or versions, and "
    "whenever the person asks to search.",
    parameter="query",
    meaning="What to search for, complete in itself",
)

MOST_REMEMBERED = 10_000
"""Conversations whose last provider is known, for follow-ups."""


class Strategy(StrEnum):
    """How a provider is chosen where the person has not."""

    TOOL = "tool"
    RULES = "rules"
    OPENAI = "openai"
    PERPLEXITY = "perplexity"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What there is to choose by. `wanted` is the provider that the person asked for."""

    text: str
    history: tuple[Turn, ...]
    conversation: Hashable
    wanted: ProviderName | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider, and why in three words. `tools` it may call; `strict`, no other may answer instead."""

    provider: ProviderName
    why: str
    tools: tuple[Tool, ...] = ()
    strict: bool = False


class Router:
    """Chooses among the providers that are `available`."""

    def __init__(self, available: Collection[ProviderName], strategy: Strategy = Strategy.TOOL) -> None:
        self._available = tuple(available)
        self._strategy = strategy
        self._last: OrderedDict[Hashable, ProviderName] = OrderedDict()

    def choose(self, inquiry: Inquiry) -> Choice:
        """Where this question goes first."""
        if inquiry.wanted in self._available:
            return Choice(inquiry.wanted, "as you asked", strict=True)
        if len(self._available) == 1:
            return Choice(self._available[0], "the only one")
        if self._strategy is Strategy.TOOL:
            return Choice(ProviderName.OPENAI, "no search needed", (WEB_SEARCH,))
        if self._strategy is Strategy.RULES:
            return self._by_rules(inquiry)
        return Choice(ProviderName(self._strategy), "set by operator")

    def _by_rules(self, inquiry: Inquiry) -> Choice:
        verdict = rules.judge(inquiry.text)
        last = self._last.get(inquiry.conversation)
        if not verdict.web and last and rules.is_follow_up(inquiry.text, inquiry.history):
            return Choice(last, "as just before")
        return Choice(ProviderName.PERPLEXITY if verdict.web else ProviderName.OPENAI, verdict.why)

    def search(self) -> Choice:
        """Where a question goes whose model called for the web."""
        return Choice(ProviderName.PERPLEXITY, "needs the web")

    def instead(self, choice: Choice, failed: Collection[ProviderName]) -> Choice | None:
        """Where it goes after `choice` has failed, if there is such a place."""
        others = [name for name in self._available if name not in failed]
        if choice.strict or not others:
            return None
        return replace(choice, provider=others[0], why="other one failed", tools=())

    def answered(self, inquiry: Inquiry, provider: ProviderName) -> None:
        """This provider has begun to answer."""
        self._last[inquiry.conversation] = provider
        self._last.move_to_end(inquiry.conversation)
        if len(self._last) > MOST_REMEMBERED:
            self._last.popitem(last=False)

    def give_up_tools(self) -> None:
        """OpenAI's endpoint refuses tools: from now on the rules decide."""
        if self._strategy is Strategy.TOOL:
            self._strategy = Strategy.RULES
            log = structlog.get_logger("discordianai.dispatch.routing")
            log.warning("the endpoint refuses tools: routing goes by rules from now on")
