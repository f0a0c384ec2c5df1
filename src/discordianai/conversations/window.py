"""The part of a conversation that a model sees: the newest whole turns that fit, from a person's on."""

from collections.abc import Callable, Sequence

from discordianai.records import Role, Turn


def newest(turns: Sequence[Turn], limit: int, not_before: float = 0.0) -> tuple[Turn, ...]:
    """The newest `limit` turns that are not older, without a leading answer whose question is left out."""
    start = max(len(turns) - limit, 0)
    while start < len(turns) and turns[start].at < not_before:
        start += 1
    return _from_a_person(turns[start:])


def fitting(turns: Sequence[Turn], tokens: int, of_turn: Callable[[Turn], int]) -> tuple[Turn, ...]:
    """The newest of `turns` that take at most `tokens` together, as counted by `of_turn`.

    `tokens` is what is left for history: the context of the model, less the instructions, the question and
    what the answer may need.
    """
    start = len(turns)
    while start and (tokens := tokens - of_turn(turns[start - 1])) >= 0:
        start -= 1
    return _from_a_person(turns[start:])


def _from_a_person(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    for first, turn in enumerate(turns):
        if turn.role is Role.USER:
            return tuple(turns[first:])
    return ()
