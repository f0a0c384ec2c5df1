"""The pages for people, and what in them is to be typed or set."""

import importlib.util
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TYPED = ("", "sh", "bash", "shell", "console")
"""Languages of a fenced block in which commands are shown."""

PROGRAM = re.compile(r"(?:\S*/)?discordianai|(?:\S*/)?python3? -m discordianai")
PROMPT = re.compile(r"\$ |sudo |(?:[A-Z][A-Z0-9_]*=\S* )")
_FENCE = re.compile(r"\s*(```+|~~~+)(\S*)")
_BLOCK = re.compile(r"^\s*(```+|~~~+).*?^\s*\1\s*$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Shown:
    """A piece of a page, and where it is."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def module(path: Path) -> ModuleType:
    """A program that helps to make the pages."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def blocks(page: Path) -> Iterator[Shown]:
    """The lines of its fenced and of its indented blocks, where these may be commands."""
    fence, language, before, inside = "", "", "", False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence, language = mark[1], mark[2]
        elif mark and line.strip() == fence:
            fence = ""
        elif fence:
            if language in TYPED:
                yield Shown(page.name, number, line.strip())
        else:
            inside = line.startswith("    ") and (inside or not before.strip())
            if inside:
                yield Shown(page.name, number, line.strip())
        if line.strip() or not inside:
            before = line


def spans(page: Path) -> Iterator[Shown]:
    """What stands in backticks in its text."""
    for number, paragraph in enumerate(paragraphs(page), 1):
        for match in _SPAN.finditer(paragraph):
            yield Shown(page.name, number, match[1])


def paragraphs(page: Path) -> list[str]:
    """Its text without the fenced blocks; what is folded is in one line again."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"(?<=\S)\n\s*(?=[^\s|#-])", " ", text).splitlines()


def typed(line: str) -> str:
    """A line without what stands before the command: a prompt, sudo, variables."""
    while match := PROMPT.match(line):
        line = line[match.end() :]
    return line


def arguments(line: str) -> list[str] | None:
    """Those of a line that runs the program: up to a pipe, a redirection, a comment; else None."""
    match = PROGRAM.match(line)
    if match is None or line[match.end() : match.end() + 1].strip():
        return None
    lexer = shlex.shlex(line[match.end() :], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set("();<>|&"):
            break
        words.append(word)
    return words


def shown(find: Callable[[Path], Iterator[Shown]], begin: Callable[[str], bool]) -> list[Shown]:
    return [piece for page in PAGES for piece in find(page) if begin(typed(piece.text))]


def runs_program(line: str) -> bool:
    return arguments(line) is not None
