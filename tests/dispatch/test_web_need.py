"""The rules send to the web what needs it, in several languages, and leave the rest where it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.dispatch.web_need import is_follow_up, judge
from discordianai.records import Role, Turn

STAYS = [
    "What is a monad?",
    "fix main.py for me",
    "who are you?",
    "Explain binary search in Python",
    "search is O(log n), why?",
    "How does an electric current flow?",
    "what does cd to the current directory do",
    "Who founded Google?",
    "whether or not to use a newsletter",
    "Was steht hier?",
    "Übersetze das ins Englische",
    "explique-moi les fermetures",
    "モナドとは何ですか",
    "translate 'I will see you then'",
    "write a haiku about autumn",
    "¿qué hago de cena?",
    "qué diferencia hay entre haber y a ver",
    "how does network traffic find its way",
    "how many files can i upload at once",
    "the table got dropped by accident, can i undo it",
    "is there a race condition in this snippet",
    "did i use the update statement right",
    "who invented the subway sandwich",
    "any good game to play with 3 friends",
    "what are good tickets for a scrum board",
    "explain the next match statement in 2027 words",
    "kurs in stochastik nicht bestanden, was nun",
    "gibt es ein gesetz zur großen zahl",
    "qui a inventé le métro",
    "quién inventó la luz",
    "czy film jest rodzaju męskiego",
    "deprem anında ne yapmalıyım",
    "発表の原稿を直して",
    "발표 대본 고쳐줘",
    "",
]
GOES = [
    "weather in Paris today",
    "who won the game last night?",
    "What's the latest version of Python?",
    "summarise https://example.com/article",
    "search the web for llama recipes",
    "please look it up",
    "any news about the launch",
    "What is the EXCHANGE RATE of the euro",
    "Wie ist das Wetter in Berlin?",
    "was gibt es heute Neues",
    "quelle est la météo à Lyon",
    "¿qué noticias hay?",
    "últimas notícias do Brasil",
    "cerca su internet un ristorante",
    "какая сегодня погода",
    "今日のニュースは？",
    "北京今天天气怎么样",
    "오늘 날씨 어때",
    "what are the opening hours of the museum",
    "was kostet ein deutschlandticket",
    "cuánto cuesta la switch 2",
    "dolar kaç lira oldu",
    "山手線遅れてる？",
    "when is the next grand prix",
    "are the trains back up yet",
    "wann spielt union wieder",
    "quand sort le prochain film de nolan",
    "cuándo son las próximas elecciones",
    "já começou a venda de ingressos",
    "kiedy następny mecz",
    "когда следующий матч",
    "yeni sezon ne zaman",
    "次の試合いつ",
    "다음 경기 언제야",
    "new visa fees for 2027",
]


@pytest.mark.parametrize("text", STAYS)
def test_what_does_not_change_needs_no_web(text: str) -> None:
    assert not judge(text).web


@pytest.mark.parametrize("text", GOES)
def test_what_changes_or_is_asked_for_does(text: str) -> None:
    assert judge(text).web


HISTORY = (Turn(Role.USER, "tell me about Rome"), Turn(Role.ASSISTANT, "It is old."))


@pytest.mark.parametrize(
    "text", ["and its population?", "why?", "What about Naples", "tell me more about it", "und warum?"]
)
def test_what_goes_on_from_the_last_answer_is_a_follow_up_but_only_where_there_is_one(text: str) -> None:
    assert is_follow_up(text, HISTORY)
    assert not is_follow_up(text, ())


@pytest.mark.parametrize("text", ["What is a monad?", "write a haiku about autumn", "fix main.py for me"])
def test_what_begins_something_new_is_none(text: str) -> None:
    assert not is_follow_up(text, HISTORY)


@given(st.text())
def test_any_text_is_judged_in_three_words(text: str) -> None:
    assert len(judge(text).why.split()) == 3
    is_follow_up(text, HISTORY)
