"""Whether a question needs the live web, judged from its text alone. Pure functions.

They are used where no model can decide. The words are of a dozen languages. Only whole words match, so that
"whether" is not "weather"; in Chinese, Japanese and Korean, written without spaces, any part of the text.
"""

from dataclasses import dataclass

from discordianai.records import Turn


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
    internetten bak, internette ara, internetten araştır, google'da ara
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

MATTERS = _phrases("""
    price of, prices, how much is a, how much are, how much does, in stock, going for, minimum wage
    interest rate, who won, did they win, standings, match result, final score, release date, come out
    comes out, coming out, out yet, trailer, patch notes, stable version, outage, servers down, down for
    delayed, canceled, cancelled, opening hours, opening times, this weekend, next year, these days
    on strike, box office, in theaters, in cinemas, prime minister
    kostet, preis, preise, öffnungszeiten, geöffnet, streik, streiken, stau, gesperrt, störung, leitzins
    zinsen, spielstand, erscheinungsdatum, neue staffel, inzwischen, mittlerweile, am wochenende
    quel temps, hier soir, en ce moment, maintenant, cette semaine, prix, combien coûte, combien vaut
    grève, horaires, date de sortie, dernière version, en panne, a gagné, premier ministre
    finde, fin de semana, a cuánto está, cuánto cuesta, precio, precios, huelga, horario, se cayó
    ya salió, tráiler, ahora mismo, última versión, quién ganó, fecha de estreno
    cotação, vai chover, fora do ar, quando sai, greve, em cartaz, quanto custa, preço, preços, placar
    quem ganhou, saiu o, hoje em dia, agora, fim de semana
    prezzo, prezzi, quanto costa, sciopero, in questo momento, chi ha vinto, quando esce, ultima versione
    hoeveel kost, prijs, prijzen, storing, staking, openingstijden, wie heeft gewonnen, wanneer komt
    сколько стоит, цена, цены, почём, когда выйдет, дата выхода, последняя версия, кто выиграл, как сыграл
    расписание, пробки, рейсы, новинки, нынче
    po ile, ile kosztuje, ceny, awaria, awarię, kiedy wychodzi, premiera, kto wygrał, wynik meczu, teraz
    najnowszy, najnowsza, najnowsze, utrudnienia, korki, strajk, godziny otwarcia, prognoza
    bugün, yarın, dün, şu an, şu anda, bu hafta, bu ay, hava durumu, hava nasıl, haberler, son dakika
    fiyatı, fiyatlar, kaç lira, dolar kaç, euro kaç, asgari ücret, çöktü, ne zaman çıkıyor
    ne zaman çıkacak, vizyonda, maç sonucu, puan durumu, son sürüm, grev, çalışma saatleri
""")
"""Things that change: prices, results, releases, outages, timetables, offices."""

UNSPACED = _phrases("""
    今日, 昨日, 明日, 今週, 最新, ニュース, 天気, 検索して, 調べて
    今天, 昨天, 明天, 本周, 新闻, 新聞, 天气, 天氣, 搜索一下, 查一下
    오늘, 어제, 내일, 이번 주, 최신, 뉴스, 날씨, 검색해
    いくら, 値段, 価格, 為替, 落ちてる, 在庫, 発売日, いつ公開, 遅延, 遅れてる, 何時まで, 営業時間
    総理大臣, 今の
    价格, 多少钱, 汇率, 上映, 比分, 谁赢了, 宕机, 营业时间
    환율, 가격, 시세, 얼마야, 터졌, 이겼, 출시일, 언제 나와, 지연, 최저시급, 영업시간, 지금, 요즘
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
    spaced = any(f" {phrase} " in words for phrase in (*TIMES, *MATTERS))
    if spaced or any(word in lowered for word in UNSPACED):
        return WebNeed(web=True, why="about current events")
    return WebNeed(web=False, why="no search needed")


def is_follow_up(text: str, history: tuple[Turn, ...]) -> bool:
    """Whether the question follows up on the last answer, rather than beginning something new."""
    words = text.lower().translate(_APART).split()
    if not history or len(words) > LONGEST_FOLLOW_UP:
        return False
    opening = f"{' '.join(words[:3])} "
    return any(opening.startswith(f"{start} ") for start in OPENINGS) or not POINTING.isdisjoint(words)
