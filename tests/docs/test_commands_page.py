"""The page of the commands has all of them."""

import argparse

from discordianai.cli import make_parser
from discordianai.discord.buttons import LABELS, Action
from discordianai.discord.commands.command import ASK, Entry, entries
from tests.docs.pages import ROOT
from tests.known_providers import OPENAI, PERPLEXITY

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
ERRANDS_OWN = {Action.FORGET, Action.KEEP}
"""Buttons under what an errand has found."""


def row_of(entry: Entry) -> str:
    return f"| {entry.name} |" if entry.menu else f"| `/{entry.name}"


def test_every_command_and_menu_of_discord_is_there() -> None:
    known = entries((OPENAI, PERPLEXITY), several_models=True)
    assert [entry.name for entry in known if row_of(entry) not in PAGE] == []


def test_every_option_of_ask_is_there() -> None:
    assert [option.name for option in ASK.options if f"`{option.name}`" not in PAGE] == ["prompt"]


def test_every_button_under_an_answer_is_there() -> None:
    labels = [label for action, label in LABELS.items() if action not in ERRANDS_OWN]
    assert [label for label in labels if f"| {label} |" not in PAGE] == []


def test_every_command_of_the_program_is_there() -> None:
    (commands,) = (a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert [name for name in commands.choices if f"`discordianai {name}" not in PAGE] == []
