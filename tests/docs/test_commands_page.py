"""The page of the commands has all of them."""

import argparse

from discordianai.cli.main import make_parser
from discordianai.discord.commands import ask
from discordianai.discord.commands.command import Command
from discordianai.discord.commands.declaration import CommandKind
from discordianai.discord.commands.registry import COMMANDS
from discordianai.discord.messages.buttons import LABELS
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def row_of(command: Command) -> str:
    return f"| {command.name} |" if command.kind is CommandKind.MESSAGE else f"| `/{command.name}"


def test_every_command_and_menu_of_discord_is_there() -> None:
    assert [command.name for command in COMMANDS if row_of(command) not in PAGE] == []


def test_every_option_of_ask_is_there() -> None:
    assert [o.name for o in ask.COMMAND.options if f"`{o.name}`" not in PAGE] == ["prompt"]


def test_every_button_under_an_answer_is_there() -> None:
    assert [label for label in LABELS.values() if f"| {label} |" not in PAGE] == []


def test_every_command_of_the_program_is_there() -> None:
    (commands,) = (a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert [name for name in commands.choices if f"`discordianai {name}" not in PAGE] == []
