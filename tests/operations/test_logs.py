"""What is logged, how it looks, and what never is."""

import json
import logging
import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

import discordianai
from discordianai.operations import logs
from discordianai.operations.options import LoggingOptions
from discordianai.pseudonyms import Pseudonyms

TOKEN = "aW50ZXJhY3Rpb246MTIzOnNlY3JldA"

EVERY_STYLE = pytest.mark.parametrize("style", ["plain", "journal", "json", "console"])


def configure(**options: Any) -> None:
    logs.configure(LoggingOptions(**options))


def test_plain_lines_are_key_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    configure(format="plain")
    structlog.get_logger("discordianai.app").info("two words", question=7)
    line = capsys.readouterr().err
    assert 'level=info logger=discordianai.app event="two words" question=7' in line


def test_json_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure(format="json")
    logging.getLogger("discordianai").warning("from the standard library")
    assert json.loads(capsys.readouterr().err)["event"] == "from the standard library"


@EVERY_STYLE
@pytest.mark.parametrize(
    "text",
    [
        "cannot connect to postgresql://bot:s3cret@db/x",
        "cannot connect to postgres://bot:s3cret/with?signs@db/x",
        "missing = after host=db password=s3cret dbname=x",
        r"missing = after password = 's3cret \' s3cret' dbname=x",
        "postgresql://db/x?user=bot&password=s3cret&sslmode=require",
    ],
)
def test_no_line_has_the_password_of_a_database(
    style: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a library repeats of what it was given, in texts and in tracebacks."""
    configure(format=style)
    try:
        raise OSError(text)
    except OSError:
        structlog.get_logger("discordianai").exception(text, reason=text)
    written = capsys.readouterr().err
    assert "s3cret" not in written
    assert "…" in written or "\\u2026" in written


@EVERY_STYLE
def test_no_line_has_an_id_at_any_level(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Fields, texts, lists, tracebacks, and lines of other libraries have pseudonyms in their place."""
    pseudonyms = Pseudonyms(b"k" * 32)
    options: Any = {"format": style, "level": "DEBUG"}
    logs.configure(LoggingOptions(**options), pseudonyms)
    log = structlog.get_logger("discordianai.x").bind(channel=111111111111111111)
    try:
        raise ValueError("unknown person 222222222222222222")
    except ValueError:
        log.exception("GET /channels/333333333333333333", ids=[444444444444444444], person=7)
    log.debug("a detail", reason="in 555555555555555555:")
    logging.getLogger("interactions").warning("guild %s is away", 666666666666666666)
    told = capsys.readouterr().err
    assert not re.search(r"(\d)\1{17}", told), told
    for number in range(1, 7):
        assert pseudonyms.of(int(str(number) * 18)) in told
    assert pseudonyms.of(7) in told


def test_debug_shows_only_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="INFO")
    structlog.get_logger("discordianai.app").debug("a detail")
    assert capsys.readouterr().err == ""
    configure(level="DEBUG")
    structlog.get_logger("discordianai.app").debug("a detail")
    assert "a detail" in capsys.readouterr().err


def test_a_module_may_have_a_level_of_its_own_until_settings_say_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(level="WARNING", levels={"discordianai.transport": "DEBUG", "discordianai.dispatch": "ERROR"})
    for module in ("transport.pool", "dispatch", "bot"):
        structlog.get_logger(f"discordianai.{module}").debug("a detail")
        structlog.get_logger(f"discordianai.{module}").warning("trouble")
    told = capsys.readouterr().err
    assert [line.split("logger=")[1].split()[:2] for line in told.splitlines()] == [
        ["discordianai.transport.pool", 'event="a'],
        ["discordianai.transport.pool", "event=trouble"],
        ["discordianai.bot", "event=trouble"],
    ]
    configure(level="WARNING")
    structlog.get_logger("discordianai.transport.pool").debug("a detail")
    structlog.get_logger("discordianai.dispatch").warning("trouble")
    assert [line.split("logger=")[1] for line in capsys.readouterr().err.splitlines()] == [
        "discordianai.dispatch event=trouble"
    ]


def test_a_line_names_the_module_that_logged_it() -> None:
    """So that whoever reads it finds the place, and can set that module's level."""
    folder = Path(discordianai.__file__).parent
    named = [
        (name, ".".join(path.relative_to(folder.parent).with_suffix("").parts))
        for path in folder.rglob("*.py")
        for name in re.findall(r'get_logger\(\s*"(discordianai[^"]*)"', path.read_text())
    ]
    assert len(named) > 30
    assert [(name, module) for name, module in named if name != module] == []


def test_in_the_journal_every_line_has_its_priority_those_of_a_traceback_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(format="journal", level="DEBUG")
    log = structlog.get_logger("discordianai.app")
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("said", question=7)
    logging.getLogger("asyncio").error("two\nmore lines")
    try:
        raise OSError("first\nsecond")
    except OSError:
        log.exception("failed", question=8)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:6] == [
        "<7>level=debug logger=discordianai.app event=said question=7",
        "<6>level=info logger=discordianai.app event=said question=7",
        "<4>level=warning logger=discordianai.app event=said question=7",
        "<3>level=error logger=discordianai.app event=said question=7",
        "<2>level=critical logger=discordianai.app event=said question=7",
        '<3>level=error logger=asyncio event="two\\nmore lines"',
    ]
    assert lines[6:8] == [
        "<3>level=error logger=discordianai.app event=failed question=8",
        "<3>Traceback (most recent call last):",
    ]
    assert lines[-2:] == ["<3>OSError: first", "<3>second"]
    assert all(line.startswith("<3>") for line in lines[6:])


SAY = """
import structlog
from discordianai.operations import logs
from discordianai.operations.options import LoggingOptions
logs.configure(LoggingOptions())
structlog.get_logger("discordianai.app").warning("said", question=7)
"""


def say(stderr: int, environment: dict[str, str]) -> None:
    """Log a line by another process, as it is started."""
    plain = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "JOURNAL_STREAM"}}
    subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", SAY], stderr=stderr, env=plain | environment, check=True, timeout=20
    )


def test_the_journal_is_known_by_its_socket_and_not_by_the_variable_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        status = os.fstat(theirs.fileno())
        say(theirs.fileno(), {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert ours.recv(1000).startswith(b"<4>level=warning")
        say(theirs.fileno(), {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert ours.recv(1000).startswith(b"timestamp=")
        say(theirs.fileno(), {})
        assert ours.recv(1000).startswith(b"timestamp=")


def test_on_a_terminal_it_is_in_colour_unless_nobody_wants_that() -> None:
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        ours, theirs = pty.openpty()
        try:
            say(theirs, environment)
            line = os.read(ours, 1000).decode()
        finally:
            os.close(theirs)
            os.close(ours)
        assert "said" in line
        assert ("\x1b[" in line) is coloured


@EVERY_STYLE
def test_no_interaction_token_gets_through_not_even_in_a_traceback(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(format=style)
    logging.getLogger("interactions").error(f"POST::http://x/interactions/1/{TOKEN}/callback: 404")  # noqa: G004  # as the library does
    logging.getLogger("interactions").warning(
        f"POST /interactions/{{interaction_id}}/{TOKEN}/callback Received 502"  # noqa: G004  # as the library does
    )
    try:
        raise OSError(f"cannot connect to https://x/webhooks/2/{TOKEN}/messages/@original")
    except OSError:
        structlog.get_logger("discordianai.app").exception("failed")
    told = capsys.readouterr().err
    assert "cannot connect" in told
    assert "/callback Received 502" in told
    assert TOKEN not in told


@EVERY_STYLE
def test_what_came_from_elsewhere_moves_no_cursor_and_begins_no_line(
    style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(format=style)
    foreign = "req_1\x1b[2J\r\x9b1A\u2028level=critical event=forged"
    structlog.get_logger("discordianai.app").warning("failed", reason=foreign)
    told = capsys.readouterr().err
    assert "req_1" in told
    assert not set("\x1b\r\x9b\u2028") & set(told)
    assert len(told.splitlines()) == 1


def test_libraries_that_log_addresses_are_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="DEBUG")
    for name in ("httpx", "interactions", "hpack.hpack", "hypercorn.error"):
        logging.getLogger(name).info("an address or a header")
    assert capsys.readouterr().err == ""
