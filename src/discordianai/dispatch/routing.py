"""Which provider a question goes to, and why. Providers differ by what they can do, never by name.

They are used where no model can decide. The words are of a dozen languages. Only whole words match, so that
"whether" is not "weather"; in Chinese, Japanese and Korean, written without spaces, any part of the text.
"""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace

import structlog

from discordianai.dispatch.options import TOOL, RoutingOptions
from discordianai.option import Live
from discordianai.records import Provider, SearchMode, Tool, Turn, WebSearch


def _phrases(lines: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in lines.replace("\n", ",").split(",") if phrase.strip())


LINKS = ("http://", "https://", "www.")

WISHES = _phrases("""
    search the web, search the internet, search the net, search online, search for news, look it up
    look up online, look online, find online, browse the web, do a web search, check online, check the web
    google it, google this, google that, google for
    suche im internet, such im internet, suche im netz, such im netz, google mal, recherchiere
    cherche sur internet, cherche sur le web, recherche sur internet, cherche en ligne
    busca en internet, busca en la web, busca en google, búscalo en internet
    pesquise na internet, procure na internet, pesquisa na internet, busque na internet
    cerca su internet, cerca sul web, cerca online
    zoek op internet, zoek online
    найди в интернете, поищи в интернете, загугли
    wyszukaj w internecie, poszukaj w internecie
""")
"""Phrases by which people ask for a search."""

TIMES = _phrases("""
    today, tonight, yesterday, tomorrow, currently, right now, at the moment, this week, this month
    this year, this morning, last night, last week, next week, latest, newest, recent, recently, breaking
    news, headlines, weather, forecast, stock price, share price, exchange rate, live score, current price
    current version, current events
    heute, gestern, derzeit, diese woche, aktuell, aktuelle, aktuellen, aktueller, neueste, neuesten
    nachrichten, wetter, wechselkurs
    aujourd'hui, demain, actuellement, météo, actualités, dernières nouvelles
    hoy, ayer, mañana, actualmente, noticias, últimas, esta semana
    hoje, ontem, amanhã, atualmente, notícias, previsão do tempo
    oggi, ieri, domani, attualmente, notizie, meteo, questa settimana
    vandaag, gisteren, nieuws, weerbericht, deze week
    сегодня, вчера, завтра, сейчас, новости, погода, курс доллара
    dzisiaj, dziś, wczoraj, jutro, aktualnie, wiadomości, pogoda
""")
"""Words about things that change."""

UNSPACED = _phrases("""
    今日, 昨日, 明日, 今週, 最新, ニュース, 天気, 検索して, 調べて
    今天, 昨天, 明天, 本周, 新闻, 新聞, 天气, 天氣, 搜索一下, 查一下
    오늘, 어제, 내일, 이번 주, 최신, 뉴스, 날씨, 검색해
""")
"""The same in languages written without spaces."""

OPENINGS = _phrases("""
    and, but, so, also, why, then, more, what about, how about, what else, ok
    und, aber, warum, et, mais, pourquoi, y, pero, por qué, e, mas, ma, perché, а, и, но, почему
""")
POINTING = frozenset(_phrases("it, its, that, this, they, them, those, these, he, she, his, her"))
LONGEST_FOLLOW_UP = 12
"""Words; longer questions usually name their subject."""

_APART = str.maketrans(dict.fromkeys('.,;:!?()[]{}<>"“”„«»*_~`|/\\—–-…¿¡。、，？！；：', " "))


@dataclass(frozen=True, slots=True)
class WebNeed:
    """Whether the web is needed, and why in about three words."""

    web: bool
    why: str


def judge(text: str) -> WebNeed:
    """Judge a question by its text."""
    lowered = text.lower()
    if any(link in lowered for link in LINKS):
        return WebNeed(web=True, why="contains a link")
    words = f" {' '.join(lowered.translate(_APART).split())} "
    if any(f" {wish} " in words for wish in WISHES):
        return WebNeed(web=True, why="you asked to search")
    if any(f" {time} " in words for time in TIMES) or any(word in lowered for word in UNSPACED):
        return WebNeed(web=True, why="about current events")
    return WebNeed(web=False, why="no search needed")


def is_follow_up(text: str, history: tuple[Turn, ...]) -> bool:
    """Whether the question follows up on the last answer, rather than beginning something new."""
    words = text.lower().translate(_APART).split()
    if not history or len(words) > LONGEST_FOLLOW_UP:
        return False
    opening = f"{' '.join(words[:3])} "
    return any(opening.startswith(f"{start} ") for start in OPENINGS) or not POINTING.isdisjoint(words)


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
    person asked for the live web. `images` and `files` tell whether some are attached."""

    text: str
    history: tuple[Turn, ...]
    conversation: Hashable
    wanted: str | None = None
    search: bool = False
    images: bool = False
    files: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider, and why in about three words. `tools` are those it may call.

    If it is `strict`, no other may answer instead, unless a search is required and the other one searches.
    """

    provider: Provider
    why: str
    tools: tuple[Tool, ...] = ()
    search: SearchMode = SearchMode.OFF
    strict: bool = False


class Router:
    """Chooses among the providers that are `available`, of which there is at least one."""

    def __init__(self, available: Sequence[Provider], options: Live[RoutingOptions] | None = None) -> None:
        self._available = tuple(available)
        self._options = options or Live(RoutingOptions())
        self._last: OrderedDict[Hashable, str] = OrderedDict()
        self._refuses_tools: set[str] = set()

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

    def _by_need(self, inquiry: Inquiry) -> Choice:
        """By whether the web is needed: the provider that searches, or the one that answers the rest."""
        answerer, searcher = self._answerer(inquiry), self._searcher()
        if searcher is None:
            return Choice(answerer, "by default")
        if answerer == searcher:
            return Choice(answerer, "by default", search=self._offered(answerer))
        if self._options.now.strategy == TOOL and answerer.tools and answerer.name not in self._refuses_tools:
            return Choice(answerer, "no search needed", (WEB_SEARCH,))
        return self._by_rules(inquiry, answerer, searcher)

    def _by_rules(self, inquiry: Inquiry, answerer: Provider, searcher: Provider) -> Choice:
        verdict = judge(inquiry.text)
        last = self._named(self._last.get(inquiry.conversation))
        if not verdict.web and last is not None and is_follow_up(inquiry.text, inquiry.history):
            return Choice(last, "same as before")
        if verdict.web:
            return Choice(searcher, verdict.why, search=SearchMode.REQUIRED)
        return Choice(answerer, verdict.why)

    def _answerer(self, inquiry: Inquiry) -> Provider:
        """Who answers without a search: preferably one that takes what is attached, and need not search."""
        return max(
            self._available,
            key=lambda one: (
                one.images >= inquiry.images and one.files >= inquiry.files,
                one.web_search is not WebSearch.ALWAYS,
            ),
        )

    def _searcher(self) -> Provider | None:
        """Who searches: preferably one that always does."""
        searching = [one for one in self._available if one.searches]
        always = [one for one in searching if one.web_search is WebSearch.ALWAYS]
        return next(iter((*always, *searching)), None)

    def _named(self, name: str | None) -> Provider | None:
        return next((one for one in self._available if one.name == name), None)

    def search(self) -> Choice | None:
        """The provider for a question whose model called for a search."""
        searcher = self._searcher()
        return None if searcher is None else Choice(searcher, "needs the web", search=SearchMode.REQUIRED)

    def instead(self, choice: Choice, failed: Collection[str]) -> Choice | None:
        """The next provider after `choice` has failed, if there is one."""
        left = [one for one in self._available if one.name not in failed]
        others = [] if choice.strict else left
        search = SearchMode.OFF
        if choice.search is SearchMode.REQUIRED and (searching := [one for one in left if one.searches]):
            others, search = searching, SearchMode.REQUIRED
        if not others:
            return None
        return replace(choice, provider=others[0], why="the other failed", tools=(), search=search)

    def answered(self, inquiry: Inquiry, provider: Provider) -> None:
        """This provider has begun to answer."""
        self._last[inquiry.conversation] = provider.name
        self._last.move_to_end(inquiry.conversation)
        if len(self._last) > MOST_REMEMBERED:
            self._last.popitem(last=False)

    def _offered(self, provider: Provider) -> SearchMode:
        """A provider that searches on request decides by itself, where no other one searches."""
        on_request = provider.web_search is WebSearch.ON_REQUEST
        return (
            SearchMode.OFFERED if on_request and provider.name not in self._refuses_tools else SearchMode.OFF
        )

    def give_up_tools(self, provider: Provider) -> None:
        """Its endpoint refuses tools: the rules decide from now on."""
        if provider.name not in self._refuses_tools:
            self._refuses_tools.add(provider.name)
            log = structlog.get_logger("discordianai.dispatch.routing")
            log.warning("endpoint refuses tools: routing by rules from now on", provider=provider.name)
