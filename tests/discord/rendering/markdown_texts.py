"""Hypothesis strategies for Markdown as people and models write it, and as nobody should."""

from hypothesis import strategies as st

LINKS = [
    "[a page](https://example.org/a)",
    "[a page in a few words](<https://example.org/a b>)",
    "[[1]](https://example.org/one_(two))",
    "[1](https://example.org/1)",
    "[`code` and *more*](https://example.org/x?y=1&z=2#fragment)",
    '[titled](https://example.org "a title of words")',
    "![alt text](https://example.org/image.png)",
    "https://example.org/path/to/something?with=query&and=more",
    "http://example.org",
    "<https://example.org/in/angles>",
    "<@123456789012345678>",
    "<t:1700000000:R>",
]
CITATIONS = ["[1]", "[12]", "[1, 2, 3]", "[^4]", "[1][2]"]

CLUSTERS = [
    "👨‍👩‍👧‍👦",
    "👩🏽‍🚀",
    "👍🏿",
    "❤️",
    "🏳️‍🌈",
    "🇩🇪",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "1️⃣",
    "e\N{COMBINING ACUTE ACCENT}",
    "a" + "\N{COMBINING GRAVE ACCENT}\N{COMBINING DOT BELOW}" * 5,
    " \N{COMBINING ACUTE ACCENT}",
    "\N{DEVANAGARI LETTER KA}\N{DEVANAGARI SIGN VIRAMA}\N{DEVANAGARI LETTER SSA}\N{DEVANAGARI VOWEL SIGN I}",
    "\N{HANGUL CHOSEONG KIYEOK}\N{HANGUL JUNGSEONG A}\N{HANGUL JONGSEONG KIYEOK}",
    "\N{ARABIC NUMBER SIGN}1",
    "\N{ARABIC NUMBER SIGN}🇩🇪\N{COMBINING ENCLOSING CIRCLE}",
    "\r\n",
]
ODDITIES = [
    "🇫🇷🇪🇸🇫",
    "שלום עולם",
    "مرحبا بالعالم",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc\N{POP DIRECTIONAL FORMATTING}",
    "\N{ZERO WIDTH SPACE}",
    "\N{ZERO WIDTH JOINER}",
    "\N{ZERO WIDTH SPACE}" * 9,
    "\N{WORD JOINER}x",
    "\ud83d",
    "\ude00",
    "\ud83d\ude00",
    "\ud83d\ude00\N{VARIATION SELECTOR-16}",
    "\x00",
    "\x1c",
    "\N{LINE SEPARATOR}",
    "\N{NO-BREAK SPACE}",
    "\\",
    "\\`",
    "\\[",
    "[",
    "]",
    "](",
    ")",
    "`",
    "``",
    "`` ` ``",
    "<",
    ">",
    "|",
    "https://",
    "htt",
    "x" * 90,
    "漢字" * 30,
    "👍" * 40,
]
SPACES = [" ", "  ", "\n", "\n\n", "\n \n\n", "\t", " " * 30, "\n" * 10]
PROSE = [
    "word",
    "several words",
    "A sentence. ",
    "“Is it?” ",
    "Another one (of them!) ",
    "**bold words** ",
    "这是一句话。",
    "「何？」",
    "# Heading\n",
    "- item\n",
    "- an item with [1] and `code`\n",
    "  - a nested item\n",
    "10. tenth\n",
    "> quoted\n",
    "> > twice\n",
    "| a | b |\n| --- | --- |\n| 1 | 2 |\n",
    "a | b\n",
    "`inline code`",
    "``code with a ` in it``",
    "---\n",
]
FENCES = [
    "```python\n",
    "```\n",
    "\n```",
    "\n```\n",
    "\n````md\n",
    "\n````\n",
    "\n~~~\n",
    "\n~~~ruby\n",
    "\n> ```js\n",
    "\n> code\n",
    "\n> ```\n",
    "\n- ```sh\n",
    "\n  ```\n",
    "\n    ```c\n",
    "```inline```",
    "x = 1\n",
    "    indented(code)\n",
    "\n\n    more\n",
]


def _some(strategy: st.SearchStrategy[str], glue: str = "") -> st.SearchStrategy[str]:
    """Often enough for several messages: left to itself, Hypothesis makes mostly short lists."""
    few, many = st.lists(strategy, max_size=8), st.lists(strategy, min_size=20, max_size=90)
    return st.one_of(few, many, many).map(glue.join)


pieces = st.one_of(
    st.sampled_from(PROSE),
    st.sampled_from(SPACES),
    st.sampled_from(LINKS + CITATIONS),
    st.sampled_from(CLUSTERS),
    st.sampled_from(FENCES),
    st.sampled_from(ODDITIES),
    st.text(max_size=40),
    st.text(st.characters(codec=None), max_size=10),
)
texts = _some(pieces)
"""Anything, in any order."""

without_fences = texts.map(lambda text: text.replace("```", "").replace("~~~", "")).filter(
    lambda text: "```" not in text and "~~~" not in text
)
"""Anything but code blocks."""

prose = _some(st.sampled_from(PROSE + SPACES + LINKS + CITATIONS + CLUSTERS))
"""Ordinary text without code blocks."""

spaced = _some(st.sampled_from(PROSE[:8] + LINKS + CITATIONS + CLUSTERS + SPACES), " ")
"""Links and citations with white space around them."""

words = _some(st.sampled_from(["word", "longer-word", "end.", "ask?", "\n", "\n\n", "- item"]), " ")
"""Paragraphs, lines, sentences and words, and nothing else."""


_cells = st.lists(st.sampled_from(["a", "x. y", "[1]", "a cell of words", "`c`"]), min_size=1, max_size=12)
rows = _some(
    st.one_of(
        _cells.map(lambda cells: f"| {' | '.join(cells)} |"),
        _cells.map(lambda cells: f"- {' '.join(cells)}"),
        _cells.map(lambda cells: f"  12. {' '.join(cells)}"),
        st.sampled_from(["", "Intro:"]),
    ),
    "\n",
)
"""Tables and lists."""

_paragraphs = st.lists(st.sampled_from(PROSE[:8] + LINKS + CITATIONS), min_size=1, max_size=15).map(" ".join)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Paragraphs, and code blocks that are closed as they should."""
    blocks = draw(st.lists(st.one_of(_paragraphs, _code_blocks()), min_size=1, max_size=12))
    return "\n\n".join(blocks)


@st.composite
def _code_blocks(draw: st.DrawFn) -> str:
    marks = draw(st.sampled_from(["```", "~~~", "````", "`````"]))
    prefix = draw(st.sampled_from(["", "", "> ", "  "]))
    language = draw(st.sampled_from(["", "python", "c++", "js title"]))
    line = st.one_of(
        st.integers(0, 99).map("    value = {}".format),
        st.sampled_from(["", "", "x = `y`", "[not](a_link)", "- no item", "# no heading", "print('a b. c')"]),
        st.sampled_from(["```" if marks not in "```" else "~~", "```py" if marks != "```" else "~~~ `"]),
    )
    code = draw(st.lists(line, max_size=30))
    return "\n".join(prefix + line for line in [f"{marks}{language}", *code, marks])
