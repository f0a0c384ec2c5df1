"""A text that arrives in many small pieces."""


class GrowingText:
    """Appending costs as much as the piece, not as much as the text so far; reading joins the pieces once."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text]

    def append(self, piece: str) -> None:
        """Add `piece` at the end."""
        self._pieces.append(piece)

    def __bool__(self) -> bool:
        return any(self._pieces)

    def __str__(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0]
