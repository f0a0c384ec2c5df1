"""Questions to the person at the terminal. A secret that is typed is not shown."""

import getpass
import sys
import warnings
from collections.abc import Sequence


class NoTerminal(Exception):
    """Something has to be asked, and nobody is there; the message says which option answers it."""


class Prompts:
    """Asks, where somebody is there to answer."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()

    def say(self, text: str = "") -> None:
        """Print a line."""
        print(text, flush=True)  # noqa: T201  # for the person at the terminal

    def ask(self, question: str, default: str = "") -> str:
        """A line of text; `default` where nothing was typed. Ctrl-D stops the program, as Ctrl-C does."""
        try:
            return input(f"{question}{f' [{default}]' if default else ''}: ").strip() or default
        except (EOFError, KeyboardInterrupt):
            self.say()
            raise KeyboardInterrupt from None

    def ask_secret(self, question: str) -> str:
        """A line that is not shown; empty where nothing was typed. Raises `NoTerminal`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                return getpass.getpass(f"{question}: ").strip()
        except getpass.GetPassWarning:
            raise NoTerminal("this terminal would show what is typed; use the options with -file") from None
        except (EOFError, KeyboardInterrupt):
            self.say()
            raise KeyboardInterrupt from None

    def choose(self, question: str, choices: Sequence[str], default: int = 0) -> int:
        """The index of one of the choices."""
        for number, choice in enumerate(choices, 1):
            self.say(f"  {number}  {choice}")
        while True:
            answer = self.ask(question, str(default + 1))
            if answer.isdecimal() and 1 <= int(answer) <= len(choices):
                return int(answer) - 1
            self.say(f"Type a number from 1 to {len(choices)}.")
