"""Which provider a question goes to, and why. Providers differ by what they can do, never by name."""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace

import structlog
import trio

from discordianai.dispatch.options import DECISIONS, TOOL, RoutingOptions
from discordianai.dispatch.web_need import WebNeed, is_follow_up, judge
from discordianai.option import Live
from discordianai.providers.optional_fields import AGAIN_AFTER
from discordianai.records import Provider, SearchMode, Tool, Turn, WebSearch

WEB_SEARCH = Tool(
    name="web_search",
    description="Search the live web. Use it for news, weather, prices, recent events or versions, and "
    "whenever the person asks to search.",
    parameter="query",
    meaning="What to search for, complete in itself",
)

MOST_REMEMBERED = 10_000
"""Conversations whose last provider is remembered, for follow-ups."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What the choice depends on. `wanted` names the provider that the person asked for; with `search`, the
    person asked for the live web. `images` and `files` tell whether some are attached. `web` is what a model
    has decided: whether the web is needed."""

    text: str
    history: tuple[Turn, ...]
    conversation: Hashable
    wanted: str | None = None
    search: bool = False
    images: bool = False
    files: bool = False
    web: bool | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider, and why in about three words. `tools` are those it may call.

    If it is `strict`, no other may answer instead, unless a search is required and the other one searches.
    One that `stands_in` is asked because another one failed.
    """

    provider: Provider
    why: str
    tools: tuple[Tool, ...] = ()
    search: SearchMode = SearchMode.OFF
    strict: bool = False
    stands_in: bool = False


class Router:
    """Chooses among the providers that are `available`, of which there is at least one."""

    def __init__(self, available: Sequence[Provider], options: Live[RoutingOptions] | None = None) -> None:
        self._available = tuple(available)
        self._options = options or Live(RoutingOptions())
        self._last: OrderedDict[Hashable, str] = OrderedDict()
        self._refuses_tools: dict[str, float] = {}

    def choose(self, inquiry: Inquiry) -> Choice:
        """The first provider for this question."""
        wanted = self._named(inquiry.wanted)
        if inquiry.search and (searcher := self._searcher()) is not None:
            return Choice(searcher, "as you asked", search=SearchMode.REQUIRED, strict=True)
        if wanted is not None:
            return Choice(wanted, "as you asked", strict=True)
        if len(self._available) == 1:
            only = self._available[0]
            return Choice(only, "the only one", search=self._offered(only))
        if (set_by_operator := self._named(self._options.now.strategy)) is not None:
            return Choice(set_by_operator, "set by operator")
        return self._by_need(inquiry)

    def undecided(self, inquiry: Inquiry) -> bool:
        """Whether who answers is a matter of a model's decision, which `Inquiry.web` then has."""
        if self._options.now.strategy != DECISIONS or inquiry.search or self._named(inquiry.wanted):
            return False
        answerer = self._answerer(inquiry)
        kept = self._followed_up(inquiry) not in {None, answerer}
        return self._searcher() not in {None, answerer} and not kept

    def _by_need(self, inquiry: Inquiry) -> Choice:
        """By whether the web is needed: the provider that searches, or the one that answers the rest."""
        answerer, searcher = self._answerer(inquiry), self._searcher()
        if (last := self._followed_up(inquiry)) is not None and last != answerer:
            return Choice(last, "same as before", search=self._offered(last))
        if searcher is None:
            return Choice(answerer, "by default")
        if answerer == searcher:
            return Choice(answerer, "by default", search=self._offered(answerer))
        if self._options.now.strategy == TOOL and self._takes_tools(answerer):
            return Choice(answerer, "no search needed", (WEB_SEARCH,))
        return self._by_rules(inquiry, answerer, searcher)

    def _followed_up(self, inquiry: Inquiry) -> Provider | None:
        """Who answered last, where the question follows up on that, and it takes what is attached."""
        last = self._named(self._last.get(inquiry.conversation))
        if last is None or not _takes(last, inquiry) or judge(inquiry.text).web:
            return None
        return last if is_follow_up(inquiry.text, inquiry.history) else None

    def _by_rules(self, inquiry: Inquiry, answerer: Provider, searcher: Provider) -> Choice:
        verdict = judge(inquiry.text)
        if inquiry.web is not None:
            verdict = WebNeed(inquiry.web, "needs the web" if inquiry.web else "no search needed")
        if verdict.web:
            return Choice(searcher, verdict.why, search=SearchMode.REQUIRED)
        return Choice(answerer, verdict.why)

    def _answerer(self, inquiry: Inquiry) -> Provider:
        """Who answers without a search: preferably one that takes what is attached, and need not search."""
        return max(
            self._in_order,
            key=lambda one: (_takes(one, inquiry), one.web_search is not WebSearch.ALWAYS),
        )

    def _searcher(self) -> Provider | None:
        """Who searches: preferably one that always does."""
        searching = [one for one in self._in_order if one.searches]
        always = [one for one in searching if one.web_search is WebSearch.ALWAYS]
        return next(iter((*always, *searching)), None)

    @property
    def _in_order(self) -> Sequence[Provider]:
        """All of them: those that `fallback` names first."""
        return sorted(self._available, key=self._place)

    def _place(self, provider: Provider) -> int:
        names = self._options.now.fallback or ()
        return names.index(provider.name) if provider.name in names else len(names)

    def _named(self, name: str | None) -> Provider | None:
        return next((one for one in self._available if one.name == name), None)

    def search(self) -> Choice | None:
        """The provider for a question whose model called for a search."""
        searcher = self._searcher()
        return None if searcher is None else Choice(searcher, "needs the web", search=SearchMode.REQUIRED)

    def instead(self, choice: Choice, failed: Collection[str], inquiry: Inquiry) -> Choice | None:
        """The next provider after `choice` has failed, if there is one: preferably one that takes what is
        attached."""
        named = self._options.now.fallback
        left = [one for one in self._in_order if one.name not in failed]
        left.sort(key=lambda one: not _takes(one, inquiry))
        if named is not None:
            left = [one for one in left if one.name in named]
        others = [] if choice.strict else left
        search = SearchMode.OFF
        if choice.search is SearchMode.REQUIRED and (searching := [one for one in left if one.searches]):
            others, search = searching, SearchMode.REQUIRED
        if not others:
            return None
        return replace(
            choice, provider=others[0], why="the other failed", tools=(), search=search, stands_in=True
        )

    def answered(self, inquiry: Inquiry, choice: Choice) -> None:
        """Its provider has begun to answer. A follow-up does not keep one that stood in for another."""
        if choice.stands_in:
            return
        self._last[inquiry.conversation] = choice.provider.name
        self._last.move_to_end(inquiry.conversation)
        if len(self._last) > MOST_REMEMBERED:
            self._last.popitem(last=False)

    def _offered(self, provider: Provider) -> SearchMode:
        """A provider that searches on request decides by itself, where no other one searches."""
        on_request = provider.web_search is WebSearch.ON_REQUEST
        return SearchMode.OFFERED if on_request and not self._refused(provider) else SearchMode.OFF

    def _takes_tools(self, provider: Provider) -> bool:
        return provider.tools and not self._refused(provider)

    def _refused(self, provider: Provider) -> bool:
        until = self._refuses_tools.get(provider.name)
        return until is not None and trio.current_time() < until

    def give_up_tools(self, provider: Provider, until: float | None = None) -> None:
        """Its endpoint refuses tools: the rules decide until then, on trio's clock, or for a day."""
        if not self._refused(provider):
            log = structlog.get_logger("discordianai.dispatch.routing")
            log.warning("endpoint refuses tools: routing by rules for now", provider=provider.name)
        now = trio.current_time()
        # Not already over: the same question would be asked with tools again.
        self._refuses_tools[provider.name] = now + AGAIN_AFTER if until is None else max(until, now + 1.0)


def _takes(provider: Provider, inquiry: Inquiry) -> bool:
    """Whether it takes what is attached."""
    return provider.images >= inquiry.images and provider.files >= inquiry.files
