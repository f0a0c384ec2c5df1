"""The rules send to the web what needs it, in several languages, and leave the rest where it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.dispatch.routing import is_follow_up, judge
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
