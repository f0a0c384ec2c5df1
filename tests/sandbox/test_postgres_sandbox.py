"""`discordianai sandbox --database postgres`: the bot answers, and nothing of the cluster is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from discordianai.cli.main import main
from discordianai.conversations import postgres_client
from discordianai.sandbox import postgres_cluster
from discordianai.sandbox.postgres_programs import PostgresMissing, find_programs

COMMAND = [sys.executable, "-m", "discordianai", "sandbox", "--database", "postgres"]
LONGEST = 90.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """For temporary folders, which the cluster's user can enter; skips without PostgreSQL."""
    try:
        find_programs()
    except PostgresMissing as error:
        pytest.skip(str(error))
    place = Path("/tmp") / f"sandbox-test-{os.getpid()}"  # noqa: S108  # pytest's own folders are closed to others
    place.mkdir(mode=0o755)
    yield place
    left = list(place.iterdir())
    place.rmdir() if not left else None
    assert left == [], "each run removes what it has made"


def servers(folder: Path) -> list[str]:
    """The command lines of processes that have that folder in theirs."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder)}


@pytest.mark.slow
def test_it_answers_and_leaves_nothing(folder: Path) -> None:
    """As it is typed; the second question knows the first one, which is in the database."""
    done = subprocess.run(  # noqa: S603  # our own
        COMMAND,
        input="/ask who?\n/ask and then?\n",
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "postgresql://discordianai@127.0.0.1:" in done.stdout
    assert "You asked: “who?”" in done.stdout
    assert "the last was: “who?”" in " ".join(done.stdout.split())
    assert servers(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("when", ["while it starts", "once it answers"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_leaves_nothing(folder: Path, number: signal.Signals, when: str) -> None:
    """Ctrl-C, a service manager, a terminal that is closed."""
    process = subprocess.Popen(  # noqa: S603  # our own
        COMMAND,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    if when == "once it answers":
        for line in process.stdout:
            if "Ctrl-D ends it" in line:
                break
        time.sleep(1.0)
    else:
        until = time.monotonic() + 30
        while not servers(folder) and time.monotonic() < until:
            time.sleep(0.01)
    os.killpg(process.pid, number)  # as the terminal sends it: to all in the foreground
    process.communicate(timeout=LONGEST)
    until = time.monotonic() + 10
    while servers(folder) and time.monotonic() < until:
        time.sleep(0.05)
    assert servers(folder) == []


def test_without_psycopg_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No cluster is started for a bot that could not use it."""
    monkeypatch.setattr(postgres_client, "find_spec", lambda _: None)
    assert main(["sandbox", "--database", "postgres"]) == 1
    assert "discordianai[sandbox,postgres]" in capsys.readouterr().err


def test_without_postgresql_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and with the status of a failure."""

    def missing() -> None:
        raise PostgresMissing("there is no PostgreSQL on this machine: apt install postgresql")

    monkeypatch.setattr(postgres_cluster, "find_programs", missing)
    assert main(["sandbox", "--database", "postgres"]) == 1
    assert "apt install postgresql" in capsys.readouterr().err
