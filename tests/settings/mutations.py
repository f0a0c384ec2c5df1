"""Ways in which a settings file goes wrong, for `test_settings_mutations`: text in, text or bytes out."""

import re
from collections.abc import Callable

from hypothesis import strategies as st

Draw = st.DrawFn
Mutation = Callable[[Draw, str], str]

ODD_VALUES = (
    "true",
    "-1",
    "0",
    "0.5",
    "1e400",
    "nan",
    "-inf",
    "99999999999999999999",
    "0x" + "f" * 6000,
    "9" * 5000,
    '""',
    "'''\n'''",
    '"' + "long " * 50 + '"',
    r'"\u0000"',
    r'"http://[\u001b"',
    '"https://name:password@host:99999999"',
    "[]",
    '["a", 1, {b = 2}]',
    "{}",
    "{a = {b = {c = 1}}}",
    "1979-05-27T07:32:00Z",
    "1979-05-27",
    "07:32:00",
    "1979-02-30",
    "[" * 60 + "]" * 60,
    "[" * 500 + "]" * 500,
    "{a=" * 500 + "1" + "}" * 500,
    "'unclosed",
    "",
)
HEADERS = (
    "discord",
    "providers",
    "providers.openai",
    "providers.x",
    "connection_pool",
    "connection_pool.openai",
    "connection_pool.x",
    "models.x",
    "rate_limits.user",
)
ODD_LINES = (
    "[openai]",
    "[[providers.openai]]",
    "providers.openai = 3",
    "[providers.x]",
    "[providers.Ä]",
    "[providers.user]",
    "[rate_limits.x]",
    "dialect = 'agent'",
    "[discord.token]",
    "[models]",
    '[models.""]',
    '[models."a.b\\n\\u001b[31m"]',
    "[no_such_table]",
    "[no.such.table]",
    "no_such_key = 1",
    '"" = 1',
    "tokn = 'x'",
    "a." * 30 + "b = 1",
    "a." * 2000 + "b = 1",
    '["' + "x" * 500 + '"]',
    "= 1",
    "]",
    "\x00",
    "\u2028",
    "\r",
)

_KEY = re.compile(r"^#? ?([a-z_]+) = ", re.MULTILINE)
_HEADER = re.compile(r"^#? ?\[[^\n]*\]$", re.MULTILINE)


def _one_of_the_lines(draw: Draw, text: str) -> tuple[list[str], int]:
    lines = text.split("\n")
    return lines, draw(st.integers(0, len(lines) - 1))


def odd_value(draw: Draw, text: str) -> str:
    """Another value for some key; one that was commented out comes to life."""
    found = list(_KEY.finditer(text))
    if not found:
        return text
    match = draw(st.sampled_from(found))
    end = text.find("\n", match.end())
    value = draw(st.sampled_from(ODD_VALUES) | st.text(max_size=30))
    return f"{text[: match.start()]}{match[1]} = {value}{text[end if end >= 0 else len(text) :]}"


def odd_header(draw: Draw, text: str) -> str:
    """A table of another kind, or the name of another one."""
    found = list(_HEADER.finditer(text))
    if not found:
        return text
    match = draw(st.sampled_from(found))
    name = draw(st.sampled_from(HEADERS))
    form = draw(
        st.sampled_from(("[[{}]]", "{} = 3", "[{}]", "{} = [{{}}]", "[{}.deeper]", "{} = 1979-05-27"))
    )
    return text[: match.start()] + form.format(name) + text[match.end() :]


def odd_line(draw: Draw, text: str) -> str:
    """A line that nobody expects there."""
    lines, at = _one_of_the_lines(draw, text)
    return "\n".join([*lines[:at], draw(st.sampled_from(ODD_LINES)), *lines[at:]])


def line_gone(draw: Draw, text: str) -> str:
    """A line is missing: under its header, keys belong to another table."""
    lines, at = _one_of_the_lines(draw, text)
    return "\n".join([*lines[:at], *lines[at + 1 :]])


def line_twice(draw: Draw, text: str) -> str:
    """A line stands there twice, near or far."""
    lines, at = _one_of_the_lines(draw, text)
    to = draw(st.integers(0, len(lines)))
    return "\n".join([*lines[:to], lines[at], *lines[to:]])


def comment_alive(draw: Draw, text: str) -> str:
    """A key that was commented out."""
    found = list(re.finditer(r"^# (?=[a-z_]+ = |\[)", text, re.MULTILINE))
    if not found:
        return text
    match = draw(st.sampled_from(found))
    return text[: match.start()] + text[match.end() :]


def cut_short(draw: Draw, text: str) -> str:
    """The end is missing."""
    return text[: draw(st.integers(0, len(text)))]


def odd_text(draw: Draw, text: str) -> str:
    """Something was typed somewhere."""
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text(max_size=20)) + text[at:]


MUTATIONS: tuple[Mutation, ...] = (
    odd_value,
    odd_value,  # the mistake that is made most often
    odd_header,
    odd_line,
    line_gone,
    line_twice,
    comment_alive,
    cut_short,
    odd_text,
)
BAD_BYTES = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80")


@st.composite
def mutated(draw: Draw, text: str) -> bytes:
    """`text` after a few mutations; now and then with a byte in it that no UTF-8 has."""
    for mutation in draw(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=4)):
        text = mutation(draw, text)
    content = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)):
        return content
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.sampled_from(BAD_BYTES)) + content[at:]
