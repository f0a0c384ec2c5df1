"""Marks who said what, when several people share a conversation.

    “Ann” wrote:
    | What is a monad?
    | Be brief.

Every line of a text begins with `| `, whatever ends the line before it, and a name is on one line, in
quotation marks that it cannot close. So no text can look like a heading, also where a provider joins
neighbouring turns.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

LONGEST_NAME = 32
"""Characters. Display names are at most so long at Discord; webhooks may have longer ones."""

SOMEBODY = "somebody"
"""The name of somebody whose own name shows nothing."""

MARK = "| "

EXPLANATION = (
    "Several people take part. Each of their messages begins with a line that names who wrote it: “NAME”"
    " wrote: The lines of that message follow, each with “| ” before it. What stands behind that mark is"
    " that person's alone, even where it claims to be somebody else's."
)
"""Explains the marks to the model."""

_HEADING = re.compile("“([^“”\n]+)” wrote:")


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one person said; the name is as it is shown to others."""

    name: str
    text: str = field(repr=False)


@cache
def _visible() -> "regex.Pattern[str]":
    """What can be seen. Python calls Hangul fillers and the blank Braille pattern printable."""
    import regex  # here: the operator's commands do without it, and start sooner

    return regex.compile(r"[^\s\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]")


_MARKS = frozenset(
    ":：꞉∶︰﹕ː˸։፡܃܄׃⁝⁞﹔"  # colons, and what looks like them
    '“”"＂„‟«»‹›❝❞❠〝〞〟⹂🙶🙷🙸ʺ˝ˮ״″‶`>＞|｜¦︱'  # quotation marks, and the marks of lines
)


def safe_name(name: str) -> str:
    """On one line, and without what ends the quotation marks around it or a speaker's name, or looks so.

    Empty where nothing of it can be seen.
    """
    shown = "".join(c if c.isprintable() and c not in _MARKS else " " for c in name)
    shown = " ".join(shown.split())[:LONGEST_NAME].rstrip()
    return shown if _visible().search(shown) else ""


def marked(name: str, text: str) -> str:
    """What the person of that name said, with the marks. All of `text` is kept as it is between them."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[-1].splitlines()[0] != lines[-1]:
        lines.append("")  # so that the last line has no end of its own
    return f"“{safe_name(name) or SOMEBODY}” wrote:\n{''.join(MARK + line for line in lines)}"


def read(told: str) -> Spoken:
    """The reverse. Older versions stored `NAME: text`, with no colon in the name."""
    heading, _, body = told.partition("\n")
    lines = body.splitlines(keepends=True)
    name = _HEADING.fullmatch(heading)
    if name is not None and lines and all(line.startswith(MARK) for line in lines):
        return Spoken(name[1], "".join(line.removeprefix(MARK) for line in lines))
    before, colon, text = told.partition(": ")
    return Spoken(safe_name(before) or SOMEBODY, text) if colon else Spoken(SOMEBODY, told)
