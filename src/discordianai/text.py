"""Text that UTF-8 can carry, and text that comes in pieces."""


def well_formed(text: str) -> str:
    """`text` as UTF-8 can carry it, as long in UTF-16 units: halves of a pair joined, lone ones as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


AT_ONCE = 1000
"""Pieces that are joined: each takes eighty bytes beside its characters, and may have only one."""


class GrowingText:
    """Appending costs as much as the piece, not as much as the text so far; reading joins the pieces once."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text]
        self._long = 1  # how many of them, the first ones, are not joined again before the text is read

    def append(self, piece: str) -> None:
        """Add `piece` at the end."""
        self._pieces.append(piece)
        if len(self._pieces) - self._long >= AT_ONCE:
            self._pieces[self._long :] = ["".join(self._pieces[self._long :])]
            self._long += 1

    def __bool__(self) -> bool:
        return any(self._pieces)

    def __str__(self) -> str:
        if len(self._pieces) > 1:
            self._pieces, self._long = ["".join(self._pieces)], 1
        return self._pieces[0]
