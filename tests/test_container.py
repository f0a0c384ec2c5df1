"""Containerfile and compose.yaml name files and commands that are there."""

import json
import re
import tomllib

from discordianai.cli.main import make_parser
from tests.docs.pages import ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", CONTAINERFILE, re.MULTILINE)


def test_every_file_that_is_copied_is_there_and_not_ignored() -> None:
    """The build sees only what .dockerignore lets through."""
    let_through = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert set(copied) == set(let_through)
    assert all((ROOT / name).exists() for name in copied)


def test_what_compose_builds_it_with_is_an_extra() -> None:
    """Both files are about the same service, and name an argument that the build has."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    more = (ROOT / "compose.postgres.yaml").read_text()
    (extra,) = re.findall(r"EXTRAS: (\w+)", more)
    assert extra in extras
    assert 'EXTRAS=""' in instructions("ARG")
    assert "\n  bot:\n" in more
    assert "\n  bot:\n" in (ROOT / "compose.yaml").read_text()


def test_what_it_runs_is_a_command() -> None:
    """By default, and for its health."""
    (entry,), (default,) = instructions("ENTRYPOINT"), instructions("CMD")
    (health,) = re.findall(r"^HEALTHCHECK .*? CMD (.+)$", CONTAINERFILE, re.MULTILINE)
    program, *arguments = json.loads(health)
    assert json.loads(entry) == [program]
    assert make_parser().parse_args(arguments).live
    assert make_parser().parse_args(json.loads(default)).command is not None


def test_it_runs_as_somebody_who_owns_only_the_data() -> None:
    """And every path that the bot writes to is there."""
    assert instructions("USER") == ["10001:10001"]
    assert instructions("WORKDIR")[-1] == "/data"
    assert "STATE_DIRECTORY=/data" in CONTAINERFILE
    assert "read_only: true" in (ROOT / "compose.yaml").read_text()
