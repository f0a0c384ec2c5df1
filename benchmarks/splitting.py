"""Cuts texts of 100 KB into messages: an ordinary answer, and what could take long.

    python -m benchmarks.splitting

The milliseconds are the best of several runs, so that they tell of the code and not of the machine's
neighbours. The last column is the same for four times the text, over this one: 4 is linear, 16 quadratic.
"""

import time
from collections.abc import Mapping

from discordianai.discord.rendering.splitting import split

SIZE = 100_000
"""Bytes of UTF-8."""

TARGET = 20.0
"""Milliseconds for an answer of this size."""

RUNS = 7

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
    """CPU of the fastest run."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        split(text)
        times.append(time.process_time() - start)
    return min(times) * 1000


def main() -> None:
    """Print the table."""
    print(f"| {SIZE // 1000} KB of | messages | ms | 4 times the size |\n| --- | --: | --: | --: |")
    for name, piece in PIECES.items():
        text = sized(piece, SIZE)
        once = milliseconds(text, RUNS)
        ratio = milliseconds(sized(piece, 4 * SIZE), 2) / once
        print(f"| {name} | {len(split(text))} | {once:.1f} | {ratio:.1f} |")
    print(f"\nrequired: {TARGET:.0f} ms for an answer")


if __name__ == "__main__":
    main()
