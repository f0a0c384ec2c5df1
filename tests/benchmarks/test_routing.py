"""The questions by which routing is measured, and that a model's accuracy is measured by a real run."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from benchmarks import harness, routing
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import ServiceOptions, open_providers
from discordianai.settings.tables import Settings
from discordianai.transport import MultiplexedTransport

ASKED: Sequence[routing.LabelledQuestion] = (
    routing.LabelledQuestion("en", True, "the weather in leeds?"),
    routing.LabelledQuestion("en", True, "did arsenal win?"),  # the sandbox does not call for the web here
    routing.LabelledQuestion("en", False, "why do cats purr"),
    routing.LabelledQuestion("de", False, "wie kocht man reis"),
)


def test_the_questions_are_balanced() -> None:
    """Ten of each kind in each of ten languages, none of them twice."""
    asked = routing.questions()
    counted = Counter((one.language, one.web) for one in asked)
    assert len({one.text for one in asked}) == 200
    assert len({language for language, _ in counted}) == 10
    assert set(counted.values()) == {10}
    later = routing.questions(routing.UNSEEN)
    assert set(Counter((one.language, one.web) for one in later).values()) == {3}
    assert not {one.text for one in later} & {one.text for one in asked}


def test_without_a_key_the_evaluation_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, and with a status of its own."""
    for name in ("OPENAI_API_KEY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    assert routing.main(["--live"]) == 2
    assert capsys.readouterr().err.strip() == routing.NO_KEY


async def test_the_accuracy_of_a_model_is_what_it_calls_for(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its tool and by decisions, with what both took; a failure counts as wrong."""
    async with (
        open_providers(authority, ServiceOptions(first_token=0.0, between_tokens=0.0)) as services,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        table = {"base_url": services.openai.url, "dialect": "responses", "api_key": "sandbox-key"}
        settings = Settings.model_validate({"providers": {"openai": table}})
        await routing.report_live(harness.Report(), settings, "openai", client, ASKED)
        assert services.openai.rejected == []
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    told = {row[0].removeprefix("| "): row[1:5] for row in rows}
    assert told["tool"] == told["decisions"] == ["75.0%", "1", "2", "0"]


async def test_every_strategy_answers_every_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the bot's own chain and clients; each search is counted, and a decision is paid for."""
    monkeypatch.setattr(routing, "SANDBOX", replace(routing.SANDBOX, first_token=0.0, between_tokens=0.0))
    report = harness.Report()
    await routing.report_strategies(report, ASKED)
    assert report.missed == []
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    searches = {row[0].removeprefix("| "): row[2] for row in rows[1:]}
    assert searches == {
        "---": "---",
        "tool": "2",
        "decisions": "2",
        "rules": "1",
        "openai": "0",
        "perplexity": "4",
    }


def test_every_line_of_the_questions_is_one() -> None:
    """The file is for others to read, too."""
    for line in routing.QUESTIONS.read_text("utf-8").splitlines():
        assert json.loads(line).keys() == {"language", "web", "text"}
