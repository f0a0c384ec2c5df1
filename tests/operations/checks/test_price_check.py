"""What `check` says of prices: their age, models without one, limits in money that are not firm."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from discordianai.conversations.prices import bundled
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.operations.checks.price_check import OLD, look
from discordianai.settings.tables import Settings

KEY = {"api_key": "k"}
LOCAL = {"base_url": "http://127.0.0.1:11434/v1", "model": "llama3.3"}
LIMITED = {"user": {"money": 0.5}}


def found(tables: Mapping[str, object], days: int = 0) -> list[Finding]:
    settings = Settings.model_validate({"providers": {"openai": KEY}, **tables})
    return list(look(settings, bundled().as_of + timedelta(days)))


@pytest.mark.parametrize(
    ("days", "verdict"), [(0, CheckStatus.OK), (OLD, CheckStatus.OK), (OLD + 1, CheckStatus.WARNING)]
)
def test_the_age_of_the_table_is_told(days: int, verdict: CheckStatus) -> None:
    """An old one is warned of, with what to do."""
    (age,) = found({}, days)
    assert (age.verdict, age.figures["days"]) == (verdict, days)
    assert str(bundled().as_of) in age.found
    assert bool(age.advice) == (verdict is CheckStatus.WARNING)


def test_a_day_is_no_days() -> None:
    """It is among the first lines that an operator reads of `check`."""
    assert [found({}, days)[0].found.rpartition(", ")[2] for days in (0, 1, 2)] == [
        "0 days old",
        "1 day old",
        "2 days old",
    ]


def test_a_clock_before_the_table_was_made_is_no_matter() -> None:
    """A machine whose clock is not set yet."""
    settings = Settings.model_validate({"providers": {"openai": KEY}})
    (age,) = look(settings, date(1970, 1, 1))
    assert age.verdict is CheckStatus.OK


def test_models_without_a_price_are_named_and_matter_where_money_is_limited() -> None:
    """Money does not limit them. What a preset costs is told by each of its answers."""
    providers = {"openai": KEY, "local": LOCAL, "perplexity": {**KEY, "more_models": ("high",)}}
    _, unpriced = found({"providers": providers})
    assert unpriced.verdict is CheckStatus.OK
    assert "local llama3.3" in unpriced.found
    assert "high" not in unpriced.found
    limited = found({"providers": providers, "daily_limits": LIMITED})
    assert any(each.verdict is CheckStatus.WARNING and "llama3.3" in each.found for each in limited)
    own = {"llama3.3": {"input_price": 0.0, "output_price": 0.0}}
    assert len(found({"providers": providers, "models": own})) == 1


def test_a_limit_in_money_is_firm_only_where_answers_have_a_limit() -> None:
    """An answer may cost more than its question has reserved."""
    (_, unbounded) = found({"daily_limits": LIMITED})
    assert (unbounded.verdict, "max_answer_tokens" in unbounded.advice) == (CheckStatus.WARNING, True)
    firm = {"openai": {**KEY, "max_answer_tokens": 1000}}
    assert len(found({"providers": firm, "daily_limits": LIMITED})) == 1
