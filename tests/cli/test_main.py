"""What all commands have in common; what each does is tested by its own module's tests."""

import argparse
import subprocess
import sys

import pytest

from discordianai.cli.main import MODULES, main, make_parser

LOADED = """
import sys
from discordianai.cli.main import make_parser
make_parser(*sys.argv[1:])
print(*sorted(name for name in sys.modules if name.startswith("discordianai.cli.")))
"""


def commands_of(parser: argparse.ArgumentParser) -> list[str]:
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return list(commands.choices)


@pytest.mark.parametrize("command", MODULES)
def test_a_command_is_known_by_its_own_module_as_among_all(command: str) -> None:
    assert command in commands_of(make_parser(command))
    assert commands_of(make_parser()) == list(MODULES)


@pytest.mark.parametrize(
    ("command", "other"), [("run", "init"), pytest.param("check", "conversations", marks=pytest.mark.slow)]
)
def test_a_command_loads_the_modules_of_no_other(command: str, other: str) -> None:
    """A bot would keep them in memory for as long as it runs."""

    def loaded(*arguments: str) -> list[str]:
        done = subprocess.run(  # noqa: S603  # our own
            [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.split()

    assert f"discordianai.cli.{command}" in loaded(command)
    assert f"discordianai.cli.{other}" not in loaded(command)
    assert f"discordianai.cli.{other}" in loaded()


@pytest.mark.parametrize("typed", [[], ["nonsense"], ["checks"]])
def test_what_is_no_command_is_answered_with_all_of_them(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(typed)
    told = capsys.readouterr().err
    assert not typed or all(f"'{command}'" in told for command in MODULES)
