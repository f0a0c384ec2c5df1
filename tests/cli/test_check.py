"""`discordianai check`, as an operator types it: a process of its own, whose output is looked through."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import trio

from discordianai.cli.main import main
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.launcher import open_sandbox
from discordianai.sandbox.providers.provider_faults import Fault

HEAVY = (
    "interactions",
    "aiohttp",
    "discord",
    "trio",
    "anyio",
    "httpx",
    "httpcore",
    "h2",
    "starlette",
    "hypercorn",
    "psycopg",
)
"""Packages that only talking needs; the first takes over a second to import."""

HEAVY_MODULES = (
    "app",
    "bot",
    "answering.service",
    "providers.client",
    "transport.multiplexed_transport",
    "dispatch.dispatcher",
    "sandbox",
    "discord.interactions.router",
    "discord.messages.rest",
)

SPY = """
import sys
from discordianai.cli.main import main
status = main(sys.argv[1:])
print("\\n".join(["modules", *sys.modules]), file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings that can be used, and two secrets in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "CREDENTIALS_DIRECTORY",
        "STATE_DIRECTORY",
        "PERPLEXITY_API_KEY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISCORD_TOKEN", "a-secret-token")
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret-key")
    (tmp_path / "settings.toml").write_text("")
    return tmp_path


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", SPY, "check", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def findings(output: str) -> dict[str, Any]:
    return {finding["subject"]: finding for finding in json.loads(output)["findings"]}


def test_all_well_is_a_line_for_each_thing_and_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    told = capsys.readouterr()
    assert "OK       settings" in told.out
    assert told.out.endswith(" OK\n")
    assert told.err == ""
    assert "a-secret" not in told.out


def test_offline_nothing_is_imported_that_only_talking_needs() -> None:
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    modules = set(done.stderr.partition("modules\n")[2].splitlines())
    assert "discordianai.operations.checks.database_check" in modules
    assert modules.isdisjoint(HEAVY)
    heavy = {f"discordianai.{name}" for name in HEAVY_MODULES}
    assert all(find_spec(name) for name in heavy)
    assert modules.isdisjoint(heavy)
    assert "rich.console" not in modules  # for terminals only


def test_a_problem_is_status_1_with_what_to_do(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "settings.toml").chmod(0o666)
    assert main(["check"]) == 1
    told = capsys.readouterr().out
    assert "PROBLEM  settings file" in told
    assert "-> chmod 600 settings.toml" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[dispatch]\nqueue_size = 0", "dispatch.queue_size: 0 cannot be used"),
        ("[[providers]]", "providers: an array cannot be used: should be a table"),
        ("providers.openai = 3", "providers.openai: 3 cannot be used: should be a table"),
        ("[discord]\n[discord]", "line 2, column 9"),
        ("[conversations]\nmax_turns = 1979-05-27", "conversations.max_turns: 1979-05-27 cannot be used"),
        ("[discord", "line 1"),
        ("[dispatch]\nqueue_size = " + "9" * 5000, "line 2: a number with too many digits"),
        ("[logging]\nlevel = ''", "logging.level: '' cannot be used"),
    ],
)
def test_mistakes_in_the_settings_are_status_78_and_told_where_they_are(
    place: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (place / "settings.toml").write_text(text)
    assert main(["check"]) == 78
    told = capsys.readouterr().out
    assert "PROBLEM  settings" in told
    assert said in told
    assert "OK       versions" in told  # one mistake hides nothing else


def test_bytes_that_are_no_text_are_told_with_their_line(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "settings.toml").write_bytes(b"[providers.openai]\nmodel = '\xff'\n")
    assert main(["check", "--json"]) == 78
    assert "line 2" in findings(capsys.readouterr().out)["settings"]["found"]


def test_a_missing_file_is_status_78(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--settings", "elsewhere.toml"]) == 78
    assert "elsewhere.toml" in capsys.readouterr().out


def test_without_usable_settings_nobody_is_asked(place: Path) -> None:
    (place / "settings.toml").write_text("[")
    done = run("--online")
    assert done.returncode == 78
    assert "not checked" in done.stderr
    assert "\nhttpx\n" not in done.stderr


def test_a_wrong_timeout_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("0", "-1", "nan", "many", "1e9"):
        with pytest.raises(SystemExit):
            main(["check", "--timeout", wrong])
        assert "is not a number of seconds" in capsys.readouterr().err


def test_on_a_terminal_it_is_a_table(place: Path) -> None:
    master, slave = os.openpty()
    command = [sys.executable, "-m", "discordianai", "check"]
    environment = {**os.environ, "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=slave, stderr=slave, env=environment) as process:  # noqa: S603  # our own
        os.close(slave)
        told = b"".join(_read(master)).decode()
        assert process.wait(60) == 0
    os.close(master)
    assert "\x1b[32mOK" in told
    assert "settings.toml" in "".join(told.split())  # a long path is wrapped


def _read(descriptor: int) -> Iterator[bytes]:
    try:
        while data := os.read(descriptor, 65_536):
            yield data
    except OSError:  # Linux says so where the other side has closed
        return


async def test_online_the_sandbox_is_asked_and_no_secret_is_told(
    tmp_path: Path, authority: Authority
) -> None:
    async with open_sandbox(tmp_path, authority=authority) as sandbox:
        sandbox.settings.chmod(0o600)
        told = []
        for more in ([], ["--json"]):
            sandbox.perplexity.misbehave(Fault.wrong_key())
            command = ["check", "--online", "--settings", str(sandbox.settings), *more]
            done = await trio.run_process(
                [sys.executable, "-m", "discordianai", *command],
                env=dict(sandbox.environment),
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
            assert done.returncode == 1, done.stderr
            assert done.stderr == b""
            told.append(done.stdout.decode())
    table, machine = told
    for secret in (sandbox.discord.options.token, sandbox.openai.options.api_key):
        assert secret not in table + machine
    assert "PROBLEM  perplexity answer" in table
    assert "-> replace the rejected key: the credential perplexity-api-key," in table
    assert json.loads(machine)["status"] == 1
    assert findings(machine)["openai answer"]["verdict"] == "ok"
    assert findings(machine)["openai answer"]["figures"]["protocol"] == "HTTP/2"
