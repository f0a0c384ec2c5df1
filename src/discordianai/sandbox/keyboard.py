"""What is typed at a terminal: whole lines with history and completion, or keys while an answer streams."""

import os
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import trio

try:
    import readline
except ImportError:  # Python can be built without it
    readline = None  # type: ignore[assignment]  # its absence is asked for below

Completions = Callable[[str], Iterable[str]]
"""What the last word of a line may become."""

BACKSPACE, CTRL_D = "\x08\x7f", "\x04"
MOST_TYPED = 4000
MOST_FILES = 1000


class Keyboard:
    """Reads standard input, which may be a terminal or not. Made by `open_keyboard`."""

    def __init__(self, completions: Completions, *, interactive: bool) -> None:
        self.interactive = interactive
        self._typed = ""
        """What was typed while nobody read a line."""
        self._ended = False
        """Whether Ctrl-D was among it."""
        if readline is not None and interactive:
            readline.set_completer(_completer(completions))
            readline.set_completer_delims(" ")
            readline.set_pre_input_hook(self._insert)
            readline.parse_and_bind("tab: complete")

    async def line(self, prompt: str) -> str | None:
        """The next line; None at the end of input."""
        if self._ended:
            return None
        if "\n" in self._typed:
            line, _, self._typed = self._typed.partition("\n")
            print(f"{prompt}{line}", flush=True)  # noqa: T201  # readline would have shown it
            return line
        read = self._read if self.interactive else _read_plain
        return await trio.to_thread.run_sync(read, prompt, abandon_on_cancel=True)

    def _read(self, prompt: str) -> str | None:
        try:
            return input(prompt)
        except EOFError:
            print()  # noqa: T201  # so that the shell's prompt has a line of its own
            return None

    def _insert(self) -> None:
        """Readline begins with what was typed before it was asked."""
        if self._typed:
            readline.insert_text(self._typed)
            readline.redisplay()
            self._typed = ""

    async def watch(self, key: Callable[[str], bool]) -> None:
        """Return once a line was typed; `line` gives it. `key` takes single keys, and says which it uses.

        Enter alone is no line: it follows a key out of habit.
        """
        with _unbuffered():
            while "\n" not in self._typed and not self._ended:
                await trio.lowlevel.wait_readable(sys.stdin.fileno())
                for each in os.read(sys.stdin.fileno(), 1024).decode(errors="ignore").replace("\r", "\n"):
                    if self._typed or not key(each):
                        self._take(each)

    def _take(self, each: str) -> None:
        """Keep a key for the next line."""
        if each in BACKSPACE:
            self._typed = self._typed[:-1]
        elif each == CTRL_D:
            self._ended |= not self._typed
        elif each.isprintable() or (each == "\n" and self._typed):
            self._typed = (self._typed + each)[:MOST_TYPED]


def _read_plain(_prompt: str) -> str | None:
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


@contextmanager
def _unbuffered() -> Iterator[None]:
    """Keys come one by one, and are not shown."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


def _completer(completions: Completions) -> Callable[[str, int], str | None]:
    found: list[str] = []

    def complete(_word: str, number: int) -> str | None:
        if number == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            found[:] = [*completions(line), *_paths(line.rpartition(" ")[2])]
        return found[number] if number < len(found) else None

    return complete


def _paths(word: str) -> Iterator[str]:
    """Completions of `file:PATH`."""
    option, colon, path = word.partition(":")
    if colon and option == "file":
        folder, _, start = path.rpartition("/")
        before = path[: len(path) - len(start)]
        with suppress(OSError):
            for each in sorted(Path(folder or ("/" if before else ".")).iterdir())[:MOST_FILES]:
                if each.name.startswith(start):
                    yield f"file:{before}{each.name}{'/' if each.is_dir() else ' '}"


@asynccontextmanager
async def open_keyboard(completions: Completions, *, interactive: bool) -> AsyncIterator[Keyboard]:
    """Read while the block runs; afterwards the terminal is as before, whatever was being read."""
    before = termios.tcgetattr(sys.stdin) if interactive else None
    try:
        yield Keyboard(completions, interactive=interactive)
    finally:
        if before is not None:
            with suppress(termios.error):
                termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
