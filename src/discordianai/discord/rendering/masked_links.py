"""Makes the links of an answer say where they lead, while it is being written.

`[https://bank.example](<https://evil.example>)` shows one address and leads to another. It becomes
`[https://bank.example (evil.example)](<https://evil.example>)`: the real host is part of the link's own text,
so that no cut between two messages parts them.

Discord renders `[text](address)`, with or without angle brackets and a title. It does not render
reference-style links, and an address that stands alone hides nothing.

The text of a link is found as Discord finds it: it may contain brackets in pairs, and further closing ones.
Characters that turn the direction of letters around (U+202D, U+202E) are left out everywhere: `moc.elgoog`
would be read as google.com behind one, and so would the host that is added. No language needs them.

Code is not left out, because Discord and Markdown disagree on where code ends. What is found may turn out to
be no link; then a host's name was added in vain. Each character is examined a bounded number of times.
"""

import re
from collections import deque

import regex

from discordianai.discord.rendering.hosts import comparable_host, shown_host

UNCLEAR = "unclear address"
"""Replaces a host that programs would read differently."""

LONGEST_LINK = 2000
"""Characters; a message holds no longer one."""

LONGEST_HELD = 300
"""Characters of a link's address that are waited for. A host has 253 at most."""

MOST_NAMES = 8
"""Spellings that are compared in the text of a link; one with more is not what it looks like."""

MOST_FOREIGN = 50
"""Hosts of other scripts that links of one answer may lead to and be named."""

_OVERRIDES = {0x202D: None, 0x202E: None}

_BRACKETS = re.compile(r"\]\(|[\[\]]")

_SCHEME = re.compile(r"\s*+<?+(?:(?P<scheme>[a-z][a-z0-9+.-]{0,30}+)(?P<colon>:)?+)?+", re.IGNORECASE)
_AUTHORITY = re.compile(r"[/\\]*+([^\s/\\?#<>()]*+)")
_PORT = re.compile(r":\d*\Z")
_HOST = regex.compile(r"(?i)\[[0-9a-f:.]+\]|[\p{L}\p{M}\p{N}_.\-]+")
_OTHER_SCHEMES = frozenset(("discord", "ftp", "mailto", "sms", "steam", "tel"))
"""Those that Discord may link besides http and https."""

_UNSEEN = regex.compile(r"[*_~|`\\\p{Cf}\p{Default_Ignorable_Code_Point}]")
"""What may stand within a name and is not seen there: Markdown, joiners, marks of direction."""

_LABEL = r"[\p{L}\p{M}\p{N}\-]"
_DOT = r"(?:[.．｡․]|(?<=[a-zA-Z0-9])。(?=[a-zA-Z]))"  # dots that only look like one
_DOTS = regex.compile(_DOT)
_IN_NAMES = re.compile(r"[.．｡․。/]")  # no host is named without one
_NAME = regex.compile(
    rf"(?<!{_LABEL})(?:(?P<addressed>(?<=//){_LABEL}++(?:{_DOT}{_LABEL}++)*+)|(?P<bare>{_LABEL}++(?:{_DOT}{_LABEL}++)++))"
    r"(?::\d++)?+(?:[/?#]\S*+)?+"
)
"""Something that looks like a host, with the rest of its address."""

_TOP_LEVEL = regex.compile(r"[\p{L}\p{M}]{2,}|xn--.+")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_FILE_ENDINGS = re.compile(
    r"bat|bin|cfg|conf|cpp|css|csv|docx?|env|exe|gif|go|gz|hpp|html|ini|ipynb|jar|java|jpe?g|jsx?|json|kt|lock"
    r"|log|lua|pdf|php|png|pptx?|rb|rst|scss|sql|svg|tar|toml|tsx?|txt|vue|xlsx?|xml|ya?ml"
)
"""Names with such an ending are files: no top-level domain has it."""


def telling_hosts(text: str) -> str:
    """A whole text, as it is to be shown."""
    links = MaskedLinks()
    return links.feed(text) + links.end()


class MaskedLinks:
    """The text comes in pieces; what was returned never changes.

    Only a `]`, and the beginning of an address if the link's text names a host, are delayed.
    """

    def __init__(self) -> None:
        self._held = ""
        self._given = 0  # characters that were given out
        # Where the text of a link may have begun, by what comes next: the bracket that closes it, one that
        # closes a pair within it, or its address. Of several such places the first counts: its text contains
        # that of the others.
        self._open: int | None = None
        self._in_pair: int | None = None
        self._closed: int | None = None
        self._unread = deque[tuple[int, str]]()  # what may be part of a link's text, and where it begins
        self._foreign: dict[str, str] = {}  # hosts of other scripts, as they are shown
        self._names: dict[str, int] = {}  # the last two different hosts that it names, and where

    def feed(self, text: str) -> str:
        """The next piece, as it is to be shown."""
        if not text.isascii():
            text = text.translate(_OVERRIDES)
        if not self._held and "[" not in text and "]" not in text:  # the usual case
            return self._give(text)
        return self._shown(self._held + text, ended=False)

    def end(self) -> str:
        """What was delayed."""
        return self._shown(self._held, ended=True)

    def _shown(self, text: str, *, ended: bool) -> str:
        shown, done, self._held = list[str](), 0, ""
        for bracket in _BRACKETS.finditer(text):
            begin, end = bracket.span()
            if begin > done:
                shown.append(self._give(text[done:begin]))
                done = begin
            if bracket[0] == "]" and end == len(text) and self._may_close and not ended:
                self._held = text[begin:]
                return "".join(shown)
            if bracket[0] == "](" and self._may_close:
                note = self._note(text[end : end + LONGEST_HELD], ended=ended)
                if note is None:
                    self._held = text[begin:]
                    return "".join(shown)
                shown.append(note)
            self._pass(bracket[0])
            shown.append(bracket[0])
            done = end
        shown.append(self._give(text[done:]))
        return "".join(shown)

    @property
    def _may_close(self) -> bool:
        """Whether a closing bracket may end a link's text."""
        return self._open is not None or self._closed is not None

    def _give(self, text: str) -> str:
        """Text without brackets."""
        if text and self._may_close:
            self._unread.append((self._given, text))
            while self._unread[0][0] < self._given - LONGEST_LINK:
                self._unread.popleft()
        self._given += len(text)
        return text

    def _pass(self, bracket: str) -> None:
        at = self._given
        self._given += len(bracket)
        if bracket == "[":
            self._in_pair = _first(self._in_pair, self._open)
            self._open, self._closed = at, None
        else:
            self._closed = _first(self._closed, self._open)
            self._open, self._in_pair = self._in_pair, None

    def _note(self, address: str, *, ended: bool) -> str | None:
        """What a link's text lacks, given what follows `](`; None where more of that is needed to tell."""
        begin = _first(self._closed, self._open)
        if self._unread:
            if any(_IN_NAMES.search(text) for _, text in self._unread):
                self._read()
            self._unread.clear()
        if not self._names:  # the usual case
            return ""
        named = {name for name, at in self._names.items() if begin is not None and at > begin}
        if not named:
            return ""
        host = _host(address, ended=ended)
        if not host:
            return host
        shown = host if host == UNCLEAR or host[-1] == ":" else self._name(host)
        if named == {_without_www(comparable_host(host))} and "xn--" not in shown and shown != UNCLEAR:
            return ""
        return f" ({shown})".replace("_", r"\_")

    def _name(self, host: str) -> str:
        """As `shown_host`, which takes long for names of other scripts: for the first ones of an answer."""
        if host.isascii() and "xn--" not in host:
            return shown_host(host)
        if host not in self._foreign and len(self._foreign) < MOST_FOREIGN:
            self._foreign[host] = shown_host(host)
        return self._foreign.get(host, UNCLEAR)

    def _read(self) -> None:
        """Note the hosts that are named in what was not read yet, the last ones first."""
        found: dict[str, int] = {}
        tried = set[str]()
        for at, text in reversed(self._stretches()):
            for name in reversed(_names(text)):
                if len(found) < 2 and name not in tried:
                    tried.add(name)
                    host = _without_www(comparable_host(name)) if len(tried) <= MOST_NAMES else ""
                    found.setdefault(host, at)
        for host, at in reversed(found.items()):
            self._names.pop(host, None)
            self._names[host] = at
        while len(self._names) > 2:
            del self._names[next(iter(self._names))]

    def _stretches(self) -> list[tuple[int, str]]:
        """What was not read yet, from bracket to bracket, and where each begins."""
        stretches: list[tuple[int, list[str]]] = []
        end = None
        for at, text in self._unread:
            if at != end:
                stretches.append((at, []))
            stretches[-1][1].append(text)
            end = at + len(text)
        return [(at, "".join(pieces)) for at, pieces in stretches]


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _without_www(host: str) -> str:
    return host.removeprefix("www.")


def _names(text: str) -> list[str]:
    """What a reader takes for hosts."""
    found = []
    for match in _NAME.finditer(_UNSEEN.sub("", text)):
        labels = _DOTS.split(match["addressed"] or match["bare"])
        name, last = ".".join(labels), labels[-1].lower()
        is_host = _TOP_LEVEL.fullmatch(last) and not _FILE_ENDINGS.fullmatch(last)
        if len(name) <= LONGEST_HELD and (match["addressed"] or is_host or _IPV4.fullmatch(name)):
            found.append(name)
    return found


def _host(address: str, *, ended: bool) -> str | None:
    """The host that `address` begins with, `UNCLEAR`, or its scheme with a colon where that has no host.

    Empty where it is no address; None where more of it is needed to tell.
    """
    ended = ended or len(address) >= LONGEST_HELD
    scheme = _SCHEME.match(address)
    assert scheme  # noqa: S101  # for mypy: the pattern matches any text
    if scheme["colon"] is None:
        return None if scheme.end() == len(address) and not ended else ""
    name = scheme["scheme"].lower()
    if name not in ("http", "https"):
        return f"{name}:" if name in _OTHER_SCHEMES else ""
    authority = _AUTHORITY.match(address, scheme.end())
    assert authority  # noqa: S101  # as above
    following = address[authority.end() : authority.end() + 2]
    if following in ("", ">") and not ended:
        return None
    host = _PORT.sub("", authority[1].rpartition("@")[2])
    is_clear = _HOST.fullmatch(host) and re.match(r"[/?#)\s]|>[)\s]", following)
    return host.strip("[]").lower() if is_clear else UNCLEAR
