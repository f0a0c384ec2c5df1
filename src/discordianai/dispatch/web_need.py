"""Whether a question needs the web, by its words alone, and whether it follows up on the last answer.

Rules for where no model can decide. The words are of a dozen languages. Only whole words match, so that
"whether" is not "weather"; in Chinese, Japanese and Korean, written without spaces, any part of the text.
"""

import re
from dataclasses import dataclass

from discordianai.records import Turn


def _phrases(lines: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in lines.replace("\n", ",").split(",") if phrase.strip())


def _whole_words(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """As they are found in text that begins, ends and is divided by single spaces."""
    return tuple(f" {phrase[:-1]}" if phrase.endswith("*") else f" {phrase} " for phrase in phrases)


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

SUBJECTS = _phrases("""
    bitcoin*, btc, ethereum, nasdaq, mortgage rate*, gas price*, league, world cup, super bowl, superbowl
    playoffs, nba, nfl, nhl, f1, grand prix, olympics, match, game, race, episode, season, kick off, lineup
    line up, coach, manager, tour, concert*, festival, eurovision, dlc, trailer, update, sale, flight*
    trains, train, subway, metro, motorway, traffic, airport, border, storm, typhoon, hurricane, earthquake
    wildfire*, flooding, election*, polls, president, mayor, ceo, champion, law, shops, bundesliga, spielt
    spiel, rennen, staffel, konzert*, tickets, kino, trainer, tabelle, aktie*, benzin, bahn, züge, zug
    autobahn, flug, flughafen, strom, stromausfall, unwetter, sturm, erdbeben, wahl, umfragen, kanzler
    bundeskanzler, präsident, minister, gesetz, läden, bourse, ligue, coupe du monde, épisode, saison
    concert, billets, film, entraîneur, classement, mercato, métro, rer*, tgv, aéroport, panne, tempête
    séisme, incendie*, élection*, sondages, président, dólar, bolsa, liga, mundial, partido, juega, carrera
    episodio, temporada, concierto, entradas, entrenador, tren*, vuelo*, aeropuerto, carretera, frontera
    luz, tormenta, terremoto, incendio*, elecciones, encuestas, presidente, selic, jogo, joga, corrida
    episódio, show, ingressos, técnico, classificação, ônibus, trem, voo, aeroporto, estrada, energia, chuva
    eleição, eleições, pesquisas, resultado, borsa, partita, gioca, gara, puntata, stagione, concerto
    biglietti, allenatore, classifica, treni, treno, volo, autostrada, elezioni, sondaggi, legge, beurs
    wedstrijd, speelt, aflevering, seizoen, kaartjes, treinen, trein, vlucht, snelweg, verkiezing*
    peilingen, биткоин*, акции, матч*, игра*, гонк*, сери*, сезон*, концерт*, билет*, тренер*, таблиц*
    поезд*, электричк*, метро, рейс*, аэропорт*, свет, шторм, землетрясени*, выбор*, опрос*, президент*
    закон, телега, фильм*, mecz*, wyścig*, odcin*, sezon*, koncert*, bilet*, trener*, tabel*, pociąg*
    lotnisk*, prąd*, wybor*, sondaż*, prezydent*, ustaw*, film*, gram altın, lig, maç*, yarış*, bölüm*
    konser*, hoca*, puan, metro*, uçak, uçuş*, havaalanı, elektrik*, deprem*, seçim*, anket*, cumhurbaşkanı
    yasa, okullar
""")
"""Things that are different next week. One that ends with * is the beginning of a word: languages decline."""

STATES = _phrases("""
    when, when's, next, still, yet, already, again, anymore, now, rn, new, wann, nächste*, noch, schon
    wieder, jetzt, grad, gerade, neue*, fährt, fahren, quand, prochain*, encore, déjà, maintenant, nouveau*
    nouvelle*, ou pas, roule*, ouvert*, cuándo, próxim*, todavía, sigue*, ya, ahora, nuev*, qué hora, quando
    ainda, já, agora, nov*, tá, que horas, prossim*, ancora, già, adesso, nuov*, wanneer, volgende, nog, nu
    nieuwe, rijden, когда, следующ*, еще, ещё, уже, сейчас, щас, нов*, опять, сколько, вышел, вышла, kiedy
    następn*, jeszcze, już, teraz, now*, o której, ne zaman, sonraki, hala, hâlâ, şimdi, yeni, kaç*
    ne kadar
""")
"""Words by which people ask how such a thing is at the moment, or when it will be."""

UNSPACED_SUBJECTS = _phrases("""
    ビットコイン, 株価, 試合, 順位, 監督, チケット, ライブ, 続編, 新曲, 映画, 電車, 停電, 台風, 地震, 選挙
    大統領, 比特币, 股价, 比赛, 排名, 教练, 门票, 演唱会, 电影, 地铁, 航班, 停电, 台风, 选举, 总统, 비트코인
    주가, 경기, 순위, 감독, 티켓, 콘서트, 컴백, 영화, 시즌, 지하철, 기차, 정전, 태풍, 지진, 선거, 대통령
""")
UNSPACED_STATES = _phrases("""
    いつ, 次の, まだ, もう, 今, 新しい, 動いてる, 止まって, どこまで, 決まった, 発表された, 什么时候, 下一场
    还, 已经, 现在, 了吗, 언제, 다음, 아직, 벌써, 지금, 나왔, 얼마, 어디쯤, 운행
""")
"""Both of them in languages written without spaces, or with endings."""

EXPLAINING = _phrases("""
    explain*, write, rewrite, translate*, meaning, mean, means, difference, how do, how does, how to
    how can, why, what is a, what is an, ideas, poem, story, essay, my, erklär*, schreib*, übersetz*
    unterschied, bedeutet, warum, wie, mein*, gedicht, idee*, explique*, écris*, tradui*, différence
    signifie, comment, pourquoi, mon, ma, mes, explica*, escrib*, traduc*, diferencia, significa, por qué
    mi, mis, escrev*, traduz*, diferença, como, por que, meu, minha, spieg*, scriv*, traduci, differenza
    perché, mio, mia, leg uit, schrijf, vertaal, hoe, waarom, mijn, объясни*, напиши*, переведи*, разниц*
    отличается, что такое, как, почему, придумай*, мой, моя, мое, wyjaśnij, napisz*, przetłumacz*, różnic*
    co to jest, jak, dlaczego, mój, moja, moje, açıkla*, yaz, çevir*, fark*, nedir, nasıl, neden, öner
    şiir*
""")
UNSPACED_EXPLAINING = _phrases("""
    書いて, とは, って何, 違い, 翻訳, 作り方, 説明, なぜ, どうして, 私の, 写一, 区别, 翻译, 什么是, 解释
    为什么, 我的, 써줘, 차이, 설명, 번역, 어떻게, 왜, 뭐야
""")
"""Ways to ask for an explanation or a text, or about something of one's own."""

COMING_YEAR = re.compile(r" 20(?:2[6-9]|3\d) ")

OPENINGS = _phrases("""
    and, but, so, also, why, then, more, what about, how about, what else, ok
    und, aber, warum, et, mais, pourquoi, y, pero, por qué, e, mas, ma, perché, а, и, но, почему
""")
POINTING = frozenset(_phrases("it, its, that, this, they, them, those, these, he, she, his, her"))
LONGEST_FOLLOW_UP = 12
"""Words; longer questions usually name their subject."""

_SUBJECTS, _STATES, _EXPLAINING = map(_whole_words, (SUBJECTS, STATES, EXPLAINING))
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
    if spaced or any(word in lowered for word in UNSPACED) or _asks_for_a_state(words, lowered):
        return WebNeed(web=True, why="about current events")
    return WebNeed(web=False, why="no search needed")


def _asks_for_a_state(words: str, lowered: str) -> bool:
    """Whether it asks how something that changes is now, and wants no explanation of it."""

    def has(spaced: tuple[str, ...], unspaced: tuple[str, ...]) -> bool:
        return any(phrase in words for phrase in spaced) or any(word in lowered for word in unspaced)

    if has(_EXPLAINING, UNSPACED_EXPLAINING):
        return False
    return bool(COMING_YEAR.search(words)) or (
        has(_SUBJECTS, UNSPACED_SUBJECTS) and has(_STATES, UNSPACED_STATES)
    )


def is_follow_up(text: str, history: tuple[Turn, ...]) -> bool:
    """Whether the question follows up on the last answer, rather than beginning something new."""
    words = text.lower().translate(_APART).split()
    if not history or len(words) > LONGEST_FOLLOW_UP:
        return False
    opening = f"{' '.join(words[:3])} "
    return any(opening.startswith(f"{start} ") for start in OPENINGS) or not POINTING.isdisjoint(words)
