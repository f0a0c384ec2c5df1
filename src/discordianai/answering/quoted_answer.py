"""Knows the bot's last answer again where somebody replies to it."""

import re
from collections.abc import Sequence

from discordianai.records import Quotation, Role, Turn

COMPARED = 300
"""Letters by which an answer is known again."""

SURE = 40
"""Letters in a row that no other answer has by chance; a shorter message has to be the whole answer."""

_LINK = re.compile(r"\]\([^)\s]*\)|<?https?://\S+")


def quotes_last_turn(quotation: Quotation, history: Sequence[Turn]) -> bool:
    """Whether it is the bot's last answer, or one message of it, which the model is shown anyway.

    The message differs from what was remembered: it has small print, and links for the numbers of sources.
    """
    if not quotation.own or not history or history[-1].role is not Role.ASSISTANT:
        return False
    lines = (line for line in quotation.own.splitlines() if not line.startswith("-# "))
    shown, last = _letters("\n".join(lines))[:COMPARED], _letters(history[-1].text)
    return shown in last if len(shown) >= SURE else shown in {"", last}


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, _LINK.sub("", text)))
