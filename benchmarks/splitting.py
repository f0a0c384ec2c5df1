"""How long does it take to cut 100 KB of text into messages?  `make bench-splitting`

An ordinary answer, and texts that are made to be difficult. The milliseconds are of the quickest run, so that
they tell of the code and not of the machine's neighbours.
Compared to: the same text four times as long; 4 times the time is linear, 16 quadratic.
Required: 20 ms for the ordinary answer. (That no text takes quadratic time is tested in `make test`.)
"""

import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks.harness import Report, command_line, parse
from discordianai.discord.rendering.splitting import split

SIZE = 100_000
"""Bytes of UTF-8."""

ANSWER = """\
## What happened

A paragraph says what there is to say about it [1], with **some** words in bold, and a link to
[the page](https://example.org/a/page_(of_it)) that says more. It goes on for a while, as they do.

- An item with `inline code` and a few words [2].
- Another one, see <https://example.org/x?y=1>.

| name | value |
| --- | --- |
| one | 1.00 |
| two | 2.00 |

```python
def answer(question: str) -> str:
    return question.upper()  # not much of an answer
```

Das ist ein Satz mit Ümläuten. 😃 И ещё один. 这是一句话。

"""

PIECES: Mapping[str, str] = {
    "an answer": ANSWER,
    "paragraphs": "The words of a sentence follow each other. " * 12 + "\n\n",
    "Chinese": "这是一句话，它后面还有一句。",
    "words": "word ",
    "no space": "x",
    "no space, accents": "é",
    "backticks": "`",
    "backticks and spaces": "` ",
    "rows of backticks": " ".join("`" * length for length in range(1, 80)) + "\n\n",
    "[": "[",
    "[a": "[a ",
    "[x](": "[x](",
    '[x](a "': '[x](a "',
    "citations": "[1]",
    "links": "[text of it](https://example.org/a) ",
    "<": "<",
    "https://": "https://",
    "emoji": "😀",
    "families": "👨‍👩‍👧‍👦",
    "flags": "🇩🇪",
    "combining marks": "\N{COMBINING ACUTE ACCENT}",
    "spaces with marks": " \N{COMBINING ACUTE ACCENT}",
    "zero width": "\N{ZERO WIDTH SPACE}",
    "one table": "| a cell | another | 12 |\n",
    "one list": "- an item of a few words\n",
    "headings": "# a\n",
    "code blocks": "```python\nx = 1\n```\n",
    "fences": "```\n",
    "fences in quotes": "> ```\n",
    "fences in fences": "````\n```\n",
    "short paragraphs": "a\n\n",
    "halves of pairs": "\ud83d",
}
"""Each is repeated to the size."""


def sized(piece: str, size: int) -> str:
    """`piece` repeated to `size` bytes of UTF-8."""
    return piece * (size // len(piece.encode(errors="surrogatepass")) + 1)


def milliseconds(text: str, runs: int) -> float:
    """CPU of the quickest run."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        split(text)
        times.append(time.process_time() - start)
    return min(times) * 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit status."""
    options = parse(command_line(__doc__, rounds=7), arguments)
    report = Report()
    report.table(f"{SIZE // 1000} KB of", "messages", "ms", "4 times the size", "required")
    for name, piece in PIECES.items():
        text = sized(piece, SIZE)
        once = milliseconds(text, options.rounds)
        ratio = milliseconds(sized(piece, 4 * SIZE), min(options.rounds, 2)) / once
        required, measured = ("<= 20 ms", once) if piece is ANSWER else ("", None)
        cells = len(split(text)), f"{once:.1f}", f"{ratio:.1f}"
        report.row(name, *cells, required=required, measured=measured)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
