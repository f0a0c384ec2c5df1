"""The ids of turns, as the engines write them: `number.second`.

The second in which a turn was said distinguishes it from a later one that got its number.
"""

import re

from discordianai.conversations.pending_questions import TurnId

MOST = 2**63 - 1
"""A signed 64-bit integer, as databases have them."""

_WRITTEN = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})")


def turn_id(number: int, at: float) -> TurnId:
    """The id of the turn of that number, said `at` (seconds since the epoch)."""
    return TurnId(f"{number}.{int(at)}")


def parts(turn: TurnId) -> tuple[int, int] | None:
    """Number and second; None where no engine writes such an id."""
    found = _WRITTEN.fullmatch(turn)
    if found is None:
        return None
    number, second = int(found[1]), int(found[2])
    return (number, second) if max(number, second) <= MOST else None
