"""Questions to the person at the terminal. A secret that is typed is not shown."""

import getpass
import io
import sys
import warnings
from collections.abc import Callable, Sequence


class NoTerminal(Exception):
    """Something has to be asked, and nobody is there; the message says which option answers it."""


class Prompts:
    """Asks, where somebody is there to answer."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a path may have what no encoding has

    def say(self, text: str = "") -> None:
        """Print a line."""
        print(text, flush=True)  # noqa: T201  # for the person at the terminal

    def ask(self, question: str, default: str = "") -> str:
        """A line of text; `default` where nothing was typed. Ctrl-D stops the program, as Ctrl-C does."""
        shown = f"{question}{f' [{default}]' if default else ''}: "
        return self._typed(lambda: input(shown)).strip() or default

    def ask_secret(self, question: str) -> str:
        """A line that is not shown; empty where nothing was typed. Raises `NoTerminal`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                return self._typed(lambda: getpass.getpass(f"{question}: ")).strip()
        except getpass.GetPassWarning:
            raise NoTerminal("this terminal would show what is typed; use the options with -file") from None

    def _typed(self, read: Callable[[], str]) -> str:
        while True:
            try:
                return read()
            except (EOFError, KeyboardInterrupt):
                self.say()
                raise KeyboardInterrupt from None
            except UnicodeDecodeError:
                self.say()
                self.say("That isn't valid in this terminal's encoding. Type or paste it again.")

    def choose(self, question: str, choices: Sequence[str], default: int = 0) -> int:
        """The index of one of the choices."""
        for number, choice in enumerate(choices, 1):
            self.say(f"  {number}  {choice}")
        while True:
            answer = self.ask(question, str(default + 1))
            if answer.isdecimal() and 1 <= int(answer) <= len(choices):
                return int(answer) - 1
            self.say(f"Type a number from 1 to {len(choices)}.")
