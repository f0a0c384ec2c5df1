"""What the sandbox's models answer: made-up text, the same for the same question, or a tool call."""

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

PARAGRAPHS = (
    "Imagine the question as a path through a garden. Each word is a step, and the answer is what you see "
    "when you stop and look around. There is usually more than one way to get there.",
    "Three things matter here:\n\n- **what** is asked, which is often less than what is meant;\n"
    "- *who* asks, because the right depth depends on it;\n- and how much time there is.",
    "In code it could look like this:\n\n```python\ndef answer(question: str) -> str:\n"
    '    """A sandbox knows no more than this."""\n    if not question.strip():\n'
    '        raise ValueError("nothing was asked")\n    return question[::-1]\n```',
    "| step | what happens | how long |\n| --- | --- | --- |\n| 1 | the question arrives | 10 ms |\n"
    "| 2 | somebody thinks | 300 ms |\n| 3 | the answer streams | a while |",
    "1. Begin with the part that you understand.\n2. Write down the part that you don't.\n"
    "3. Notice that the second list is shorter than you feared.",
    "> A quotation gives weight to what would be plain without it.\n\nStill, some things are better said "
    "twice, and some are better not said at all. 🌍 ¿Verdad? 本当に。",
    "```sh\n# a block with a long line, which wraps\n"
    "printf '%s\\n' one two three four five six seven eight nine ten eleven twelve thirteen fourteen\n```",
)

WEB_WORDS = re.compile(r"\b(today|latest|news|weather)\b|!search|今日|heute", re.IGNORECASE)
"""Words that make the sandbox's models search or call a tool, where a real model understands the question."""

DECLINED = "I’m sorry, but I can’t help with that."
COMMENTARY = "Let me look at this from two sides."

SITES = ("encyclopedia", "weather", "news", "science", "archive", "journal")


@dataclass(frozen=True, slots=True)
class ScriptedSource:
    """A page that a made-up answer cites."""

    url: str
    title: str
    date: str
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """A made-up answer."""

    text: str
    sources: tuple[ScriptedSource, ...] = ()

    @property
    def pieces(self) -> list[str]:
        """The text in the pieces of a stream."""
        return pieces_of(self.text)


def pieces_of(text: str) -> list[str]:
    """The text in the pieces of a stream: word by word."""
    words = text.split(" ") if text else []
    return [word if index == 0 else " " + word for index, word in enumerate(words)]


def compose(service: str, question: str, earlier: list[str], *, sources: bool) -> ScriptedAnswer:
    """Answer `question`; `earlier` has the user's questions before it, the newest last.

    With `!long` in the question, the answer has about 10,000 characters.
    """
    seed = zlib.crc32(question.encode("utf-8", "replace"))
    lines = [f"*(The sandbox's {service} speaks; no model was asked.)*"]
    if earlier:
        many = f"{len(earlier)} thing{'s' * (len(earlier) > 1)}"
        lines.append(f"You have asked {many} before; the last was: {_quoted(earlier[-1])}")
    lines.append(f"You asked: {_quoted(question)}")
    length = 1 + seed % 4 if seed % 5 else 14
    if "!long" in question.split():
        length = 60
    lines += [PARAGRAPHS[(seed // 7 + index) % len(PARAGRAPHS)] for index in range(length)]
    cited = tuple(_source(seed + index) for index in range(2 + seed % 3)) if sources else ()
    for number in range(1, len(cited) + 1):
        lines[-1 - (number % min(length, 3))] += f"\n\nOne page says so [{number}]."
    return ScriptedAnswer("\n\n".join(lines), cited)


def _quoted(text: str) -> str:
    short = " ".join(text.split())
    return f"“{short if len(short) <= 80 else short[:79] + '…'}”"


def _source(seed: int) -> ScriptedSource:
    site = SITES[seed % len(SITES)]
    return ScriptedSource(
        url=f"https://{site}.example/page/{seed % 1000}",
        title=f"{site.title()}: what is known about number {seed % 1000}",
        date="2026-11-24",
        snippet=f"What the {site} page {seed % 1000} says about it.",
    )


def wants_the_web(question: str) -> bool:
    """Whether a simulated model searches the web for this question."""
    return bool(WEB_WORDS.search(question))


def query_for(question: str) -> str:
    """The search query that the simulated model makes of a question."""
    return f"sandbox search: {' '.join(question.split())[:80]}"


def arguments_for(question: str, parameters: dict[str, Any] | None) -> str:
    """The arguments of a tool call as JSON: the query, under the first required name."""
    declared = parameters or {}
    names = declared.get("required") or list(declared.get("properties", {})) or ["query"]
    return json.dumps({names[0]: query_for(question)})
