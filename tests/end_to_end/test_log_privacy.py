"""The check of every test's log notices what it is for."""

import pytest

from tests.end_to_end.log_privacy import leaks

LINE = 'timestamp=1 level=info logger=discordianai.bot event="a question" of="{}"'
SECRETS = ["sandbox-token"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Why is the sky blue, and not green?", "is the sky blue"),
        ("unhappiness here", "unhappiness here"),
        ("why is the sky blue", r"Why\nis the SKY: blue"),
    ],
)
def test_words_of_people_in_a_log_are_noticed_with_the_event(text: str, shown: str) -> None:
    assert leaks(LINE.format(shown), [text], SECRETS) == ['somebody\'s words in: "a question"']


def test_a_line_without_a_level_belongs_to_the_one_before_it() -> None:
    traceback = "Traceback\nValueError: why is the sky blue"
    assert len(leaks(LINE.format("") + "\n" + traceback, ["why is the sky blue"], [])) == 1
    assert leaks("level=debug event=x\n" + traceback, ["why is the sky blue"], []) == []


def test_secrets_may_not_even_be_in_a_debug_line() -> None:
    told = leaks('{"event": "login", "level": "debug", "with": "sandbox-token"}', [], SECRETS)
    assert told == ["a secret in: login"]


def test_a_discreet_log_is_none_of_its_business() -> None:
    assert (
        leaks(LINE.format("answered in 3 s"), ["why?", "again", "what was answered in March"], SECRETS) == []
    )
