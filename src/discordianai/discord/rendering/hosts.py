"""How a host is shown: in its own script if it cannot be mistaken for another, else in Punycode."""

import unicodedata
from functools import lru_cache

import idna
import regex

LONGEST_SHOWN = 60
"""Characters. Of a longer name the end is shown, which says whose it is."""

LONGEST_NAME, LONGEST_LABEL = 253, 63
"""Characters that the DNS has room for."""

_LOOKALIKES = frozenset(
    "аысԁеԍһіюјӏорԗԛѕԝхуъьҽпгѵѡ"  # Cyrillic
    "αικνρυωηοτγϲϳ"  # Greek
    "ագզէլհյոսւօ"  # Armenian
    "იოყძხჿ"
    "דוחיןס"  # Hebrew
    "اهٱ"  # Arabic
    "ዐሀሠ"
    "ทนบพรหแเ"
    "ກຂບປພຟ"
    "ခဂငထပဝ"
    "ഠധଠடபம"
    "一丨丶口工卜二三ノニトヘへー"  # Han and Kana
)
"""Letters that look like Latin ones or like marks; a name of nothing else is not shown in its own script."""

_SCRIPTS = (
    "Cyrillic Greek Armenian Georgian Hebrew Arabic Thaana Devanagari Bengali Gurmukhi Gujarati Oriya Tamil"
    " Telugu Kannada Malayalam Sinhala Thai Lao Khmer Myanmar Tibetan Ethiopic Hangul"
)
_ONE_SCRIPT = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}ー0-9-]+|"
    + "|".join(rf"[\p{{Script={script}}}0-9-]+" for script in _SCRIPTS.split())
)
_LATIN = regex.compile(r"(?V1)[[a-z0-9\-ß-öø-ž]--[ıĸŀŉ]]+")  # dotless i, kra
_FROM_RIGHT_TO_LEFT = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}]")


def ascii_host(host: str) -> str:
    """The name that is asked for on the network: lower case, Punycode."""
    if host.isascii():
        return host.lower().rstrip(".")
    name = unicodedata.normalize("NFKC", host[-LONGEST_NAME:])[-LONGEST_NAME:].casefold().rstrip(".")
    labels = [label[:LONGEST_LABEL] for label in name.split(".")]
    try:
        return idna.encode(".".join(labels), uts46=True).decode()
    except idna.IDNAError:  # underscores, emoji, empty labels: resolvers may take them even so
        return ".".join(
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels
        )


def comparable_host(host: str) -> str:
    """A key that names of the same host share, cheap enough for any number of them."""
    name = host.lower() if host.isascii() else unicodedata.normalize("NFKC", host[-LONGEST_NAME:]).lower()
    labels = name[-LONGEST_NAME:].rstrip(".").split(".")
    return ".".join(_from_punycode(label) for label in labels)


@lru_cache(maxsize=256)
def _from_punycode(label: str) -> str:
    if not label.startswith("xn--") or not label.isascii():
        return label
    try:
        return label[4 : LONGEST_LABEL + 1].encode().decode("punycode")
    except UnicodeError:
        return label


def shown_host(host: str) -> str:
    """The name as a reader is to see it, at most `LONGEST_SHOWN` characters."""
    name = ascii_host(host)[-LONGEST_NAME:]
    if "xn--" in name:
        labels = [_decoded(label) for label in name.split(".")]
        if all(map(_is_distinct, labels)) and _has_one_direction(labels):
            name = ".".join(labels)
    return name if len(name) <= LONGEST_SHOWN else f"…{name[1 - LONGEST_SHOWN :]}"


def _decoded(label: str) -> str:
    try:
        return idna.decode(label) if label.startswith("xn--") else label
    except idna.IDNAError:
        return label


def _is_distinct(label: str) -> bool:
    """Whether a label is in one script and can be told from any Latin one."""
    if label.isascii():
        return not label.startswith("xn--")
    if _LATIN.fullmatch(label):
        return True
    return _ONE_SCRIPT.fullmatch(label) is not None and any(
        letter.isalpha() and not letter.isascii() and letter not in _LOOKALIKES for letter in label
    )


def _has_one_direction(labels: list[str]) -> bool:
    """Labels of both directions are displayed in an order that hides where the name ends."""
    return len({_FROM_RIGHT_TO_LEFT.search(label) is not None for label in labels}) == 1
