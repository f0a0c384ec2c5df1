"""Which texts take longest in the functions that prepare text for Discord?  `make bench-rendering`

Each function is given plain English, and texts that were made, or found, to take long: every script with its
marks, characters that join others, Markdown that nests or never ends. The table has the worst text of each
function: milliseconds for 4,000 characters, how many times as long as plain English that is, and how many
times as long 8,000 take. `--search` looks for worse texts among random repetitions, and prints them.
Compared to: plain English in the same function. What plain English passes in next to no time, such as
`well_formed`, is compared to what cutting plain English takes.
Required: at most 20 times as long as plain English, and at most 2.5 times as long for twice the size.

`split` does nothing but cut, and a text without breaks is cut once in 4,000 characters, and thrice in 8,000:
so it takes three times as long for twice the size, and is linear all the same. The second table has its time
for each cut, in which 8,000 characters may take 1.25 times as long as 4,000, and the third one longer texts.
"""

import random
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

import regex

from benchmarks.harness import Report, command_line, parse
from benchmarks.splitting import PIECES
from discordianai import addresses
from discordianai.discord.rendering.hosts import shown_host
from discordianai.discord.rendering.masked_links import MaskedLinks
from discordianai.discord.rendering.source_list import References, sources
from discordianai.discord.rendering.splitting import closed, cut, settled, split
from discordianai.dispatch.web_need import judge
from discordianai.records import Citation
from discordianai.text import well_formed

SIZE = 4000
"""Characters: the longest question, and twice a message."""

MOST_TIMES_ENGLISH = 20
MOST_FOR_TWICE_THE_SIZE = 2.5
MOST_FOR_EACH_CUT = MOST_FOR_TWICE_THE_SIZE / 2

ANSWER = 33_000
"""Characters of an answer that is streamed."""

ENGLISH = "Each of the words of a sentence follows another one, and so it goes on. "

SCRIPTS = """
    Adlam Arabic Armenian Balinese Bengali Bopomofo Brahmi Buginese Cherokee Cyrillic Devanagari Ethiopic
    Georgian Grantha Greek Gujarati Gurmukhi Han Hangul Hebrew Hiragana Javanese Kaithi Kannada Katakana Khmer
    Khojki Lao Latin Lepcha Limbu Malayalam Meetei_Mayek Mongolian Myanmar Newa Nko Oriya Sharada Sinhala
    Sundanese Syriac Tamil Telugu Thaana Thai Tibetan Tifinagh Tirhuta Vai Yi
"""

JOINING = {
    "a mark before": "\N{ARABIC NUMBER SIGN}",
    "a mark before, space, consonant": "\N{ARABIC NUMBER SIGN} \N{DEVANAGARI LETTER KA}",
    "marks before, newline": "\N{ARABIC NUMBER SIGN}\n",
    "conjuncts": "\N{DEVANAGARI LETTER KA}\N{DEVANAGARI SIGN VIRAMA}",
    "conjuncts, space": "\N{DEVANAGARI LETTER KA}\N{DEVANAGARI SIGN VIRAMA} ",
    "consonants, nukta": "\N{DEVANAGARI LETTER KA}\N{DEVANAGARI SIGN NUKTA}\N{DEVANAGARI SIGN VIRAMA}",
    "jamo": "\N{HANGUL CHOSEONG KIYEOK}\N{HANGUL JUNGSEONG A}\N{HANGUL JONGSEONG KIYEOK}",
    "leading jamo": "\N{HANGUL CHOSEONG KIYEOK}",
    "emoji and joiners": "👨\N{ZERO WIDTH JOINER}",
    "joiners": "\N{ZERO WIDTH JOINER}",
    "joiners, space": "\N{ZERO WIDTH JOINER} ",
    "regional indicators": "🇩",
    "regional indicators, marks": "🇩\N{COMBINING ACUTE ACCENT}",
    "flags behind a mark": "\N{ARABIC NUMBER SIGN}🇩🇪",
    "half flags, space": "🇩 ",
    "keycaps": "1\N{VARIATION SELECTOR-16}\N{COMBINING ENCLOSING KEYCAP}",
    "ligatures that expand": "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}",
    "directions": "\N{RIGHT-TO-LEFT OVERRIDE}a\N{POP DIRECTIONAL FORMATTING}",
    "carriage returns": "\r",
    "line separators": "\N{LINE SEPARATOR}\N{COMBINING ACUTE ACCENT}",
    "halves, joined": "\ud83d\ude00",
    "İ": "İ",
}

MARKDOWN = {
    "*": "*",
    "**a ": "**a ",
    "_": "_",
    "||": "||",
    "||a|| ": "||a|| ",
    ">": ">",
    "> ": "> ",
    "newline, >": "\n>",
    "~~~": "~~~\n",
    "``` `": "``` `\n",
    "> ``` and out": "> ```\na\n",
    "- - -": "- ",
    "1. 1. ": "1. ",
    "# ": "# ",
    "tables": "| ",
    "a | b": "a | ",
    "]": "]",
    "](": "](",
    "[](": "[](",
    "[a](b(": "[a](b(",
    "[a](b(c)": "[a](b(c)",
    "[[a]": "[[a]",
    "[a](<": "[a](<",
    "[a](<b>": "[a](<b>",
    "[1,": "[1,",
    "[1][2]": "[1][2]",
    "\\": "\\",
    "\\[": "\\[",
    "(": "(",
    "( ": "( ",
    "https://(": "https://(",
    "https://a[b](": "https://a[b](",
    "links that lie": "[https://bank.example](https://evil.example) ",
    "links that lie, no end": "[a.example](https://",
    "hosts in brackets": "[a.example](",
    "hosts": "a.example ",
    "hosts in other scripts": "é.é è.è ",
    "hosts in links": "[é.é](https://",
    "Punycode in links": "[xn--80ak6aa92e.com](https://",
    "many hosts in links": "[é.é è.è ê.ê ē.ē](https://",
    "hosts, brackets": "[é.é è.è]",
    "dots": "a.",
    "quotes": '."',
    "?!": "?!",
    "wide marks": "。」",
}

TWO_PARTS = {
    "quote marks, then newlines": (">", "\n"),
    "a heading's marks, then newlines": ("#", "\n"),
    "spaces, then newlines": (" ", "\n"),
    "backticks, then letters": ("`", "a"),
    "letters, then backticks": ("a", "`"),
    "marks before, then spaces": ("\N{ARABIC NUMBER SIGN}", " "),
    "[, then ]": ("[", "]"),
    "marks, then marks of another class": ("\N{COMBINING ACUTE ACCENT}", "\N{COMBINING DOT BELOW}"),
}
"""One for the length of a message, then the other."""

FOUND = ("[1][2][é.é](https://\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}a | ", "**a [1[1][2]x.")
"""The worst of random searches; each is repeated."""

Text = Callable[[int], str]
"""Gives a text of so many characters."""


def repeated(piece: str) -> Text:
    """`piece`, again and again."""
    return lambda size: (piece * (size // len(piece) + 1))[:size]


def halves(first: str, second: str) -> Text:
    """`first` for nearly a message, then `second` for as long, again and again."""
    return lambda size: repeated(first * 1990 + second * 2010)(size)


def by_script() -> Iterator[tuple[str, str]]:
    """A letter of each script with its marks, and the same as words."""
    for script in SCRIPTS.split():
        found = regex.compile(rf"\p{{Script_Extensions={script}}}")
        characters = [chr(code) for code in range(0x20000) if found.match(chr(code))]
        letters = [one for one in characters if unicodedata.category(one)[0] == "L"]
        marks = [one for one in characters if unicodedata.category(one)[0] == "M"]
        cluster = "".join([*letters[:1], *marks[:3]])
        yield script, cluster
        yield f"{script}, words", f"{cluster * 3} "
        yield f"{script}, all", "".join(letters[:60] + marks[:20])


def texts() -> Mapping[str, Text]:
    """All of them, by name."""
    found = {ascii(piece)[:60]: piece for piece in FOUND}
    pieces = {**PIECES, **dict(by_script()), **JOINING, **MARKDOWN, **found}
    named = {name: repeated(piece) for name, piece in pieces.items()}
    return {**named, **{name: halves(*parts) for name, parts in TWO_PARTS.items()}}


def references(text: str) -> None:
    """All at once."""
    known = References()
    known.know([Citation("https://a.example/x", "A")] * 9)
    known.feed(text)
    known.end()


def masked_links(text: str) -> None:
    """All at once, and in links' own texts."""
    for whole in (text, f"[a.example {text}](https://b.example)", f"[{text}](https://"):
        links = MaskedLinks()
        links.feed(whole)
        links.end()


def streamed(text: str, piece: int = 4, pieces_an_edit: int = 100) -> None:
    """As `DiscordReply` takes an answer that comes in small pieces, with more edits than it makes."""
    known, links, tail = References(), MaskedLinks(), ""
    known.know([Citation("https://a.example/x", "A")] * 9)
    for number, start in enumerate(range(0, len(text), piece)):
        tail += links.feed(known.feed(text[start : start + piece]))
        if number % pieces_an_edit == 0:
            while settled(tail):
                tail = cut(tail)[1]
            cut(tail)
    split(tail + links.feed(known.end()) + links.end())


def source_list(text: str) -> None:
    """As the titles of ten pages, and as their addresses."""
    size = len(text) // 10
    for start in range(0, len(text), size):
        part = text[start : start + size]
        sources([Citation(f"https://a.example/{part}", part), Citation(part, part)])


FUNCTIONS: Mapping[str, Callable[[str], object]] = {
    "settled": settled,
    "cut": cut,
    "split": split,
    "closed": closed,
    "references": references,
    "masked links": masked_links,
    "streamed": streamed,
    "source list": source_list,
    "addresses.read": addresses.read,
    "shown_host": shown_host,
    "web_need.judge": judge,
    "well_formed": well_formed,
}


def milliseconds(function: Callable[[str], object], text: str, runs: int = 3) -> float:
    """CPU of the fastest run."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        function(text)
        times.append(time.process_time() - start)
    return min(times) * 1000


def table(report: Report, named: Mapping[str, Text]) -> None:
    """The worst text of each function."""
    over_size = f"{2 * SIZE} over {SIZE}"
    report.table(
        "function", "English, ms", "worst text", f"{SIZE}, ms", over_size, "over English", "required"
    )
    cutting = milliseconds(split, repeated(ENGLISH)(SIZE), 20)
    for name, function in FUNCTIONS.items():
        english = milliseconds(function, repeated(ENGLISH)(SIZE), 20)
        taken = {text: milliseconds(function, make(SIZE)) for text, make in named.items()}
        worst = max(taken, key=taken.__getitem__)
        once = milliseconds(function, named[worst](SIZE), 9)
        twice = milliseconds(function, named[worst](2 * SIZE), 9)
        over = once / max(english, cutting)
        cells = name, f"{english:.3f}", worst, f"{once:.2f}", f"{twice / once:.1f}", f"{over:.1f}"
        report.row(*cells, required=f"<= {MOST_TIMES_ENGLISH}", measured=over)


def cuts(report: Report, named: Mapping[str, Text]) -> None:
    """What each cut takes of the texts that `split` takes longest for: the worst of them."""
    report.table("split", f"cuts in {SIZE}, {2 * SIZE}", "ms each", f"{2 * SIZE} over {SIZE}", "required")
    slowest = sorted(named, key=lambda text: milliseconds(split, named[text](SIZE), 1))[-10:]
    rows = []
    for name in slowest:
        made = [named[name](size) for size in (SIZE, 2 * SIZE)]
        numbers = [max(len(split(text)) - 1, 1) for text in made]
        each = [milliseconds(split, text, 9) / number for text, number in zip(made, numbers, strict=True)]
        rows.append((each[1] / each[0], name, numbers, each))
    measured, name, numbers, each = max(rows)
    cells = name, "{}, {}".format(*numbers), "{:.2f}, {:.2f}".format(*each), f"{measured:.2f}"
    report.row(*cells, required=f"<= {MOST_FOR_EACH_CUT}", measured=measured)


def growth(report: Report, named: Mapping[str, Text]) -> None:
    """How much longer twice as much takes, of the slowest texts of cutting: the worst of them."""
    report.table("function", "worst text", f"{8 * SIZE} over {4 * SIZE}", "required")
    for name in ("split", "streamed"):
        function = FUNCTIONS[name]
        slowest = sorted(named, key=lambda text: milliseconds(function, named[text](SIZE), 1))[-20:]
        ratios = {
            text: milliseconds(function, named[text](8 * SIZE))
            / milliseconds(function, named[text](4 * SIZE))
            for text in slowest
        }
        worst = max(ratios, key=ratios.__getitem__)
        measured = ratios[worst]
        report.row(
            name, worst, f"{measured:.2f}", required=f"<= {MOST_FOR_TWICE_THE_SIZE}", measured=measured
        )


def whole_answer(report: Report, named: Mapping[str, Text]) -> None:
    """What an answer costs in all that is streamed in pieces of four characters."""
    english = milliseconds(streamed, repeated(ENGLISH)(ANSWER), 2)
    taken = {text: milliseconds(streamed, make(ANSWER), 1) for text, make in named.items()}
    worst = max(taken, key=taken.__getitem__)
    report.note(
        f"An answer of {ANSWER} characters in pieces of 4: English {english:.0f} ms, "
        f"the worst {taken[worst]:.0f} ms ({worst})"
    )


def search(seconds: float) -> None:
    """Random repetitions of a few pieces; the slower ones are changed further."""
    choice = random.Random(1)
    atoms = [
        *PIECES.values(),
        *JOINING.values(),
        *MARKDOWN.values(),
        *"ab \n\t()[]<>`*_|\\.!?\"'-#>",
        "\u200b",
    ]
    atoms = sorted({atom for atom in atoms if len(atom) < 20})
    ends = time.monotonic() + seconds
    best: list[tuple[float, str]] = []
    tried = 0
    while time.monotonic() < ends:
        tried += 1
        parent = choice.choice(best)[1] if best and choice.random() < 0.6 else ""
        where = choice.randint(0, len(parent))
        new = "".join(choice.choices(atoms, k=choice.randint(1, 4))) * choice.choice((1, 1, 1, 7, 300, 1000))
        piece = (parent[:where] + new + parent[where + choice.randint(0, 2) :])[: 2 * SIZE]
        text = repeated(piece)(SIZE)
        taken = sum(milliseconds(function, text, 1) for function in (settled, references, masked_links))
        best = sorted({*best, (taken, piece)}, reverse=True)[:12]
    print(f"{tried} texts tried; the slowest, in milliseconds:")
    for taken, piece in best:
        print(f"{taken:.2f} {ascii(piece)[:200]}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__)
    parser.add_argument("--search", type=float, metavar="SECONDS", help="look for worse texts instead")
    options = parse(parser, arguments)
    if options.search:
        search(options.search)
        return 0
    report, named = Report(), texts()
    if options.quick:
        named = dict(list(named.items())[:10])
    table(report, named)
    cuts(report, named)
    growth(report, named)
    whole_answer(report, named)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
