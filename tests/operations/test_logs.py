"""What is logged, and what never is."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from discordianai.operations import logs
from discordianai.settings import LoggingSettings

TOKEN = "aW50ZXJhY3Rpb246MTIzOnNlY3JldA"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Give pytest its own logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_plain_lines_are_key_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LoggingSettings(format="plain"))
    structlog.get_logger("discordianai.app").info("two words", question=7)
    line = capsys.readouterr().err
    assert 'level=info logger=discordianai.app event="two words" question=7' in line


def test_json_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LoggingSettings(format="json"))
    logging.getLogger("discordianai").warning("from the standard library")
    assert json.loads(capsys.readouterr().err)["event"] == "from the standard library"


def test_debug_shows_only_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LoggingSettings(level="INFO"))
    structlog.get_logger("discordianai.app").debug("a detail")
    assert capsys.readouterr().err == ""
    logs.configure(LoggingSettings(level="DEBUG"))
    structlog.get_logger("discordianai.app").debug("a detail")
    assert "a detail" in capsys.readouterr().err


@pytest.mark.parametrize("style", ["plain", "json", "console"])
def test_no_interaction_token_gets_through_not_even_in_a_traceback(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(LoggingSettings.model_validate({"format": style}))
    logging.getLogger("interactions").error(f"POST::http://x/interactions/1/{TOKEN}/callback: 404")  # noqa: G004  # as the library does
    try:
        raise OSError(f"cannot connect to https://x/webhooks/2/{TOKEN}/messages/@original")
    except OSError:
        structlog.get_logger("discordianai.app").exception("failed")
    told = capsys.readouterr().err
    assert "cannot connect" in told
    assert TOKEN not in told


def test_libraries_that_log_addresses_are_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(LoggingSettings(level="DEBUG"))
    for name in ("httpx", "interactions", "hpack.hpack"):
        logging.getLogger(name).info("an address or a header")
    assert capsys.readouterr().err == ""
