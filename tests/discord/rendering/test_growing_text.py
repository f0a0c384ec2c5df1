"""A text that comes in pieces is the pieces joined."""

from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.rendering.splitting import GrowingText


@given(first=st.text(), pieces=st.lists(st.text() | st.none()))
def test_it_is_what_was_appended_whenever_it_is_read(first: str, pieces: list[str | None]) -> None:
    text, expected = GrowingText(first), first
    for piece in pieces:
        if piece is None:
            assert str(text) == expected
        else:
            text.append(piece)
            expected += piece
        assert bool(text) == bool(expected)
    assert str(text) == expected
